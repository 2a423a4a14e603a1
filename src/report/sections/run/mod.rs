//! A run that was held to limits.

mod answer;
mod capacity;
mod default_gets;
mod failures;
mod faults;
mod figures;
mod link;
mod lookups;
mod many_iocs;
mod matters;
mod method;
mod monitors;
mod notes;
mod published;
mod scale;
mod side_by_side;
mod single_gets;
mod summary;
mod times;
mod verdicts;

use super::calibration;
use crate::judge::{Calibrated, Judgement};
use crate::record::RunRecords;
use crate::report::document::{Detail, Document, Part, Role, Section};

pub(super) fn document(
    run: &RunRecords,
    judgement: &Judgement,
    known: &[Calibrated],
    budget_s: f64,
    detail: Detail,
) -> Document {
    let mut summary = summary::section(judgement, budget_s, detail);
    summary.extend(scale::summary(&judgement.scale));
    let mut sections = vec![
        Section::new(Role::Notes, notes::notes(run)),
        Section::new(Role::Answer, answer::answer(judgement, detail)),
        Section::new(Role::Summary, summary),
    ];
    if detail == Detail::Full {
        sections.extend([
            Section::new(Role::Verdicts, verdicts::to_do(judgement)),
            Section::new(Role::AllVerdicts, [verdicts::all(judgement)]),
            Section::of_figures(figures::all(run, judgement, budget_s)),
            Section::new(Role::Tables, tables(run, judgement, budget_s)),
            Section::new(Role::Method, method::method(run, judgement)),
            Section::new(Role::Bias, method::bias(run)),
            Section::new(Role::Judge, calibration::of_report(known, detail)),
        ]);
    }
    let title = match detail {
        Detail::Full => "EPICS clients, measured".to_owned(),
        Detail::Brief => "The answer".to_owned(),
    };
    Document { title, lead: Some(notes::lead(run)), sections }
}

/// Every table of figures, and what could not be measured.
fn tables(run: &RunRecords, judgement: &Judgement, budget_s: f64) -> Vec<Part> {
    let mut parts = Vec::new();
    for figures in &judgement.figures {
        parts.extend(times::section(figures, &judgement.verdicts));
    }
    parts.extend(lookups::section(judgement));
    parts.extend(single_gets::section(judgement));
    parts.extend(default_gets::section(run, judgement));
    parts.extend(times::scaling(judgement));
    parts.extend(matters::section(judgement, budget_s));
    parts.extend(published::one_pv(judgement));
    for configuration in &judgement.monitors {
        parts.extend(monitors::section(configuration, &judgement.verdicts));
    }
    parts.extend(published::camera(judgement));
    parts.extend(side_by_side::section(run, judgement));
    parts.extend(scale::section(&judgement.scale));
    parts.extend(capacity::section(judgement));
    parts.extend(many_iocs::section(judgement));
    parts.extend(faults::section(judgement));
    parts.extend(link::section(run));
    parts.extend(failures::section(judgement));
    parts
}
