//! Every sentence and table that a user reads; decides nothing.
//!
//! Three layers, each used only by those below it in this list:
//! `words` puts figures, verdicts and configurations into words; `sections` arranges them
//! as a `document`; `render` writes a document, or the data itself, in one format.

mod document;
mod published;
mod render;
mod sections;
mod subject;
mod words;

pub use render::{Described, FAILED, REPORT_FORMAT, annotations, hanging, render_csv};
pub use subject::Subject;

use document::Detail;
use render::{Html, Json, Markdown, Renderer, Terminal};

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
    /// One JSON object: the run, and all that the judge concludes from it.
    Json,
}

impl Format {
    /// Those that have a name for users, in the order of a list.
    pub const NAMED: [Format; 4] = [Format::Table, Format::Markdown, Format::Html, Format::Json];

    /// The name on the command line; a summary is a short table.
    pub fn name(self) -> &'static str {
        match self {
            Format::Summary | Format::Table => "table",
            Format::Markdown => "markdown",
            Format::Html => "html",
            Format::Json => "json",
        }
    }

    /// What it is, in a line of a list.
    pub fn description(self) -> &'static str {
        match self {
            Format::Summary | Format::Table => "Tables for a terminal",
            Format::Markdown => "Markdown",
            Format::Html => "One HTML page with every figure drawn",
            Format::Json => "JSON",
        }
    }

    /// The same, with the most important tables only where they are for a terminal.
    #[must_use]
    pub fn summarized(self) -> Format {
        match self {
            Format::Table => Format::Summary,
            other => other,
        }
    }
}

/// Writes a report.
pub fn render(subject: &Subject<'_>, format: Format) -> String {
    let renderer: &dyn Renderer = match format {
        Format::Summary => &Terminal { detail: Detail::Summary },
        Format::Table => &Terminal { detail: Detail::Full },
        Format::Markdown => &Markdown,
        Format::Html => &Html,
        Format::Json => &Json,
    };
    renderer.render(subject)
}

/// One figure of a report as a picture by itself (SVG), by the id that it has in the page.
///
/// # Errors
/// The ids of all figures of the report, where none of them is `id`.
pub fn picture(subject: &Subject<'_>, id: &str) -> Result<String, Vec<String>> {
    render::picture(subject, id)
}
