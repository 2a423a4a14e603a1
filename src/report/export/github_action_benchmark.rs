//! The JSON that github-action-benchmark reads with `tool: customSmallerIsBetter` or
//! `customBiggerIsBetter`: an array of name, unit, value, and optionally range and extra
//! (its README.md, "Custom benchmarks"). It draws one line for each name.

use serde::Serialize;

use super::place;
use crate::judge::history::{RunFigure, RunFigures};
use crate::metric::Better;

#[derive(Serialize)]
struct Entry {
    name: String,
    unit: &'static str,
    value: f64,
    range: String,
    extra: String,
}

/// The figures of which this way is better; none where there is none.
pub(super) fn written(run: &RunFigures, better: Better) -> Option<String> {
    let wanted = run.figures.iter().filter(|figure| figure.metric.row().better == better);
    let entries: Vec<Entry> = wanted.map(entry).collect();
    let text = serde_json::to_string_pretty(&entries).ok().filter(|_| !entries.is_empty())?;
    Some(text + "\n")
}

fn entry(figure: &RunFigure) -> Entry {
    let interval = &figure.figure;
    Entry {
        name: format!("{} {}", place(figure), figure.metric),
        unit: figure.metric.unit().name(),
        value: interval.median,
        range: format!("± {}", (interval.high - interval.low) / 2.0),
        extra: format!(
            "{:.0} % interval {} .. {}, {} blocks",
            100.0 * interval.confidence,
            interval.low,
            interval.high,
            interval.samples
        ),
    }
}
