//! A report for a terminal of 80 columns, readable without colour.

use comfy_table::{CellAlignment, ContentArrangement, presets};

use super::document::{Part, Table};

const WIDTH: u16 = 80;

pub(super) fn render(parts: &[Part]) -> String {
    let mut text = String::new();
    for part in parts {
        match part {
            Part::Heading(1, heading) => {
                text += &format!("{heading}\n{}\n", "=".repeat(heading.chars().count()));
            }
            Part::Heading(_, heading) => {
                text += &format!("{heading}\n{}\n", "-".repeat(heading.chars().count()));
            }
            Part::Text(paragraph) => text += &wrapped(paragraph, ""),
            Part::List(items) => {
                for item in items {
                    text += &wrapped(item, "* ");
                }
            }
            Part::Table(table) => text += &rendered_table(table),
            Part::Verbatim(lines) => {
                for line in lines.trim_end().lines() {
                    text += &format!("    {line}\n");
                }
            }
        }
        text.push('\n');
    }
    text
}

fn rendered_table(table: &Table) -> String {
    let mut rendered = comfy_table::Table::new();
    rendered.load_preset(presets::NOTHING);
    rendered.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    rendered.set_header(table.columns.iter().map(|column| column.heading));
    for row in &table.rows {
        rendered.add_row(row);
    }
    for (index, column) in table.columns.iter().enumerate() {
        if column.number
            && let Some(rendered) = rendered.column_mut(index)
        {
            rendered.set_cell_alignment(CellAlignment::Right);
        }
    }
    rendered.trim_fmt() + "\n"
}

/// Breaks at spaces; a word longer than the line stays whole.
fn wrapped(paragraph: &str, bullet: &str) -> String {
    let indent = " ".repeat(bullet.len());
    let mut lines = String::new();
    let mut line = bullet.to_owned();
    let mut is_empty = true;
    for word in paragraph.split_whitespace() {
        let length = line.chars().count() + 1 + word.chars().count();
        if !is_empty && length > usize::from(WIDTH) {
            lines += &format!("{line}\n");
            line.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    lines + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_and_bullets_stay_within_eighty_columns() {
        let text = "word ".repeat(60);
        for bullet in ["", "* "] {
            assert!(wrapped(&text, bullet).lines().all(|line| line.len() <= 80));
        }
        assert!(wrapped("a b", "* ").starts_with("* a b"));
    }
}
