//! Where the level of a series changed, for good as far as its runs go.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Point, less_is_better};
use crate::judge::CONFIDENCE_WANTED;
use crate::judge::figures::interval;
use crate::metric::Metric;
use crate::stats::{ChangePoint, Interval, change_points, shift_interval};

/// A change of the level of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct LevelChange {
    /// The first run after it, by its index: the most likely one.
    pub first_run: usize,
    /// The run with which it became certain, by its index.
    pub found_run: usize,
    /// The runs' figures from the change before, or the first run, on.
    pub before: Interval,
    /// The runs' figures from here to the next change, or the last run.
    pub after: Interval,
    /// A run after it over a run before it; none where a figure is not above 0.
    pub ratio: Option<Interval>,
    /// Whether the user loses by it.
    pub is_worse: bool,
}

/// The changes of a series, in the order of time. Runs without the figure are left out:
/// nothing is known of them.
pub(super) fn changes(metric: Metric, points: &[Point]) -> Vec<LevelChange> {
    let figures: Vec<f64> = points.iter().map(|point| point.figure.median).collect();
    let found = change_points(&figures);
    let starts = [0].into_iter().chain(found.iter().map(|change| change.first));
    let ends = found.iter().map(|change| change.first).chain([figures.len()]).skip(1);
    let change = |((change, start), end): ((&ChangePoint, usize), usize)| {
        let (before, after) = (&figures[start..change.first], &figures[change.first..end]);
        let [old, new] = [before, after].map(|level| interval(level.iter().copied()));
        let (old, new) = (old?, new?);
        Some(LevelChange {
            first_run: points[change.first].run,
            found_run: points[change.found].run,
            before: old,
            after: new,
            ratio: ratio(before, after),
            is_worse: (new.median > old.median) == less_is_better(metric),
        })
    };
    found.iter().zip(starts).zip(ends).filter_map(change).collect()
}

fn ratio(before: &[f64], after: &[f64]) -> Option<Interval> {
    let logarithms = |level: &[f64]| -> Option<Vec<f64>> {
        level.iter().map(|figure| (*figure > 0.0).then(|| figure.ln())).collect()
    };
    let shift = shift_interval(&logarithms(before)?, &logarithms(after)?, CONFIDENCE_WANTED)?;
    let Interval { median, low, high, .. } = shift;
    Some(Interval { median: median.exp(), low: low.exp(), high: high.exp(), ..shift })
}
