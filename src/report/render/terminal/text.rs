//! Parts of a report as text of 80 columns, readable without colour.

use comfy_table::ColumnConstraint::LowerBoundary;
use comfy_table::{CellAlignment, ContentArrangement, Width, presets};

use crate::report::document::{Part, Table};

const WIDTH: u16 = 80;

/// Blanks around a cell.
const PADDING: usize = 2;

/// A part with the empty line below it.
pub(super) fn written(part: &Part) -> String {
    match part {
        Part::Heading(level, words) => heading(*level, words),
        Part::Text(paragraph) => wrapped(paragraph, "") + "\n",
        Part::List(items) => {
            let items: String = items.iter().map(|item| wrapped(item, "* ")).collect();
            items + "\n"
        }
        Part::Table(table) => rendered_table(table) + "\n",
        Part::Verbatim(lines) => {
            let lines: String = lines.trim_end().lines().map(folded).collect();
            lines + "\n"
        }
        Part::Figure(_) => String::new(),
    }
}

pub(super) fn heading(level: u8, words: &str) -> String {
    let lines = wrapped(words, "");
    let longest = lines.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let rule = if level == 1 { "=" } else { "-" }.repeat(longest);
    format!("{lines}{rule}\n\n")
}

/// A table in one piece, or in several below one another that all begin with the
/// columns that name a row, so that no cell is cut.
fn rendered_table(table: &Table) -> String {
    let headings = table.headings();
    let least: Vec<usize> = (0..headings.len()).map(|index| least_width(table, index)).collect();
    let mut keys: Vec<usize> = (0..least.len()).filter(|index| headings[*index].is_key).collect();
    if keys.is_empty() {
        keys.push(0);
    }
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    for index in 0..least.len() {
        let width: usize =
            pieces.last().map_or(0, |piece| piece.iter().map(|other| least[*other]).sum());
        match pieces.last_mut() {
            Some(piece) if width + least[index] <= usize::from(WIDTH) => piece.push(index),
            Some(_) => pieces.push(keys.iter().copied().chain([index]).collect()),
            None => pieces.push(vec![index]),
        }
    }
    let pieces: Vec<String> =
        pieces.iter().map(|piece| rendered_columns(table, piece, &least)).collect();
    pieces.join("\n")
}

/// What a column takes when words are broken at blanks only, and figures not at all.
fn least_width(table: &Table, index: usize) -> usize {
    let heading = &table.headings()[index];
    let longest_word =
        |text: &str| text.split_whitespace().map(|word| word.chars().count()).max().unwrap_or(0);
    let cells = table.rows().iter().filter_map(|row| row.get(index));
    let widest = cells.map(|cell| match heading.is_number {
        true => cell.chars().count(),
        false => longest_word(cell),
    });
    widest.max().unwrap_or(0).max(longest_word(&heading.words)) + PADDING
}

fn rendered_columns(table: &Table, indexes: &[usize], least: &[usize]) -> String {
    let headings = table.headings();
    let mut rendered = comfy_table::Table::new();
    rendered.load_preset(presets::NOTHING);
    rendered.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    rendered.set_header(indexes.iter().map(|index| &*headings[*index].words));
    for row in table.rows() {
        rendered.add_row(indexes.iter().map(|index| row.get(*index).map_or("", String::as_str)));
    }
    for (place, index) in indexes.iter().enumerate() {
        let Some(column) = rendered.column_mut(place) else { continue };
        column.set_constraint(LowerBoundary(Width::Fixed(least[*index] as u16)));
        if headings[*index].is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    rendered.trim_fmt() + "\n"
}

/// A line of a program, as it is where it fits.
fn folded(line: &str) -> String {
    let whole = format!("    {line}");
    if whole.chars().count() <= usize::from(WIDTH) {
        return whole + "\n";
    }
    wrapped(line, "    ")
}

/// A label and its text, which goes on below itself where it is longer than a
/// terminal of 80 columns.
pub fn hanging(label: &str, text: &str) -> String {
    wrapped(text, label)
}

/// Breaks at spaces; a word longer than the line stays whole.
pub(super) fn wrapped(paragraph: &str, bullet: &str) -> String {
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
    use crate::report::document::Columns;

    #[test]
    fn paragraphs_and_bullets_stay_within_eighty_columns() {
        let text = "word ".repeat(60);
        for bullet in ["", "* "] {
            assert!(wrapped(&text, bullet).lines().all(|line| line.len() <= 80));
        }
        assert!(wrapped("a b", "* ").starts_with("* a b"));
    }

    /// An approach and figures, three rows of the same cell.
    fn columns_of(columns: usize, cell: &str) -> Columns<u32> {
        let first = Columns::of(0..3).words("approach", |_| cell.to_owned());
        (1..columns).fold(first, |table, _| table.number("figure", |_| cell.to_owned()))
    }

    #[test]
    fn a_table_of_any_width_fits_and_keeps_every_cell_whole() {
        for columns in 1..40 {
            let text = rendered_table(&columns_of(columns, "1.23e-5").table());
            let widest = text.lines().map(|line| line.chars().count()).max().unwrap();
            assert!(widest <= 80, "{columns} columns: {widest}");
            // Three rows, and the first column again in each further piece.
            let pieces = text.matches("approach").count();
            assert_eq!(text.matches("1.23e-5").count(), 3 * (columns + pieces - 1), "{text}");
        }
    }

    #[test]
    fn words_are_broken_at_blanks_and_figures_never() {
        let note = "some explanation of several words that has no end in sight";
        let columns = columns_of(4, "9 999 999 999").words("note", |_| note.to_owned());
        let text = rendered_table(&columns.table());
        assert_eq!(text.matches("9 999 999 999").count(), 12, "{text}");
        for word in "explanation several sight".split(' ') {
            assert_eq!(text.matches(word).count(), 3, "{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }

    #[test]
    fn headings_and_lines_of_programs_fit_too() {
        let long = "word ".repeat(40);
        let lines = Part::Verbatim(format!("{long}\n  short"));
        let text = heading(2, &long) + &written(&lines);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        assert!(text.contains("      short\n"), "what fits keeps its blanks: {text}");
    }
}
