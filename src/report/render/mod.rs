//! One format a file: a renderer. [`render`] chooses it, and nothing else asks which format
//! it is.

mod annotations;
mod comment;
mod csv;
mod history_csv;
mod html;
mod json;
mod markdown;
mod renderer;
mod schema;
mod terminal;

pub use annotations::annotations;
pub use comment::comment;
pub use csv::{FAILED, render_csv};
pub use history_csv::render_history_csv;
pub use json::REPORT_FORMAT;
pub use schema::Described;
pub use terminal::hanging;

pub(super) use html::picture;

use super::document::Detail;
use super::subject::Subject;
use comment::Comment;
use html::Html;
use json::Json;
use markdown::Markdown;
use renderer::Renderer;
use terminal::Terminal;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The answer for a terminal, with one table.
    Summary,
    /// Tables for a terminal, all of them.
    Table,
    /// Markdown, all of it.
    Markdown,
    /// One HTML page that needs nothing else, with every figure drawn.
    Html,
    /// One JSON object: the run, and all that the judge concludes from it.
    Json,
    /// A comment on a pull request: Markdown of one screen.
    Comment,
}

/// Writes a report.
pub fn render(subject: &Subject<'_>, format: Format) -> String {
    format.renderer().render(subject)
}

impl Format {
    /// Those that have a name for users, in the order of a list.
    pub const NAMED: [Format; 5] =
        [Format::Table, Format::Markdown, Format::Html, Format::Json, Format::Comment];

    fn renderer(self) -> &'static dyn Renderer {
        match self {
            Format::Summary => &Terminal { detail: Detail::Brief },
            Format::Table => &Terminal { detail: Detail::Full },
            Format::Markdown => &Markdown,
            Format::Html => &Html,
            Format::Json => &Json,
            Format::Comment => &Comment,
        }
    }

    /// The name on the command line; a summary has that of a table.
    pub fn name(self) -> &'static str {
        self.renderer().name()
    }

    /// What it is, in a line of a list.
    pub fn description(self) -> &'static str {
        self.renderer().description()
    }

    /// Whether it is a comment, which can have a link.
    pub fn is_comment(self) -> bool {
        self == Format::Comment
    }

    /// The same, with the most important tables only where they are for a terminal.
    #[must_use]
    pub fn summarized(self) -> Format {
        if self == Format::Table { Format::Summary } else { self }
    }
}
