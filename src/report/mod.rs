//! Every sentence and table that a user reads; decides nothing.

mod answer;
mod calibration;
mod capacity;
mod cells;
mod content;
mod contest;
mod document;
mod fleet;
mod markdown;
mod method;
mod monitors;
mod page;
mod published;
mod scale;
mod side_by_side;
mod tables;
mod terminal;
mod verdict_table;

pub use calibration::render_calibrated;
pub use contest::{annotations, render_contest};

use serde::Serialize;

use crate::judge::{Calibrated, Judgement};
use crate::record::{Run, RunRecords};
use content::Detail;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Tables for a terminal, the most important ones.
    Summary,
    /// Tables for a terminal, all of them.
    Table,
    /// Markdown, all of it.
    Markdown,
    /// One HTML page that needs nothing else, with every figure drawn.
    Html,
    /// One JSON object: the run, and all that the judge says of it.
    Json,
}

/// Writes a report, without what is known of the judge.
pub fn render(run: &RunRecords, judgement: &Judgement, format: Format) -> String {
    render_with(run, judgement, &[], format)
}

/// Writes a report; `known` is how often the judge is wrong on the machine of the run.
pub fn render_with(
    run: &RunRecords,
    judgement: &Judgement,
    known: &[Calibrated],
    format: Format,
) -> String {
    let known_of = |detail| calibration::of_report(known, detail);
    let screen = |detail| {
        let mut parts = content::report(run, judgement, detail);
        parts.extend(known_of(detail));
        terminal::render(&parts)
    };
    match format {
        Format::Summary => screen(Detail::Summary),
        Format::Table => screen(Detail::Full),
        Format::Markdown => {
            let mut parts = content::page(run, judgement);
            parts.extend(known_of(Detail::Full));
            markdown::render(&parts)
        }
        Format::Html => page::of_run(run, judgement, known),
        Format::Json => json(run, judgement, known),
    }
}

/// The version of the JSON report.
pub const REPORT_FORMAT: u32 = 3;

#[derive(Serialize)]
struct JsonReport<'a> {
    format: u32,
    run: &'a Run,
    complete: bool,
    judgement: &'a Judgement,
    calibrations: &'a [Calibrated],
    published: &'a [published::Published],
    published_cpu: &'a [published::PublishedCpu],
}

fn json(run: &RunRecords, judgement: &Judgement, known: &[Calibrated]) -> String {
    let report = JsonReport {
        format: REPORT_FORMAT,
        run: &run.run,
        complete: run.end.as_ref().is_some_and(|end| !end.interrupted),
        judgement,
        calibrations: known,
        published: &published::SLAC,
        published_cpu: &published::SLAC_CPU,
    };
    match serde_json::to_string_pretty(&report) {
        Ok(text) => text + "\n",
        Err(error) => unreachable!("a report is always JSON: {error}"),
    }
}
