//! Figures of a history, in their units.

use crate::judge::history::Point;
use crate::judge::worker_figures::FigureUnit;
use crate::stats::Interval;
use crate::units::{grouped, mebibytes, percent, scientific};

pub(in crate::report) fn amount(unit: FigureUnit, figure: f64) -> String {
    match unit {
        FigureUnit::Seconds | FigureUnit::SecondsPerPv => scientific(figure),
        FigureUnit::PercentOfACore => percent(figure),
        FigureUnit::Bytes => mebibytes(figure),
        FigureUnit::Count => grouped(figure as usize),
        FigureUnit::BytesPerPv => format!("{figure:.0}"),
        FigureUnit::Hertz | FigureUnit::CountPerPv => format!("{figure:.2}"),
    }
}

/// The unit of [`amount`].
pub(in crate::report) fn unit_name(unit: FigureUnit) -> &'static str {
    match unit {
        FigureUnit::Bytes => "MiB",
        FigureUnit::PercentOfACore => "% of a core",
        FigureUnit::Count => "count",
        unit => unit.name(),
    }
}

/// The interval of a figure; nothing where it is exact.
pub(in crate::report) fn point_range(unit: FigureUnit, point: &Point) -> String {
    let Interval { low, high, .. } = point.figure;
    match point.open_above {
        true => "no loss seen".to_owned(),
        false if low == high => String::new(),
        false => format!("{} .. {}", amount(unit, low), amount(unit, high)),
    }
}

pub(in crate::report) fn amount_with_range(unit: FigureUnit, point: &Point) -> String {
    match point_range(unit, point) {
        range if range.is_empty() => amount(unit, point.figure.median),
        range => format!("{} [{range}]", amount(unit, point.figure.median)),
    }
}
