//! JUnit XML: a suite for each client and server, a case for each check.

use std::fmt::Write as _;

use crate::conform::matrix::{Column, Field, Matrix, Outcome, Page, Row, command_of};

pub(super) fn suites(matrix: &Matrix) -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    for page in &matrix.pages {
        for column in &page.columns {
            suite(&mut xml, matrix, page, column);
        }
    }
    xml + "</testsuites>\n"
}

fn suite(xml: &mut String, matrix: &Matrix, page: &Page, column: &Column) {
    let cases: Vec<(&Row, &Field)> = (matrix.checks.iter().zip(&column.fields))
        .filter_map(|(row, field)| Some((row, field.as_ref()?)))
        .collect();
    let count = |wanted: fn(&Field) -> bool| cases.iter().filter(|(_, one)| wanted(one)).count();
    let name = escaped(&format!("{} on {}", column.approach, page.server));
    // Writing to a text cannot fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" skipped=\"{}\">",
        cases.len(),
        count(Field::is_new_failure),
        count(is_skipped),
    );
    for (row, field) in cases {
        let (class, id) = (escaped(&row.group), escaped(&row.id));
        let _ = write!(xml, "    <testcase classname=\"{class}\" name=\"{id}\"");
        let command = command_of(matrix, row, page, column);
        let details = escaped(&format!(
            "done: {}\nexpected: {}\ngot: {}\nsource: {}\nrepeat: {command}",
            row.steps.join("; "),
            field.expected,
            field.got,
            row.source,
        ));
        if field.is_new_failure() {
            let outcome = field.outcome;
            let _ = writeln!(xml, "><failure message=\"{outcome}\">{details}</failure></testcase>");
        } else if is_skipped(field) {
            let why = escaped(field.known.as_deref().unwrap_or(&field.got));
            let _ = writeln!(xml, "><skipped message=\"{why}\"/></testcase>");
        } else {
            xml.push_str("/>\n");
        }
    }
    xml.push_str("  </testsuite>\n");
}

/// Neither a pass nor news.
fn is_skipped(field: &Field) -> bool {
    matches!(field.outcome, Outcome::Unable | Outcome::NotHeld)
        || field.outcome.is_failure() && field.known.is_some()
}

/// A text for XML, which has no word for most control characters.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' => escaped += "&#10;",
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}
