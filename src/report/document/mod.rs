//! A report before it has a format: titled parts, whoever writes them.

mod chart;
mod figure;
mod table;

pub(super) use chart::{
    Bar, BarChart, Chart, CrossingMark, HeatCell, HeatMap, Line, LineChart, Mark, Point, Quantity,
    Row, RowChart, Segment, Spread, Style,
};
pub(super) use figure::{Figure, slug};
pub(super) use table::{Columns, Table};

/// A report.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) title: String,
    /// What was measured, where and when: below the title of a page.
    pub(super) lead: Option<String>,
    /// In the order of a page, which is read from its top.
    pub(super) sections: Vec<Section>,
}

/// Parts that stand together.
#[derive(Debug, Clone)]
pub(super) struct Section {
    pub(super) role: Role,
    pub(super) parts: Vec<Part>,
}

/// What a section is for. A renderer decides by it where a section stands, and whether.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// What a reader must know before any figure.
    Notes,
    Answer,
    /// The figures that people ask for first, in one table.
    Summary,
    /// Verdicts that ask for something.
    Verdicts,
    /// Every verdict, in one table.
    AllVerdicts,
    Figures,
    /// Every table, and what could not be measured.
    Tables,
    Method,
    Bias,
    /// How often the judge is wrong.
    Judge,
    /// Part of a report without an order of its own.
    Body,
    /// Tables whose numbers the figures have too.
    NumbersOfFigures,
}

/// How much a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// The answer and the figures that people ask for first: one screen.
    Brief,
    /// Everything.
    Full,
}

/// A part of a report.
#[derive(Debug, Clone)]
pub(super) enum Part {
    /// A heading below the title: level 2 or 3.
    Heading(u8, String),
    /// A paragraph.
    Text(String),
    /// A list of short statements.
    List(Vec<String>),
    /// A table.
    Table(Table),
    /// Text to be shown as it is, such as a program's output.
    Verbatim(String),
    /// A chart with its numbers; formats without drawings leave it out.
    Figure(Box<Figure>),
}

impl Section {
    pub(super) fn new(role: Role, parts: impl IntoIterator<Item = Part>) -> Section {
        Section { role, parts: parts.into_iter().collect() }
    }

    pub(super) fn of_figures(figures: impl IntoIterator<Item = Figure>) -> Section {
        let parts = figures.into_iter().map(|figure| Part::Figure(Box::new(figure)));
        Section::new(Role::Figures, parts)
    }

    pub(super) fn figures(&self) -> impl Iterator<Item = &Figure> {
        self.parts.iter().filter_map(|part| match part {
            Part::Figure(figure) => Some(&**figure),
            _ => None,
        })
    }
}
