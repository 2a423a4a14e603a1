//! A run that was held to limits.

mod answer;
mod capacity;
mod failures;
mod figures;
mod fleet;
mod method;
mod monitors;
mod notes;
mod published;
mod scale;
mod side_by_side;
mod single_gets;
mod times;
mod verdicts;

use super::calibration;
use crate::judge::{Calibrated, Figures, Judgement};
use crate::record::RunRecords;
use crate::report::document::{Detail, Document, Part, Role, Section};
use crate::worker_protocol::{Mode, Stage};

pub(super) fn document(
    run: &RunRecords,
    judgement: &Judgement,
    known: &[Calibrated],
    detail: Detail,
) -> Document {
    Document {
        title: "EPICS clients, measured".to_owned(),
        lead: Some(notes::lead(run)),
        sections: vec![
            Section::new(Role::Notes, notes::notes(run)),
            Section::new(Role::Answer, answer::answer(judgement)),
            Section::new(Role::Verdicts, verdicts::to_do(judgement)),
            Section::new(Role::AllVerdicts, [verdicts::all(judgement)]),
            Section::of_figures(figures::all(run, judgement)),
            Section::new(Role::Tables, tables(run, judgement, detail)),
            Section::new(Role::Method, method::method(run, judgement, detail)),
            Section::new(Role::Bias, method::bias()),
            Section::new(Role::Judge, calibration::of_report(known, detail)),
        ],
    }
}

/// Every table of figures, and what could not be measured.
fn tables(run: &RunRecords, judgement: &Judgement, detail: Detail) -> Vec<Part> {
    let mut parts = Vec::new();
    for figures in judgement.figures.iter().filter(|figures| is_shown(figures, judgement, detail)) {
        parts.extend(times::of_cell(figures, &judgement.verdicts));
    }
    if detail == Detail::Full {
        parts.extend(single_gets::section(judgement));
    }
    parts.extend(times::scaling(judgement));
    parts.extend(published::one_pv(judgement));
    for cell in &judgement.monitors {
        parts.extend(monitors::section(cell, &judgement.verdicts));
    }
    parts.extend(published::camera(judgement));
    parts.extend(side_by_side::section(run, judgement));
    match detail {
        Detail::Full => parts.extend(scale::section(&judgement.scale)),
        Detail::Summary => parts.extend(scale::summary(&judgement.scale)),
    }
    parts.extend(capacity::section(judgement));
    parts.extend(fleet::section(judgement));
    parts.extend(failures::section(judgement));
    parts
}

/// The summary holds connecting at every count of PVs, and reading at the most.
fn is_shown(figures: &Figures, judgement: &Judgement, detail: Detail) -> bool {
    let most = judgement
        .figures
        .iter()
        .filter(|other| other.connected == figures.connected)
        .map(|other| other.pvs)
        .max();
    let metric = figures.metric;
    detail == Detail::Full
        || metric.stage == Stage::Connect
        || (figures.connected == Mode::Bulk
            && Some(figures.pvs) == most
            && matches!(metric.stage, Stage::Get | Stage::GetAgain))
}
