//! The results as data: pages of rows and columns.

use serde::Serialize;

use super::check::Check;
use crate::named::named;

named! {
    /// How a check ended.
    pub enum Outcome("outcome") {
        /// The answer is right.
        Pass = "pass",
        /// The answer is not what it must be.
        Wrong = "wrong",
        /// The library reported an error where it must not.
        Error = "error",
        /// The library has no call for it, or is not asked yet; no pass.
        Unable = "unable",
        /// The server cannot have such a record; nobody was asked.
        NotHeld = "not-held",
        /// The worker's process ended.
        Crash = "crash",
        /// Nothing came in time.
        Hang = "hang",
    }
}

impl Outcome {
    /// Whether it is a fault of the library.
    pub fn is_failure(self) -> bool {
        matches!(self, Outcome::Wrong | Outcome::Error | Outcome::Crash | Outcome::Hang)
    }
}

/// What came of one check with one client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Field {
    /// How it ended.
    pub outcome: Outcome,
    /// The right answer in words.
    pub expected: String,
    /// The answer in words.
    pub got: String,
    /// Why it is no news.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
}

impl Field {
    /// Of a server that cannot hold the check, and why.
    pub(super) fn not_held(why: String) -> Field {
        Field { outcome: Outcome::NotHeld, expected: String::new(), got: why, known: None }
    }

    /// A failure that was not known.
    pub fn is_new_failure(&self) -> bool {
        self.outcome.is_failure() && self.known.is_none()
    }

    /// A failure that was known and is none any more.
    pub fn is_fixed(&self) -> bool {
        self.outcome == Outcome::Pass && self.known.is_some()
    }
}

/// One client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Column {
    /// The approach.
    pub approach: String,
    /// Versions of what is below it.
    pub versions: std::collections::BTreeMap<String, String>,
    /// Why it was not asked at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_asked: Option<String>,
    /// One for each check of the page; none where the check is not for its protocol.
    pub fields: Vec<Option<Field>>,
}

/// All clients against one server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// The server.
    pub server: String,
    /// Versions of what is below it.
    pub versions: std::collections::BTreeMap<String, String>,
    /// The clients.
    pub columns: Vec<Column>,
}

/// The results of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Matrix {
    /// The number of this format.
    pub format: u32,
    /// The checks, in the order of rows.
    pub checks: Vec<Row>,
    /// What a command needs beside names to repeat a field: the user's own files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// One for each server.
    pub pages: Vec<Page>,
}

/// A check as a row shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// Its name.
    pub id: String,
    /// Its group.
    pub group: String,
    /// What is done.
    pub steps: Vec<String>,
    /// What decides the right answer.
    pub source: String,
}

impl Matrix {
    /// The number of the format.
    pub const FORMAT: u32 = 2;

    /// Without any page.
    pub fn of(checks: &[Check]) -> Matrix {
        let row = |check: &Check| Row {
            id: check.id.clone(),
            group: check.group.clone(),
            steps: check.steps(),
            source: check.source.clone(),
        };
        Matrix {
            format: Matrix::FORMAT,
            checks: checks.iter().map(row).collect(),
            files: vec![],
            pages: vec![],
        }
    }

    /// Every field with its check, its server and its client.
    pub fn fields(&self) -> impl Iterator<Item = (&Row, &Page, &Column, &Field)> {
        self.pages.iter().flat_map(move |page| {
            page.columns.iter().flat_map(move |column| {
                let fields = self.checks.iter().zip(&column.fields);
                fields.filter_map(move |(row, field)| Some((row, page, column, field.as_ref()?)))
            })
        })
    }

    /// How many fields ended so.
    pub fn count(&self, wanted: impl Fn(&Field) -> bool) -> usize {
        self.fields().filter(|(_, _, _, field)| wanted(field)).count()
    }
}

/// The command that repeats one field.
pub(super) fn command_of(matrix: &Matrix, row: &Row, page: &Page, column: &Column) -> String {
    let (id, approach, server) = (&row.id, &column.approach, &page.server);
    let files: String = matrix.files.iter().map(|word| format!(" {word}")).collect();
    format!("epics-gauge conform --check {id} --approach {approach} --server {server}{files}")
}
