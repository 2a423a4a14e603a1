//! Parts of a report as HTML.

use maud::{Markup, html};

use crate::report::document::{Part, Table};

pub(super) fn parts(parts: &[Part]) -> Markup {
    html! { @for part in parts { (one(part)) } }
}

fn one(part: &Part) -> Markup {
    match part {
        Part::Heading(2, words) => html! { h2 { (capitalized(words)) } },
        Part::Heading(_, words) => html! { h3 { (capitalized(words)) } },
        Part::Text(words) => html! { p { (words) } },
        Part::List(items) => html! { ul { @for item in items { li { (item) } } } },
        Part::Table(rows) => table(rows),
        Part::Verbatim(lines) => html! {
            pre class="scrolls" tabindex="0" { (lines.trim_end()) }
        },
        // Figures stand together: see `figures`.
        Part::Figure(_) => html! {},
    }
}

/// A table that scrolls sideways by itself where it is wider than the page.
pub(super) fn table(table: &Table) -> Markup {
    let headings = table.headings();
    let class = |index: usize| headings[index].is_number.then_some("number");
    html! {
        div class="scrolls" tabindex="0" {
            table {
                thead { tr {
                    @for (index, heading) in headings.iter().enumerate() {
                        th scope="col" class=[class(index)] { (heading.words) }
                    }
                } }
                tbody {
                    @for row in table.rows() {
                        tr {
                            @for (index, cell) in row.iter().enumerate() {
                                td class=[class(index).or_else(|| verdict_class(cell))] { (cell) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Words of verdicts are set off; they say the same without colour.
fn verdict_class(cell: &str) -> Option<&'static str> {
    match cell {
        "OVER" | "failed" | "FAILED" => Some("bad"),
        "undecided" => Some("open"),
        "within" => Some("good"),
        _ => None,
    }
}

/// Headings of reports begin small, for a terminal.
pub(super) fn capitalized(words: &str) -> String {
    let mut letters = words.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
