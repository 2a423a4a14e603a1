//! A report as Markdown, for a pull request or a wiki.

use super::renderer::Renderer;
use crate::report::document::{Detail, Document, Part, Role, Table};
use crate::report::sections::document;
use crate::report::subject::Subject;

/// Everything, in the order of a page.
pub(super) struct Markdown;

impl Renderer for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn description(&self) -> &'static str {
        "Markdown"
    }

    fn render(&self, subject: &Subject<'_>) -> String {
        let Document { title, sections, .. } = document(subject, Detail::Full);
        let mut text = heading(1, &title);
        for section in sections.iter().filter(|section| is_written(section.role)) {
            section.parts.iter().for_each(|part| text += &written(part));
        }
        text
    }
}

fn is_written(role: Role) -> bool {
    !matches!(role, Role::Figures | Role::AllVerdicts)
}

pub(super) fn written(part: &Part) -> String {
    match part {
        Part::Heading(level, words) => heading(*level, words),
        Part::Text(paragraph) => format!("{paragraph}\n\n"),
        Part::List(items) => {
            let items: String = items.iter().map(|item| format!("* {item}\n")).collect();
            items + "\n"
        }
        Part::Table(table) => rendered_table(table) + "\n",
        Part::Verbatim(lines) => format!("```\n{}\n```\n\n", lines.trim_end()),
        Part::Figure(_) => String::new(),
    }
}

pub(super) fn heading(level: u8, words: &str) -> String {
    format!("{} {words}\n\n", "#".repeat(usize::from(level)))
}

fn rendered_table(table: &Table) -> String {
    let headings: Vec<&str> = table.headings().iter().map(|heading| &*heading.words).collect();
    let rule = |is_number: bool| if is_number { "---:" } else { "---" };
    let rules: Vec<&str> = table.headings().iter().map(|heading| rule(heading.is_number)).collect();
    let mut text = format!("{}\n{}\n", line(&headings), line(&rules));
    for row in table.rows() {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text += &format!("{}\n", line(&cells));
    }
    text
}

fn line<Cell: AsRef<str>>(cells: &[Cell]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}
