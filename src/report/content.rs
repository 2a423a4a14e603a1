//! What a report says, in which order.

use super::answer::answer;
use super::capacity::capacity_section;
use super::document::Part;
use super::fleet::fleet_section;
use super::method::{bias_section, blocks, method_section};
use super::monitors::monitors_section;
use super::published::{published_cpu_section, published_section};
use super::scale::{scale_section, scale_summary};
use super::side_by_side::side_by_side_section;
use super::single_gets::single_gets_section;
use super::tables::{figures_section, scaling_section};
use super::verdict_table::verdicts_section;
use crate::judge::{Figures, Judgement, is_crowded};
use crate::record::{FailureKind, RunRecords};
use crate::stats::median;
use crate::worker_protocol::{Mode, Stage};

/// What stands above a report of a run.
pub(super) const TITLE: &str = "EPICS clients, measured";

/// How much a report holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What fits on a few screens.
    Summary,
    /// Everything.
    Full,
}

/// The report in the order of a terminal: what was asked for last is what stands above
/// the next prompt.
pub(super) fn report(run: &RunRecords, judgement: &Judgement, detail: Detail) -> Vec<Part> {
    let mut parts = vec![title()];
    parts.extend(notes(run));
    parts.extend(tables(run, judgement, detail));
    parts.extend(answer(judgement));
    match detail {
        Detail::Full => parts.extend(method_section(run, judgement)),
        Detail::Summary => parts.push(Part::Text(blocks(run))),
    }
    parts
}

/// The report in the order of a page, which is read from its top.
pub(super) fn page(run: &RunRecords, judgement: &Judgement) -> Vec<Part> {
    let mut parts = vec![title()];
    parts.extend(notes(run));
    parts.extend(answer(judgement));
    parts.extend(verdicts_section(judgement));
    parts.extend(tables(run, judgement, Detail::Full));
    parts.extend(method_section(run, judgement));
    parts.extend(bias_section());
    parts
}

fn title() -> Part {
    Part::Heading(1, TITLE.to_owned())
}

/// Every table of figures, and what could not be measured.
pub(super) fn tables(run: &RunRecords, judgement: &Judgement, detail: Detail) -> Vec<Part> {
    let mut parts = Vec::new();
    for figures in judgement.figures.iter().filter(|figures| is_shown(figures, judgement, detail)) {
        parts.extend(figures_section(figures, &judgement.verdicts));
    }
    if detail == Detail::Full {
        parts.extend(single_gets_section(judgement));
    }
    parts.extend(scaling_section(judgement));
    parts.extend(published_section(judgement));
    for cell in &judgement.monitors {
        parts.extend(monitors_section(cell, &judgement.verdicts));
    }
    parts.extend(published_cpu_section(judgement));
    parts.extend(side_by_side_section(run, judgement));
    match detail {
        Detail::Full => parts.extend(scale_section(&judgement.scale)),
        Detail::Summary => parts.extend(scale_summary(&judgement.scale)),
    }
    parts.extend(capacity_section(judgement));
    parts.extend(fleet_section(judgement));
    parts.extend(failures_section(judgement));
    parts
}

/// What a reader must know before any figure.
pub(super) fn notes(run: &RunRecords) -> Vec<Part> {
    let notes = interruption(run).map(str::to_owned).into_iter().chain(crowd(run));
    notes.map(Part::Text).collect()
}

fn interruption(run: &RunRecords) -> Option<&'static str> {
    match &run.end {
        None => Some("This run was cut off; the report holds what was measured until then."),
        Some(end) if end.interrupted => {
            Some("This run was interrupted; the report holds what was measured until then.")
        }
        Some(_) => None,
    }
}

/// That others kept the machine busy while monitors watched.
fn crowd(run: &RunRecords) -> Option<String> {
    let machines = || run.records.iter().filter_map(|one| one.monitored.as_ref()?.machine.as_ref());
    let crowded: Vec<f64> =
        machines().filter(|one| is_crowded(one)).map(|one| one.others_percent).collect();
    (!crowded.is_empty()).then(|| {
        format!(
            "Other programs kept this machine busy: in {} of {} watches of monitors they used \
             {:.0} % of all cores' time (median) and left next to none at rest. What was lost \
             there, and how long it took, tells of them too.",
            crowded.len(),
            machines().count(),
            median(&crowded)
        )
    })
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

fn failures_section(judgement: &Judgement) -> Vec<Part> {
    if judgement.failures.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![Part::Heading(2, "could not be measured".to_owned())];
    for failure in &judgement.failures {
        let workers = if failure.count == 1 { "worker" } else { "workers" };
        let kind = failure.kind.name();
        let hint = match failure.kind {
            FailureKind::Missing => " (--allow-missing leaves it out of the exit code)",
            _ => "",
        };
        parts.push(Part::Text(format!(
            "{}: {kind}, {} {workers} of {}{hint}",
            failure.approach,
            failure.count,
            failure.cells.join(", ")
        )));
        parts.push(Part::Verbatim(failure.first.clone()));
    }
    parts
}
