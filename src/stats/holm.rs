//! Several tests at once.

/// Holm's adjusted p-values, in the order given.
///
/// To call every test significant whose adjusted value is at most alpha keeps
/// the probability of one false alarm or more at alpha, however the tests depend
/// on each other (Holm, Scand. J. Statist. 6, 1979: 65-70). The smallest p counts
/// as many times as there are tests, the next one time less, and so on; none is
/// less than one before it, none more than 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|one, other| p[*one].total_cmp(&p[*other]));
    let mut adjusted = vec![1.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, test) in order.into_iter().enumerate() {
        least = least.max(p[test] * (p.len() - rank) as f64).min(1.0);
        adjusted[test] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    #[test]
    fn values_are_those_of_the_worked_example() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, expected) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - expected).abs() < 1e-12, "{adjusted:?}");
        }
    }

    #[test]
    fn one_test_stays_as_it_is_and_none_is_over_one() {
        assert_eq!(holm(&[0.2]), [0.2]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert!(holm(&[]).is_empty());
    }

    #[test]
    fn false_alarms_of_a_family_are_as_many_as_of_one_test() {
        let mut random = StdRng::seed_from_u64(1);
        let experiments = 10_000;
        let alarms = (0..experiments)
            .filter(|_| {
                let p: Vec<f64> = (0..6).map(|_| random.random()).collect();
                holm(&p).iter().any(|p| *p <= 0.05)
            })
            .count();
        let (low, high) = crate::stats::proportion_interval(alarms, experiments, 0.999);
        assert!(low <= 0.05 && high < 0.06 && high > 0.04, "{alarms} of {experiments}");
    }
}
