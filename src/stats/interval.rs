//! The median and an interval that covers it with known probability.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A median with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// The samples' median.
    pub median: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The probability that the interval covers the true median, 0 to 1.
    pub confidence: f64,
    /// How many samples.
    pub samples: usize,
}

impl Interval {
    /// What was counted and is not uncertain, from so many samples.
    pub fn exact(value: f64, samples: usize) -> Interval {
        Interval { median: value, low: value, high: value, confidence: 1.0, samples }
    }
}

/// The median; NaN without samples.
pub fn median(samples: &[f64]) -> f64 {
    let sorted = sorted(samples);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The narrowest pair of order statistics, symmetric in rank, that covers the
/// median of the distribution with probability `wanted` at least; the widest
/// pair there is when there are too few samples for it, with its true
/// confidence. None without samples.
///
/// Assumes independent samples of one continuous distribution, and nothing of
/// its shape: the count of samples under the median is binomial(n, 1/2), so the
/// k-th smallest and k-th largest cover it with probability
/// 1 - 2 P(X < k) (David and Nagaraja, Order Statistics, section 7.1).
pub fn median_interval(samples: &[f64], wanted: f64) -> Option<Interval> {
    let sorted = sorted(samples);
    let count = sorted.len();
    if count == 0 {
        return None;
    }
    let mut outside = 0.0;
    let mut probability = 0.5_f64.powi(count as i32);
    let mut best = (0, 1.0 - 2.0 * probability);
    for rank in 0..count / 2 {
        outside += probability;
        let confidence = 1.0 - 2.0 * outside;
        if confidence < wanted {
            break;
        }
        best = (rank, confidence);
        probability *= (count - rank) as f64 / (rank + 1) as f64;
    }
    let (rank, confidence) = best;
    Some(Interval {
        median: median(samples),
        low: sorted[rank],
        high: sorted[count - 1 - rank],
        confidence: confidence.max(0.0),
        samples: count,
    })
}

fn sorted(samples: &[f64]) -> Vec<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    #[test]
    fn five_samples_are_covered_from_end_to_end_at_93_75_percent() {
        let interval = median_interval(&[5.0, 1.0, 3.0, 2.0, 9.0], 0.9).unwrap();
        assert_eq!((interval.low, interval.median, interval.high), (1.0, 3.0, 9.0));
        assert!((interval.confidence - 0.9375).abs() < 1e-12);
    }

    #[test]
    fn eight_samples_drop_their_extremes_at_90_percent() {
        let samples: Vec<f64> = (1..=8).map(f64::from).collect();
        let interval = median_interval(&samples, 0.9).unwrap();
        assert_eq!((interval.low, interval.high), (2.0, 7.0));
        assert!((interval.confidence - (1.0 - 2.0 * 9.0 / 256.0)).abs() < 1e-12);
    }

    #[test]
    fn fifteen_samples_drop_three_at_each_end() {
        let samples: Vec<f64> = (1..=15).map(f64::from).collect();
        let interval = median_interval(&samples, 0.9).unwrap();
        assert_eq!((interval.low, interval.median, interval.high), (4.0, 8.0, 12.0));
        assert!((interval.confidence - (1.0 - 2.0 * 576.0 / 32768.0)).abs() < 1e-12);
    }

    #[test]
    fn just_the_confidence_wanted_is_enough() {
        let samples: Vec<f64> = (1..=8).map(f64::from).collect();
        let interval = median_interval(&samples, 0.929_687_5).unwrap();
        assert_eq!((interval.low, interval.high), (2.0, 7.0));
    }

    #[test]
    fn four_samples_are_covered_from_end_to_end_and_report_it_is_too_little() {
        let interval = median_interval(&[4.0, 1.0, 3.0, 2.0], 0.9).unwrap();
        assert_eq!((interval.low, interval.high, interval.confidence), (1.0, 4.0, 0.875));
    }

    #[test]
    fn one_sample_covers_nothing_and_none_is_no_interval() {
        assert_eq!(median_interval(&[4.0], 0.9).unwrap().confidence, 0.0);
        assert_eq!(median_interval(&[], 0.9), None);
    }

    #[test]
    fn the_stated_confidence_is_the_coverage_for_a_skewed_distribution() {
        let mut random = StdRng::seed_from_u64(1);
        let true_median = std::f64::consts::LN_2;
        let experiments = 20_000;
        let mut covered = 0;
        let mut confidence = 0.0;
        for _ in 0..experiments {
            let samples: Vec<f64> = (0..9).map(|_| -(1.0 - random.random::<f64>()).ln()).collect();
            let interval = median_interval(&samples, 0.9).unwrap();
            confidence = interval.confidence;
            covered += usize::from(interval.low <= true_median && true_median <= interval.high);
        }
        let coverage = covered as f64 / f64::from(experiments);
        assert!((coverage - confidence).abs() < 0.01, "{coverage} against {confidence}");
    }
}
