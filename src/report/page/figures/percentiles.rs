//! A row that shows how times are spread.

use crate::report::cells::Percentile;
use crate::report::page::chart::{Mark, Row, Style};
use crate::stats::Percentiles;
use crate::units::duration;

/// The marker is the first of `drawn`, strokes are the others, the bar goes from the first
/// to the last. `times` says what was timed, such as `updates`.
pub(super) fn row(
    name: &str,
    style: Style,
    spread: &Percentiles,
    drawn: &[Percentile],
    times: &str,
) -> Row {
    let marks: Vec<Mark> = drawn
        .iter()
        .enumerate()
        .map(|(index, (percentile, of))| Mark {
            at: seconds(of(spread)),
            slight: index > 0,
            hollow: false,
            tip: format!("{name}, {percentile}: {}", duration(seconds(of(spread)))),
        })
        .rev()
        .collect();
    let bar = marks.last().zip(marks.first()).map(|(first, last)| {
        let (low, high) = (duration(first.at), duration(last.at));
        (first.at, last.at, format!("{name}: {low} to {high}, {} {times}", spread.count))
    });
    Row { name: name.to_owned(), style, marks, bar }
}

/// The first of `drawn` and another, in words.
pub(super) fn told(name: &str, spread: &Percentiles, drawn: [Percentile; 2]) -> String {
    let [first, second] = drawn.map(|(_, of)| duration(seconds(of(spread))));
    format!("{name} {first} and {second}")
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
