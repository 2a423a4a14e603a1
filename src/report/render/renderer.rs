//! What a format does.

use crate::report::subject::Subject;

/// Writes reports in one format. Formats for people arrange the sections of a
/// [`Document`](crate::report::document::Document); formats for programs write the data.
pub(in crate::report) trait Renderer {
    /// The whole report.
    fn render(&self, subject: &Subject<'_>) -> String;
}
