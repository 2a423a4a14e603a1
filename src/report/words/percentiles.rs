//! Percentiles of times, each with its name.

use crate::stats::Percentiles;
use crate::units::duration;

/// A percentile, with its name.
pub(in crate::report) type Percentile = (&'static str, fn(&Percentiles) -> u64);

/// Those of single gets. A few hundred gets have no 99.9 %.
pub(in crate::report) const SINGLE_GETS: [Percentile; 4] = [
    ("median", |spread| spread.p50_ns),
    ("90 %", |spread| spread.p90_ns),
    ("99 %", |spread| spread.p99_ns),
    ("longest", |spread| spread.max_ns),
];

/// Those of the latency of updates.
pub(in crate::report) const UPDATE_LATENCIES: [Percentile; 5] = [
    ("median", |latency| latency.p50_ns),
    ("90 %", |latency| latency.p90_ns),
    ("99 %", |latency| latency.p99_ns),
    ("99.9 %", |latency| latency.p99_9_ns),
    ("longest", |latency| latency.max_ns),
];

/// Two of them in a sentence.
pub(in crate::report) fn two_percentiles(
    name: &str,
    spread: &Percentiles,
    two: [Percentile; 2],
) -> String {
    let [first, second] = two.map(|(_, of)| duration(of(spread) as f64 / 1e9));
    format!("{name} {first} and {second}")
}
