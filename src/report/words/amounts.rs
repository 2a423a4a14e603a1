//! Figures and intervals.

use crate::judge::CONFIDENCE_WANTED;
use crate::stats::Interval;
use crate::units::{duration, microseconds, signed_microseconds};

/// A figure, or a dash where there is none.
pub(in crate::report) fn or_dash<T>(
    figure: Option<T>,
    written: impl FnOnce(T) -> String,
) -> String {
    figure.map_or("-".to_owned(), written)
}

/// An interval of seconds in µs: `12 .. 14`.
pub(in crate::report) fn range(interval: &Interval) -> String {
    format!("{} .. {}", microseconds(interval.low), microseconds(interval.high))
}

/// A difference in µs with its sign; nothing where there is none.
pub(in crate::report) fn difference(interval: Option<&Interval>) -> String {
    interval.map_or(String::new(), |interval| signed_microseconds(interval.median))
}

/// A duration with its interval, for a tip.
pub(in crate::report) fn interval_in_full(interval: &Interval, unit: &str) -> String {
    format!(
        "{}{unit}, {:.0} % interval {} to {}",
        duration(interval.median),
        100.0 * interval.confidence,
        duration(interval.low),
        duration(interval.high)
    )
}

/// `x 1.20`, with its interval where there are blocks enough for one.
pub(in crate::report) fn factor(ratio: &Interval) -> String {
    let median = format!("x {:.2}", ratio.median);
    match ratio.confidence >= CONFIDENCE_WANTED {
        true => format!("{median} ({:.2} .. {:.2})", ratio.low, ratio.high),
        false => median,
    }
}

/// `+4.0 %`.
pub(in crate::report) fn signed_percent(fraction: f64) -> String {
    format!("{:+.1} %", 100.0 * fraction)
}

/// `4.0 %`.
pub(in crate::report) fn part(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}

/// A part of 1 in percent. What is not all does not read 100.
pub(in crate::report) fn rounded_down(part: f64) -> String {
    let percent = 100.0 * part;
    if percent >= 99.95 && part < 1.0 { ">99.9".to_owned() } else { format!("{percent:.1}") }
}
