//! Tables: each column is written with its heading and its cells together.

use std::borrow::Cow;

/// A table as it grows, column by column, over rows of type `Row`.
pub(in crate::report) struct Columns<Row> {
    rows: Vec<Row>,
    table: Table,
}

impl<Row> Columns<Row> {
    /// Of these rows, without a column.
    pub(in crate::report) fn of(rows: impl IntoIterator<Item = Row>) -> Columns<Row> {
        let rows: Vec<Row> = rows.into_iter().collect();
        let table = Table { headings: Vec::new(), rows: vec![Vec::new(); rows.len()] };
        Columns { rows, table }
    }

    /// A column of words, set to the left.
    pub(in crate::report) fn words(
        self,
        heading: impl Into<Cow<'static, str>>,
        cell: impl Fn(&Row) -> String,
    ) -> Columns<Row> {
        self.column(Heading { words: heading.into(), is_number: false, is_key: false }, cell)
    }

    /// A column of numbers, set to the right.
    pub(in crate::report) fn number(
        self,
        heading: impl Into<Cow<'static, str>>,
        cell: impl Fn(&Row) -> String,
    ) -> Columns<Row> {
        self.column(Heading { words: heading.into(), is_number: true, is_key: false }, cell)
    }

    /// A column of numbers that identify a row, and so are repeated where a table does not
    /// fit and goes on below. In a table without any, the first column is repeated.
    pub(in crate::report) fn key(
        self,
        heading: impl Into<Cow<'static, str>>,
        cell: impl Fn(&Row) -> String,
    ) -> Columns<Row> {
        self.column(Heading { words: heading.into(), is_number: true, is_key: true }, cell)
    }

    /// Columns of numbers that differ in their heading and in what they take of a row.
    pub(in crate::report) fn numbers<Of>(
        self,
        headings: impl IntoIterator<Item = (&'static str, Of)>,
        cell: impl Fn(&Row, &Of) -> String,
    ) -> Columns<Row> {
        headings
            .into_iter()
            .fold(self, |columns, (heading, of)| columns.number(heading, |row| cell(row, &of)))
    }

    fn column(mut self, heading: Heading, cell: impl Fn(&Row) -> String) -> Columns<Row> {
        self.table.headings.push(heading);
        for (row, cells) in self.rows.iter().zip(&mut self.table.rows) {
            cells.push(cell(row));
        }
        self
    }

    /// Leaves out columns of numbers that no row has: those whose every cell is a dash.
    pub(in crate::report) fn without_empty(mut self) -> Columns<Row> {
        let is_empty = |index: usize| self.table.rows.iter().all(|cells| cells[index] == "-");
        let is_kept = |index: usize| {
            let heading = &self.table.headings[index];
            !heading.is_number || heading.is_key || !is_empty(index)
        };
        let kept: Vec<bool> = (0..self.table.headings.len()).map(is_kept).collect();
        retain(&mut self.table.headings, &kept);
        self.table.rows.iter_mut().for_each(|cells| retain(cells, &kept));
        self
    }

    /// The table in words.
    pub(in crate::report) fn table(self) -> Table {
        self.table
    }
}

fn retain<T>(items: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    items.retain(|_| *kept.next().unwrap_or(&true));
}

/// A heading and how the cells below it are set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Heading {
    pub(in crate::report) words: Cow<'static, str>,
    pub(in crate::report) is_number: bool,
    pub(in crate::report) is_key: bool,
}

/// A table in words. Each row has as many cells as there are headings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report) struct Table {
    headings: Vec<Heading>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(in crate::report) fn headings(&self) -> &[Heading] {
        &self.headings
    }

    pub(in crate::report) fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// Leaves the first `count` rows.
    pub(in crate::report) fn truncate(&mut self, count: usize) {
        self.rows.truncate(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_column_writes_its_own_cell_of_every_row() {
        let factor = 3;
        let table = Columns::of(1..=2)
            .words("word", |row| format!("row {row}"))
            .number("times", |row| (factor * row).to_string())
            .table();
        let headings: Vec<(&str, bool)> =
            table.headings().iter().map(|heading| (&*heading.words, heading.is_number)).collect();
        assert_eq!(headings, [("word", false), ("times", true)]);
        assert_eq!(table.rows(), [["row 1", "3"], ["row 2", "6"]]);
    }

    #[test]
    fn only_columns_of_numbers_that_no_row_has_are_left_out() {
        let some = |row: &u32| if *row == 1 { "1" } else { "-" }.to_owned();
        let none = |_: &u32| "-".to_owned();
        let table = Columns::of(1..=2)
            .words("word", none)
            .key("key", none)
            .number("none", none)
            .number("some", some)
            .without_empty()
            .table();
        let headings: Vec<&str> = table.headings().iter().map(|heading| &*heading.words).collect();
        assert_eq!(headings, ["word", "key", "some"]);
        assert_eq!(table.rows(), [["-", "-", "1"], ["-", "-", "-"]]);
    }
}
