//! A report before it has a format.

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A heading; level 1 is the report's title.
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// A list of short statements.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// Text to be shown as it is, such as a program's output.
    Verbatim(String),
}

/// A table; numbers are set to the right, words to the left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<String>>,
}

/// A column's heading and how its cells are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) number: bool,
    /// Whether it tells what a row is of, and so is repeated where a table does not fit
    /// and goes on below; without any, the first column is.
    pub(super) key: bool,
}

pub(super) const fn words(heading: &'static str) -> Column {
    Column { heading, number: false, key: false }
}

pub(super) const fn number(heading: &'static str) -> Column {
    Column { heading, number: true, key: false }
}

/// A number that tells what a row is of.
pub(super) const fn key(heading: &'static str) -> Column {
    Column { heading, number: true, key: true }
}
