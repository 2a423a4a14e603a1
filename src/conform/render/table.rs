//! Text and Markdown.

use std::fmt::Write as _;

use crate::conform::matrix::{Column, Field, Matrix, Outcome, Page, command_of};
use crate::units::counted;

/// What did not pass, and a count for each client.
pub(super) fn text(matrix: &Matrix) -> String {
    let mut text = String::new();
    for page in &matrix.pages {
        text += &format!("{}\n", title(page));
        for column in &page.columns {
            text += &format!("  {:<24} {}\n", column.approach, summary(column));
        }
        text.push('\n');
    }
    for (row, page, column, field) in matrix.fields() {
        let is_shown = field.outcome.is_failure() || field.is_fixed();
        if column.not_asked.is_some() || !is_shown {
            continue;
        }
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "{}: {} with {} on {}\n  done:     {}\n  expected: {}\n  got:      {}\n",
            state(field),
            row.id,
            column.approach,
            page.server,
            row.steps.join("; "),
            field.expected,
            field.got,
        );
        if let Some(known) = &field.known {
            let _ = writeln!(text, "  known:    {known}");
        }
        let _ = write!(
            text,
            "  source:   {}\n  repeat:   {}\n\n",
            row.source,
            command_of(matrix, row, page, column)
        );
    }
    text + &total(matrix)
}

/// The last line: what a reader has to know.
fn total(matrix: &Matrix) -> String {
    let answers = matrix.count(|field| field.outcome != Outcome::NotHeld);
    let passed = matrix.count(|field| field.outcome == Outcome::Pass);
    let new = matrix.count(Field::is_new_failure);
    let known = matrix.count(|field| field.outcome.is_failure() && field.known.is_some());
    let fixed = matrix.count(Field::is_fixed);
    let unable = matrix.count(|field| field.outcome == Outcome::Unable);
    let not_held = matrix.count(|field| field.outcome == Outcome::NotHeld);
    format!(
        "{} of {}: {passed} passed, {new} new failures, {known} known failures, {fixed} fixed, \
         {unable} unable, {not_held} not held by their server\n",
        counted(matrix.checks.len(), "check"),
        counted(answers, "answer"),
    )
}

/// One table a server; a mark a field.
pub(super) fn markdown(matrix: &Matrix) -> String {
    let mut text = "# Conformance\n\n".to_owned();
    text += "`.` pass, `W` wrong, `E` error, `C` crash, `H` hang, `u` unable, `-` not held by this server; lower-case letters \
             in brackets are known failures; empty: not for this protocol.\n";
    for page in &matrix.pages {
        let names: Vec<&str> = page.columns.iter().map(|column| &*column.approach).collect();
        let _ = write!(text, "\n## {}\n\n| check | {} |\n|---|", title(page), names.join(" | "));
        text += &"---|".repeat(names.len());
        text.push('\n');
        for (at, row) in matrix.checks.iter().enumerate() {
            let marks: Vec<String> =
                page.columns.iter().map(|column| mark(column.fields[at].as_ref())).collect();
            if marks.iter().any(|mark| !mark.is_empty()) {
                let _ = writeln!(text, "| {} | {} |", row.id, marks.join(" | "));
            }
        }
    }
    text + "\n" + &total(matrix)
}

/// One letter.
pub(super) fn mark(field: Option<&Field>) -> String {
    let Some(field) = field else { return String::new() };
    let letter = match field.outcome {
        Outcome::Pass => ".",
        Outcome::Wrong => "W",
        Outcome::Error => "E",
        Outcome::Unable => "u",
        Outcome::NotHeld => "-",
        Outcome::Crash => "C",
        Outcome::Hang => "H",
    };
    match field.outcome.is_failure() && field.known.is_some() {
        true => format!("({})", letter.to_lowercase()),
        false => letter.to_owned(),
    }
}

/// The outcome, with whether it is news.
pub(super) fn state(field: &Field) -> String {
    match (&field.known, field.outcome.is_failure()) {
        (Some(_), true) => format!("known {}", field.outcome),
        (Some(_), false) => format!("{} (was a known failure)", field.outcome),
        _ => field.outcome.to_string(),
    }
}

pub(super) fn title(page: &Page) -> String {
    let versions: Vec<String> =
        page.versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    match versions.is_empty() {
        false => format!("{} ({})", page.server, versions.join(", ")),
        true => page.server.clone(),
    }
}

/// A client's counts.
pub(super) fn summary(column: &Column) -> String {
    if let Some(reason) = &column.not_asked {
        return format!("unable: {reason}");
    }
    let counts = Outcome::ALL.map(|outcome| {
        let fields = column.fields.iter().flatten();
        (outcome, fields.filter(|field| field.outcome == outcome).count())
    });
    let texts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(outcome, count)| format!("{count} {outcome}"))
        .collect();
    texts.join(", ")
}
