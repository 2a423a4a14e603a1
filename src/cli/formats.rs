//! The formats of reports, by the names that the library gives them.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use epics_gauge::report::{Export, Format};

/// What `report` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// A report.
    Report(Format),
    /// The figures themselves, as one table: of records, or of a history.
    Csv,
}

/// `--format` of what measures.
pub(super) fn formats() -> impl TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::NAMED.map(possible)).try_map(|name| named(&name))
}

/// `--format` of `report`.
pub(super) fn formats_and_csv() -> impl TypedValueParser<Value = Written> {
    and_csv("The records: one row per figure of a worker")
}

/// `--format` of `history`.
pub(super) fn formats_of_history() -> impl TypedValueParser<Value = Written> {
    and_csv("One row per figure of a run")
}

fn and_csv(help: &'static str) -> impl TypedValueParser<Value = Written> {
    let csv = PossibleValue::new(CSV).help(help);
    let all = Format::NAMED.map(possible).into_iter().chain([csv]);
    PossibleValuesParser::new(all).try_map(|name| match name.as_str() {
        CSV => Ok(Written::Csv),
        name => named(name).map(Written::Report),
    })
}

/// `--as` of `export`.
pub(super) fn exports() -> impl TypedValueParser<Value = Export> {
    let possible = |export: Export| PossibleValue::new(export.name()).help(export.description());
    PossibleValuesParser::new(Export::ALL.map(possible)).try_map(|name| {
        let found = Export::ALL.into_iter().find(|export| export.name() == name);
        found.ok_or_else(|| format!("there is no format `{name}`"))
    })
}

const CSV: &str = "csv";

fn possible(format: Format) -> PossibleValue {
    PossibleValue::new(format.name()).help(format.description())
}

fn named(name: &str) -> Result<Format, String> {
    let found = Format::NAMED.into_iter().find(|format| format.name() == name);
    found.ok_or_else(|| format!("there is no format `{name}`"))
}
