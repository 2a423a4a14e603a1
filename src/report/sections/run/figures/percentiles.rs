//! A row that shows how times are spread.

use crate::report::document::{Mark, Row, Style};
use crate::report::words::Percentile;
use crate::stats::Percentiles;
use crate::units::duration;

/// The marker is the first of `drawn`, strokes are the others, the bar goes from the first
/// to the last. `times` is what was timed, such as `updates`.
pub(super) fn row(
    name: &str,
    style: Style,
    spread: &Percentiles,
    drawn: &[Percentile],
    times: &str,
) -> Row {
    let mark = |(index, (percentile, of)): (usize, &Percentile)| {
        let at = of(spread) as f64 / 1e9;
        let tip = format!("{name}, {percentile}: {}", duration(at));
        if index == 0 { Mark::marker(at, tip) } else { Mark::stroke(at, tip) }
    };
    let marks: Vec<Mark> = drawn.iter().enumerate().map(mark).rev().collect();
    let bar = marks.last().zip(marks.first()).map(|(first, last)| {
        let (low, high) = (duration(first.at), duration(last.at));
        (first.at, last.at, format!("{name}: {low} to {high}, {} {times}", spread.count))
    });
    Row { name: name.to_owned(), style, marks, bar }
}
