//! One file without anything from elsewhere; each field opens.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::table::{mark, state, summary, title};
use crate::conform::matrix::{Field, Matrix, Page, Row, command_of};

const STYLE: &str = "
body { font: 14px/1.4 sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse } td, th { border: 1px solid #ccc; padding: 2px 6px; vertical-align: top; text-align: left }
summary { cursor: pointer; font-weight: bold } dt { font-weight: bold } dd { margin: 0 0 .3em 1em; overflow-wrap: anywhere; max-width: 40em }
.pass summary { color: #176f2c } .wrong summary, .error summary, .crash summary, .hang summary { color: #b00020 }
.unable summary, .not-held summary { color: #666 } .known summary { color: #8a5a00 }
";

pub(super) fn page(matrix: &Matrix) -> String {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { "EPICS conformance" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "EPICS conformance" }
                p {
                    "Rows are checks, columns are clients. A field opens to what was done, what "
                    "was expected and what came back. "
                    ". pass, W wrong, E error, C crash, H hang, u unable, - not held by this server; in brackets: known."
                }
                @for page in &matrix.pages { (server(matrix, page)) }
            }
        }
    };
    markup.into_string()
}

fn server(matrix: &Matrix, page: &Page) -> Markup {
    html! {
        h2 { (title(page)) }
        ul {
            @for column in &page.columns {
                li {
                    b { (column.approach) } ": " (summary(column))
                    @for (name, version) in &column.versions { " · " (name) " " (version) }
                }
            }
        }
        table {
            tr {
                th { "check" }
                @for column in &page.columns { th { (column.approach) } }
            }
            @for (at, row) in matrix.checks.iter().enumerate() {
                @if page.columns.iter().any(|column| column.fields[at].is_some()) {
                    tr {
                        td { details { summary { (row.id) } (of_row(row)) } }
                        @for column in &page.columns {
                            @match &column.fields[at] {
                                Some(field) => td {
                                    (opened(row, field, &command_of(matrix, row, page, column)))
                                },
                                None => td {},
                            }
                        }
                    }
                }
            }
        }
    }
}

fn of_row(row: &Row) -> Markup {
    html! {
        dl {
            dt { "done" } @for step in &row.steps { dd { code { (step) } } }
            dt { "source" } dd { (row.source) }
        }
    }
}

fn opened(row: &Row, field: &Field, command: &str) -> Markup {
    let is_known = field.outcome.is_failure() && field.known.is_some();
    let class = if is_known { "known" } else { field.outcome.name() };
    html! {
        details class=(class) {
            summary { (mark(Some(field))) }
            dl {
                dt { (state(field)) }
                @if let Some(known) = &field.known { dd { (known) } }
                dt { "done" } @for step in &row.steps { dd { code { (step) } } }
                dt { "expected" } dd { code { (field.expected) } }
                dt { "got" } dd { code { (field.got) } }
                dt { "repeat" } dd { code { (command) } }
            }
        }
    }
}
