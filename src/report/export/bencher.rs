//! Bencher Metric Format: benchmarks with their measures, each a value with its bounds
//! (<https://bencher.dev/docs/reference/bencher-metric-format>, with its JSON Schema).

use std::collections::BTreeMap;

use serde::Serialize;

use super::place;
use crate::judge::history::RunFigures;

#[derive(Serialize)]
struct Metric {
    value: f64,
    lower_value: f64,
    upper_value: f64,
}

/// All figures; none where there is none.
pub(super) fn written(run: &RunFigures) -> Option<String> {
    let mut benchmarks: BTreeMap<String, BTreeMap<String, Metric>> = BTreeMap::new();
    for one in &run.figures {
        // A measure has no unit in this format, so its name says it.
        let measure = format!("{} ({})", one.metric, one.metric.unit().name());
        let interval = &one.figure;
        let metric = Metric {
            value: interval.median,
            lower_value: interval.low,
            upper_value: interval.high,
        };
        benchmarks.entry(place(one)).or_default().insert(measure, metric);
    }
    let text = serde_json::to_string_pretty(&benchmarks).ok().filter(|_| !benchmarks.is_empty())?;
    Some(text + "\n")
}

#[cfg(test)]
mod tests {
    use crate::metric::rows;

    #[test]
    fn the_names_of_measures_are_as_long_as_bencher_takes() {
        for row in rows() {
            let name = format!("{} ({})", row.name, row.unit.name());
            assert!(name.chars().count() <= 64, "{name}");
        }
    }
}
