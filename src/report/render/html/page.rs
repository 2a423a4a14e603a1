//! The page: where each section of a document stands in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::figures;
use super::parts::parts;
use super::style;
use crate::report::document::{Detail, Document, Figure, Part, Role, Section};
use crate::report::render::renderer::Renderer;
use crate::report::sections::document;
use crate::report::subject::Subject;

const SCRIPT: &str = include_str!("script.js");

/// One page with every figure drawn.
pub(in crate::report::render) struct Html;

impl Renderer for Html {
    fn name(&self) -> &'static str {
        "html"
    }

    fn description(&self) -> &'static str {
        "One HTML page with every figure drawn"
    }

    fn render(&self, subject: &Subject<'_>) -> String {
        let document = document(subject, Detail::Full);
        let is_note = |section: &&Section| section.role == Role::Notes;
        let content: Vec<&Section> =
            document.sections.iter().filter(|section| !is_note(section)).collect();
        let groups = content.chunk_by(|one, next| anchor(one.role) == anchor(next.role));
        let lead = html! {
            @if let Some(lead) = &document.lead { p class="lead" { (lead) } }
            @for note in document.sections.iter().filter(is_note).flat_map(|section| &section.parts) {
                div class="note" { (parts(std::slice::from_ref(note))) }
            }
        };
        page(&document, &lead, &html! { @for group in groups { (grouped(group)) } })
    }
}

/// The id of the page's section that holds what is of this role; none for what has no
/// section of its own.
fn anchor(role: Role) -> Option<&'static str> {
    match role {
        Role::Answer | Role::Summary => Some("answer"),
        Role::Verdicts | Role::AllVerdicts => Some("verdicts"),
        Role::Figures => Some("figures"),
        Role::Tables => Some("tables"),
        Role::Method | Role::Bias | Role::Judge => Some("method"),
        Role::Notes | Role::Body | Role::NumbersOfFigures => None,
    }
}

/// Sections of one anchor.
fn grouped(sections: &[&Section]) -> Markup {
    let content = html! { @for section in sections { (written(section)) } };
    match sections.first().map(|section| section.role) {
        // They make their section themselves, where there is anything to put in.
        Some(Role::Figures | Role::Tables) => content,
        role => match role.and_then(anchor) {
            Some(id) => html! { section id=(id) { (content) } },
            None => content,
        },
    }
}

fn written(section: &Section) -> Markup {
    match section.role {
        Role::Figures => figures(&section.figures().collect::<Vec<&Figure>>()),
        Role::AllVerdicts => all_verdicts(&section.parts),
        Role::Tables => every_table(&section.parts),
        // The figures have them.
        Role::NumbersOfFigures => html! {},
        _ => parts(&section.parts),
    }
}

fn all_verdicts(all: &[Part]) -> Markup {
    let rows = |part: &Part| match part {
        Part::Table(table) => table.rows().len(),
        _ => 0,
    };
    let count: usize = all.iter().map(rows).sum();
    html! {
        @if count > 0 {
            details {
                summary { "All " (count) " verdicts" }
                (parts(all))
            }
        }
    }
}

fn every_table(tables: &[Part]) -> Markup {
    html! {
        @if !tables.is_empty() {
            section id="tables" {
                h2 { "Every table" }
                details {
                    summary { "The tables of report.md" }
                    div class="tables" { (parts(tables)) }
                }
            }
        }
    }
}

/// The most entries of a navigation that stays in sight: more would cover what is read.
const MOST_IN_SIGHT: usize = 20;

/// Links to the sections of the page, which stay in sight; nothing where there are none.
fn navigation(sections: &[Section]) -> Markup {
    let mut anchors: Vec<&str> = Vec::new();
    let filled = sections.iter().filter(|section| !section.parts.is_empty());
    for anchor in filled.filter_map(|section| anchor(section.role)) {
        if !anchors.contains(&anchor) {
            anchors.push(anchor);
        }
    }
    html! {
        @if anchors.len() > 1 {
            nav.short[anchors.len() <= MOST_IN_SIGHT] {
                @for anchor in anchors { a href={ "#" (anchor) } { (anchor) } " " }
            }
        }
    }
}

fn page(Document { title, sections, .. }: &Document, lead: &Markup, content: &Markup) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // A page opened from a disk asks for this else.
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(style::DRAWING)) (PreEscaped(style::PAGE)) }
            }
            body {
                header { h1 { (title) } (lead) }
                (navigation(sections))
                main { (content) }
                div id="tip" role="status" hidden {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}
