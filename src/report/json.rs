//! A report as one JSON object.

use schemars::JsonSchema;
use serde::Serialize;

use super::published::{Published, PublishedCpu, SLAC, SLAC_CPU};
use crate::judge::contest::ContestJudgement;
use crate::judge::history::History;
use crate::judge::{Calibrated, Judgement};
use crate::record::{Run, RunRecords};

/// The version of the JSON report, of every kind.
pub const REPORT_FORMAT: u32 = 5;

/// A report of epics-gauge.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "report", rename_all = "kebab-case")]
pub(super) enum JsonReport<'a> {
    /// Of a run: figures, verdicts and advice.
    Run(RunReport<'a>),
    /// Of a comparison of two.
    Comparison(ComparisonReport<'a>),
    /// Of how often the judge is wrong.
    Calibration(CalibrationReport<'a>),
    /// Of several runs, in the order of time.
    History(HistoryReport<'a>),
}

/// The run, and all that the judge says of it.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RunReport<'a> {
    /// The version of this format.
    format: u32,
    /// What was run, and where.
    run: &'a Run,
    /// Whether the run came to its end.
    complete: bool,
    /// All that the judge says.
    judgement: &'a Judgement,
    /// How often the judge is wrong on this machine, by approach.
    calibrations: &'a [Calibrated],
    /// The published figures that reports show beside those of the run.
    published: &'a [Published],
    /// The same of CPU use.
    published_cpu: &'a [PublishedCpu],
}

/// The comparison, and all that the judge says of it.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ComparisonReport<'a> {
    /// The version of this format.
    format: u32,
    /// What was run, and where.
    run: &'a Run,
    /// Whether the run came to its end.
    complete: bool,
    /// All that the judge says.
    judgement: &'a ContestJudgement,
    /// How often the judge is wrong on this machine, by approach.
    calibrations: &'a [Calibrated],
}

/// How often the judge is wrong on one machine.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CalibrationReport<'a> {
    /// The version of this format.
    format: u32,
    /// What is known of the judge.
    calibrated: &'a Calibrated,
}

/// Figures of several runs, machines apart.
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HistoryReport<'a> {
    /// The version of this format.
    format: u32,
    /// What became of each figure.
    history: &'a History,
}

pub(super) fn of_run(run: &RunRecords, judgement: &Judgement, known: &[Calibrated]) -> String {
    written(&JsonReport::Run(RunReport {
        format: REPORT_FORMAT,
        run: &run.run,
        complete: is_complete(run),
        judgement,
        calibrations: known,
        published: &SLAC,
        published_cpu: &SLAC_CPU,
    }))
}

pub(super) fn of_contest(
    run: &RunRecords,
    judgement: &ContestJudgement,
    known: &[Calibrated],
) -> String {
    written(&JsonReport::Comparison(ComparisonReport {
        format: REPORT_FORMAT,
        run: &run.run,
        complete: is_complete(run),
        judgement,
        calibrations: known,
    }))
}

pub(super) fn of_calibrated(calibrated: &Calibrated) -> String {
    written(&JsonReport::Calibration(CalibrationReport { format: REPORT_FORMAT, calibrated }))
}

pub(super) fn of_history(history: &History) -> String {
    written(&JsonReport::History(HistoryReport { format: REPORT_FORMAT, history }))
}

fn is_complete(run: &RunRecords) -> bool {
    run.end.as_ref().is_some_and(|end| !end.interrupted)
}

fn written(report: &JsonReport<'_>) -> String {
    match serde_json::to_string_pretty(report) {
        Ok(text) => text + "\n",
        Err(error) => unreachable!("a report is always JSON: {error}"),
    }
}
