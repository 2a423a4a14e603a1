//! What charts show: names, figures and what a mark says when one points at it. Nothing
//! here knows how a chart is drawn, and nothing knows EPICS.

use crate::units::{duration, grouped, quantity};

/// A chart of one of the kinds that there are.
#[derive(Debug, Clone)]
pub(in crate::report) enum Chart {
    Lines(LineChart),
    Rows(RowChart),
    Bars(BarChart),
    Heat(HeatMap),
}

/// How a quantity is spread along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Spread {
    /// Equal steps for equal differences; zero is always on it.
    Linear,
    /// Equal steps for equal ratios. What is not above zero has no place on it.
    Log,
}

/// How a quantity is drawn: along which kind of axis, under which name, with which words.
#[derive(Debug, Clone, Copy)]
pub(in crate::report) struct Quantity {
    pub(in crate::report) name: &'static str,
    pub(in crate::report) spread: Spread,
    /// A value in a few characters.
    pub(in crate::report) format: fn(f64) -> String,
}

impl Quantity {
    pub(in crate::report) const fn seconds(name: &'static str, spread: Spread) -> Quantity {
        Quantity { name, spread, format: duration }
    }

    /// Bytes, shown in MB so that round counts of bytes are round ticks.
    pub(in crate::report) const fn megabytes(name: &'static str, spread: Spread) -> Quantity {
        Quantity { name, spread, format: |bytes| quantity(bytes / 1e6) }
    }

    pub(in crate::report) const fn count(name: &'static str, spread: Spread) -> Quantity {
        Quantity {
            name,
            spread,
            format: |number| match number {
                whole if (1e3..1e9).contains(&whole) => grouped(whole.round() as usize),
                number => quantity(number),
            },
        }
    }
}

/// What stands for an approach, the same in every drawing of a document: a colour and a
/// shape, by the place in the catalogue; the floor has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Style {
    Floor,
    Approach(usize),
}

/// Lines over a common pair of axes.
#[derive(Debug, Clone)]
pub(in crate::report) struct LineChart {
    pub(in crate::report) x: Quantity,
    pub(in crate::report) y: Quantity,
    pub(in crate::report) lines: Vec<Line>,
    /// Height of the part with the lines, in pixels.
    pub(in crate::report) height: f64,
}

/// One line.
#[derive(Debug, Clone)]
pub(in crate::report) struct Line {
    pub(in crate::report) name: String,
    pub(in crate::report) style: Style,
    /// What was measured.
    pub(in crate::report) points: Vec<Point>,
    /// The single figures that the points stand for: light marks behind them.
    pub(in crate::report) single: Vec<(f64, f64)>,
    /// The line itself: through the points, or what was fitted to them.
    pub(in crate::report) through: Vec<(f64, f64)>,
    /// Dashed: no measurement, but a limit or a yardstick.
    pub(in crate::report) dashed: bool,
    /// Where it crosses another line.
    pub(in crate::report) crossing: Option<CrossingMark>,
}

/// Where a line crosses another.
#[derive(Debug, Clone)]
pub(in crate::report) struct CrossingMark {
    pub(in crate::report) x: f64,
    pub(in crate::report) y: f64,
    /// The interval of the place, along x.
    pub(in crate::report) interval: (f64, f64),
    pub(in crate::report) tip: String,
}

impl Line {
    /// A line from each measured point to the next.
    pub(in crate::report) fn through_points(name: &str, style: Style, points: Vec<Point>) -> Line {
        Line {
            name: name.to_owned(),
            style,
            through: points.iter().map(|point| (point.x, point.y)).collect(),
            points,
            single: Vec::new(),
            dashed: false,
            crossing: None,
        }
    }

    /// A limit or a yardstick, of which nothing was measured.
    pub(in crate::report) fn dashed(name: &str, through: Vec<(f64, f64)>) -> Line {
        Line { through, dashed: true, ..Line::through_points(name, Style::Floor, Vec::new()) }
    }
}

/// One figure with its interval.
#[derive(Debug, Clone)]
pub(in crate::report) struct Point {
    pub(in crate::report) x: f64,
    pub(in crate::report) y: f64,
    pub(in crate::report) interval: Option<(f64, f64)>,
    pub(in crate::report) tip: String,
}

/// Marks along one axis, a row for each name.
#[derive(Debug, Clone)]
pub(in crate::report) struct RowChart {
    pub(in crate::report) x: Quantity,
    pub(in crate::report) rows: Vec<Row>,
}

/// One row.
#[derive(Debug, Clone)]
pub(in crate::report) struct Row {
    pub(in crate::report) name: String,
    pub(in crate::report) style: Style,
    pub(in crate::report) marks: Vec<Mark>,
    /// What is drawn as a bar behind the marks: an interval or a range.
    pub(in crate::report) bar: Option<(f64, f64, String)>,
}

/// One mark.
#[derive(Debug, Clone)]
pub(in crate::report) struct Mark {
    pub(in crate::report) at: f64,
    /// A short upright line instead of a marker: one of many.
    pub(in crate::report) slight: bool,
    /// A marker without its inside: somebody else's figure.
    pub(in crate::report) hollow: bool,
    pub(in crate::report) tip: String,
}

impl Mark {
    /// A marker of a figure of this run.
    pub(in crate::report) fn marker(at: f64, tip: String) -> Mark {
        Mark { at, slight: false, hollow: false, tip }
    }

    /// A marker of somebody else's figure.
    pub(in crate::report) fn hollow(at: f64, tip: String) -> Mark {
        Mark { hollow: true, ..Mark::marker(at, tip) }
    }

    /// A stroke: one of many.
    pub(in crate::report) fn stroke(at: f64, tip: String) -> Mark {
        Mark { slight: true, ..Mark::marker(at, tip) }
    }
}

/// Bars along one axis that begins at zero.
#[derive(Debug, Clone)]
pub(in crate::report) struct BarChart {
    pub(in crate::report) x: Quantity,
    pub(in crate::report) bars: Vec<Bar>,
    /// The kinds of segments that there are, each with its name.
    pub(in crate::report) kinds: Vec<(usize, String)>,
}

/// One bar.
#[derive(Debug, Clone)]
pub(in crate::report) struct Bar {
    pub(in crate::report) name: String,
    pub(in crate::report) segments: Vec<Segment>,
}

/// A part of a bar.
#[derive(Debug, Clone)]
pub(in crate::report) struct Segment {
    /// Segments of a kind look alike.
    pub(in crate::report) kind: usize,
    pub(in crate::report) length: f64,
    pub(in crate::report) tip: String,
}

/// A table of cells whose shade shows how bad a part is; each has it in words too.
#[derive(Debug, Clone)]
pub(in crate::report) struct HeatMap {
    pub(in crate::report) across: &'static str,
    pub(in crate::report) columns: Vec<String>,
    pub(in crate::report) down: &'static str,
    pub(in crate::report) rows: Vec<String>,
    pub(in crate::report) cells: Vec<HeatCell>,
}

/// One cell.
#[derive(Debug, Clone)]
pub(in crate::report) struct HeatCell {
    pub(in crate::report) column: usize,
    pub(in crate::report) row: usize,
    /// 0 is as it should be, 1 as bad as can be; none where nothing is known.
    pub(in crate::report) part: Option<f64>,
    /// Six characters at most.
    pub(in crate::report) words: String,
    pub(in crate::report) tip: String,
}
