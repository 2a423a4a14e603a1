//! Figures of a history, in their units.

use crate::judge::history::Point;
use crate::metric::Unit;
use crate::stats::Interval;
use crate::units::{grouped, megabytes, microseconds, percent};

pub(in crate::report) fn amount(unit: Unit, figure: f64) -> String {
    match unit {
        Unit::Seconds | Unit::SecondsPerPv => microseconds(figure),
        Unit::PercentOfACore | Unit::Percent => percent(figure),
        Unit::Bytes | Unit::BytesPerMinute => megabytes(figure),
        Unit::Count => grouped(figure as usize),
        Unit::BytesPerPv => format!("{figure:.0}"),
        Unit::Hertz | Unit::CountPerPv => format!("{figure:.2}"),
    }
}

/// The unit of [`amount`].
pub(in crate::report) fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "µs",
        Unit::SecondsPerPv => "µs/PV",
        Unit::Bytes => "MB",
        Unit::BytesPerMinute => "MB/min",
        Unit::PercentOfACore => "% of a core",
        Unit::Count => "count",
        unit => unit.name(),
    }
}

/// The interval of a figure; nothing where it is exact.
pub(in crate::report) fn point_range(unit: Unit, point: &Point) -> String {
    let Interval { low, high, .. } = point.figure;
    match point.open_above {
        true => "no loss seen".to_owned(),
        false if low == high => String::new(),
        false => format!("{} .. {}", amount(unit, low), amount(unit, high)),
    }
}

pub(in crate::report) fn amount_with_range(unit: Unit, point: &Point) -> String {
    match point_range(unit, point) {
        range if range.is_empty() => amount(unit, point.figure.median),
        range => format!("{} [{range}]", amount(unit, point.figure.median)),
    }
}
