//! A report as markdown, for a pull request or a wiki.

use super::document::{Part, Table};

pub(super) fn render(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Heading(level, heading) => {
                text += &format!("{} {heading}\n", "#".repeat(usize::from(*level)));
            }
            Part::Text(paragraph) => text += &format!("{paragraph}\n"),
            Part::List(items) => {
                for item in items {
                    text += &format!("* {item}\n");
                }
            }
            Part::Table(table) => text += &rendered_table(table),
            Part::Verbatim(lines) => text += &format!("```\n{}\n```\n", lines.trim_end()),
        }
        text.push('\n');
    }
    text
}

fn rendered_table(table: &Table) -> String {
    let headings: Vec<&str> = table.columns.iter().map(|column| column.heading).collect();
    let rules: Vec<&str> =
        table.columns.iter().map(|column| if column.number { "---:" } else { "---" }).collect();
    let mut text = format!("{}\n{}\n", line(&headings), line(&rules));
    for row in &table.rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        text += &format!("{}\n", line(&cells));
    }
    text
}

fn line<Cell: AsRef<str>>(cells: &[Cell]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}
