//! Percentiles of latencies.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Decimal digits that the percentiles keep.
const DIGITS: u8 = 3;

/// How latencies are spread, in ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Percentiles {
    /// How many latencies, negative ones included.
    pub count: u64,
    /// How many were negative, counted as 0: the two clocks did not agree.
    pub negative: u64,
    /// The shortest; exact.
    pub min_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// Nine of ten are not longer.
    pub p90_ns: u64,
    /// 99 of 100 are not longer.
    pub p99_ns: u64,
    /// 999 of 1000 are not longer.
    pub p99_9_ns: u64,
    /// The longest; exact.
    pub max_ns: u64,
}

/// Percentiles of (latency in ns, count) pairs, in any order, to three digits.
/// None when all counts are 0.
///
/// A percentile is a latency that so many are *not longer* than; with few
/// latencies the high ones are the longest itself.
pub fn percentiles(latencies: &[(i64, u64)]) -> Option<Percentiles> {
    let counted: Vec<(u64, u64)> = latencies
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(latency_ns, count)| (u64::try_from(*latency_ns).unwrap_or(0), *count))
        .collect();
    let min_ns = counted.iter().map(|(latency_ns, _)| *latency_ns).min()?;
    let max_ns = counted.iter().map(|(latency_ns, _)| *latency_ns).max()?;
    // Between 1 ns and the longest (2 is the least that is accepted) there is a
    // place for every value, so recording cannot fail.
    let mut histogram = Histogram::<u64>::new_with_max(max_ns.max(2), DIGITS).ok()?;
    for (latency_ns, count) in &counted {
        histogram.record_n(*latency_ns, *count).ok()?;
    }
    // The histogram answers with the upper end of a value's place.
    let at = |quantile| histogram.value_at_quantile(quantile).clamp(min_ns, max_ns);
    Some(Percentiles {
        count: histogram.len(),
        negative: latencies.iter().filter(|(ns, _)| *ns < 0).map(|(_, count)| count).sum(),
        min_ns,
        p50_ns: at(0.5),
        p90_ns: at(0.9),
        p99_ns: at(0.99),
        p99_9_ns: at(0.999),
        max_ns,
    })
}

/// Times in ns as [`percentiles`] wants them, each counted once.
pub fn counted_once(times_ns: &[u64]) -> Vec<(i64, u64)> {
    times_ns.iter().map(|ns| (i64::try_from(*ns).unwrap_or(i64::MAX), 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_one_to_a_thousand_each_percentile_is_its_own_number() {
        let latencies: Vec<(i64, u64)> = (1..=1000).map(|ns| (ns, 1)).collect();
        let found = percentiles(&latencies).unwrap();
        assert_eq!(
            (found.min_ns, found.p50_ns, found.p90_ns, found.p99_ns, found.p99_9_ns, found.max_ns),
            (1, 500, 900, 990, 999, 1000)
        );
        assert_eq!((found.count, found.negative), (1000, 0));
    }

    #[test]
    fn counts_weigh_and_the_order_does_not_matter() {
        let found = percentiles(&[(5_000_000, 1), (100, 989), (200, 10)]).unwrap();
        assert_eq!((found.count, found.p50_ns, found.p99_ns), (1000, 100, 200));
        assert_eq!((found.p99_9_ns, found.max_ns), (200, 5_000_000));
    }

    #[test]
    fn three_digits_are_kept_over_the_whole_range() {
        for latency_ns in [999, 123_456, 98_765_432, 60_000_000_000, i64::MAX] {
            let found = percentiles(&[(latency_ns, 10), (latency_ns / 2, 90)]).unwrap();
            let (true_p90, p90) = ((latency_ns / 2) as f64, found.p90_ns as f64);
            assert!((p90 / true_p90 - 1.0).abs() <= 1e-3, "{p90} against {true_p90}");
            assert_eq!(found.max_ns, latency_ns as u64);
        }
    }

    #[test]
    fn negative_latencies_count_as_zero_and_are_reported() {
        let found = percentiles(&[(-50, 3), (10, 1)]).unwrap();
        assert_eq!((found.count, found.negative, found.min_ns, found.p50_ns), (4, 3, 0, 0));
        assert_eq!(found.max_ns, 10);
    }

    #[test]
    fn no_latency_at_all_is_not_negative() {
        assert_eq!(percentiles(&[(0, 4)]).unwrap().negative, 0);
    }

    #[test]
    fn times_are_counted_once_and_the_longest_is_cut() {
        assert_eq!(counted_once(&[5, 5, u64::MAX]), [(5, 1), (5, 1), (i64::MAX, 1)]);
    }

    #[test]
    fn one_latency_is_every_percentile_and_none_has_none() {
        let found = percentiles(&[(123_456_789, 1)]).unwrap();
        assert_eq!((found.p50_ns, found.p99_9_ns), (123_456_789, 123_456_789));
        assert_eq!(percentiles(&[(0, 4)]).unwrap().max_ns, 0);
        assert_eq!(percentiles(&[]), None);
        assert_eq!(percentiles(&[(5, 0)]), None);
    }
}
