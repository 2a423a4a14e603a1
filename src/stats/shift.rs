//! By how much one set of samples lies higher than another.

use super::{Interval, median, normal_quantile};

/// The shift from one set of samples to another, with its interval: the median of all
/// differences between one of each, and the ordered differences that the Mann-Whitney test
/// does not reject (Hodges and Lehmann, Annals of Mathematical Statistics 34, 1963:
/// 598-611), by its normal approximation. None where either set is empty.
///
/// Assumes independent samples of two distributions that differ in their location only.
pub fn shift_interval(from: &[f64], to: &[f64], confidence: f64) -> Option<Interval> {
    let mut differences: Vec<f64> =
        to.iter().flat_map(|to| from.iter().map(move |from| to - from)).collect();
    if differences.is_empty() {
        return None;
    }
    differences.sort_by(f64::total_cmp);
    let (left, right) = (from.len() as f64, to.len() as f64);
    let deviation = (left * right * (left + right + 1.0) / 12.0).sqrt();
    let outside = left * right / 2.0 - normal_quantile(f64::midpoint(1.0, confidence)) * deviation;
    let rank = (outside.floor().max(0.0) as usize).min((differences.len() - 1) / 2);
    Some(Interval {
        median: median(&differences),
        low: differences[rank],
        high: differences[differences.len() - 1 - rank],
        confidence,
        samples: from.len() + to.len(),
    })
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::stats::simulated::normal;

    #[test]
    fn the_shift_is_covered_as_often_as_it_reports() {
        let mut random = StdRng::seed_from_u64(3);
        let mut covered = 0;
        for _ in 0..1_000 {
            let from: Vec<f64> = (0..12).map(|_| normal(&mut random)).collect();
            let to: Vec<f64> = (0..8).map(|_| 2.0 + normal(&mut random)).collect();
            let shift = shift_interval(&from, &to, 0.9).unwrap();
            covered += u32::from(shift.low <= 2.0 && 2.0 <= shift.high);
        }
        assert!((875..=930).contains(&covered), "{covered}");
    }

    #[test]
    fn single_samples_have_a_shift_and_none_has_none() {
        let shift = shift_interval(&[1.0], &[3.0], 0.9).unwrap();
        assert_eq!((shift.low, shift.median, shift.high), (2.0, 2.0, 2.0));
        assert_eq!(shift_interval(&[], &[3.0], 0.9), None);
    }
}
