//! What a format is.

use crate::report::subject::Subject;

/// Writes reports in one format. Formats for people arrange the sections of a
/// [`Document`](crate::report::document::Document); formats for programs write the data.
pub(super) trait Renderer {
    /// The format's name on the command line.
    fn name(&self) -> &'static str;

    /// What the format is, in a line of a list.
    fn description(&self) -> &'static str;

    /// The whole report.
    fn render(&self, subject: &Subject<'_>) -> String;
}
