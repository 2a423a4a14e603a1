//! A chart with all that explains it.

use super::chart::Chart;
use super::table::Table;

/// One figure.
#[derive(Debug, Clone)]
pub(in crate::report) struct Figure {
    /// Unique in its document, and stable: links and pictures name it.
    pub(in crate::report) id: String,
    pub(in crate::report) title: String,
    /// What one sees in it, for those who do not see it too.
    pub(in crate::report) summary: String,
    pub(in crate::report) chart: Chart,
    /// Every number that is drawn.
    pub(in crate::report) table: Table,
    /// The command line that measures it again; none where one of the whole document does.
    pub(in crate::report) command: Option<String>,
}

impl Figure {
    /// What a reader who does not see the drawing is read.
    pub(in crate::report) fn text_alternative(&self) -> String {
        format!("{}. {}", self.title, self.summary)
    }
}

/// A part of a figure's id: letters, digits and dashes.
pub(in crate::report) fn slug(words: &str) -> String {
    let letters: String = words
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let parts: Vec<&str> = letters.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}
