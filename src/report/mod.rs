//! Every sentence and table that a user reads; decides nothing.
//!
//! Three layers, each used only by those below it in this list:
//! `words` puts figures, verdicts and configurations into words; `sections` arranges them
//! as a `document`; `render` writes a document, or the data itself, in one format.

mod document;
mod export;
mod published;
mod render;
mod sections;
mod subject;
mod words;

pub use export::{Export, ExportError};
pub use render::{
    Described, FAILED, Format, REPORT_FORMAT, annotations, comment, hanging, render, render_csv,
    render_history_csv,
};
pub use subject::Subject;

/// One figure of a report as a picture by itself (SVG), by the id that it has in the page.
///
/// # Errors
/// The ids of all figures of the report, where none of them is `id`.
pub fn picture(subject: &Subject<'_>, id: &str) -> Result<String, Vec<String>> {
    render::picture(subject, id)
}
