//! Every sentence and table that a user reads; decides nothing.

mod answer;
mod calibration;
mod capacity;
mod cells;
mod content;
mod contest;
mod csv;
mod document;
mod fleet;
mod history;
mod json;
mod markdown;
mod method;
mod monitors;
mod page;
mod published;
mod scale;
mod schema;
mod side_by_side;
mod single_gets;
mod tables;
mod terminal;
mod verdict_table;

pub use calibration::render_calibrated;
pub use contest::{annotations, render_contest};
pub use csv::{COLUMNS, FAILED, render_csv};
pub use history::render_history;
pub use json::REPORT_FORMAT;
pub use schema::Described;
pub use terminal::hanging;

use crate::judge::{Calibrated, Judgement};
use crate::record::RunRecords;
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

/// One figure of the page of a run as a picture by itself (SVG), by the id that it has in
/// the page.
///
/// # Errors
/// The ids of all figures of the run, where none of them is `id`.
pub fn picture(run: &RunRecords, judgement: &Judgement, id: &str) -> Result<String, Vec<String>> {
    page::picture(run, judgement, id)
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
        Format::Json => json::of_run(run, judgement, known),
    }
}
