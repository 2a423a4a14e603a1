//! A report as one JSON object.

use schemars::JsonSchema;
use serde::Serialize;

use super::renderer::Renderer;
use crate::judge::compared::ComparisonJudgement;
use crate::judge::history::History;
use crate::judge::{Calibrated, Judgement, Matters, matters};
use crate::record::{Run, RunRecords};
use crate::report::published::{Published, PublishedCpu, SLAC, SLAC_CPU};
use crate::report::subject::Subject;

/// The version of the JSON report, of every kind.
pub const REPORT_FORMAT: u32 = 8;

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
    /// The delay, in seconds, that an application does not accept while it connects.
    budget_s: f64,
    /// From how many PVs on connecting takes that much longer than with the fastest.
    matters: Vec<Matters>,
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
    judgement: &'a ComparisonJudgement,
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

/// One JSON object.
pub(super) struct Json;

impl Renderer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn description(&self) -> &'static str {
        "JSON"
    }

    fn render(&self, subject: &Subject<'_>) -> String {
        match serde_json::to_string_pretty(&report(subject)) {
            Ok(text) => text + "\n",
            Err(error) => unreachable!("a report is always JSON: {error}"),
        }
    }
}

fn report<'a>(subject: &Subject<'a>) -> JsonReport<'a> {
    let format = REPORT_FORMAT;
    match *subject {
        Subject::Run { run, judgement, known, budget_s } => JsonReport::Run(RunReport {
            format,
            run: &run.run,
            complete: is_complete(run),
            judgement,
            budget_s,
            matters: matters(&judgement.figures, budget_s),
            calibrations: known,
            published: &SLAC,
            published_cpu: &SLAC_CPU,
        }),
        Subject::Comparison { run, judgement, known } => JsonReport::Comparison(ComparisonReport {
            format,
            run: &run.run,
            complete: is_complete(run),
            judgement,
            calibrations: known,
        }),
        Subject::Calibration(calibrated) => {
            JsonReport::Calibration(CalibrationReport { format, calibrated })
        }
        Subject::History(history) => JsonReport::History(HistoryReport { format, history }),
    }
}

fn is_complete(run: &RunRecords) -> bool {
    run.end.as_ref().is_some_and(|end| !end.interrupted)
}
