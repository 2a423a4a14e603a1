//! The sign test, and Holm's correction for several tests at once.

/// On which side of the null the alternative lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alternative {
    /// The median is greater.
    Greater,
}

/// The probability of at least so many samples above `null` if its median were
/// `null`: exact, from the binomial distribution. Samples equal to it count as below.
pub(super) fn sign_p(samples: &[f64], null: f64, alternative: Alternative) -> f64 {
    let Alternative::Greater = alternative;
    let above = samples.iter().filter(|sample| **sample > null).count();
    let mut probability = 0.5_f64.powi(samples.len() as i32);
    let mut tail = 0.0;
    for below in 0..=samples.len() - above {
        tail += probability;
        probability *= (samples.len() - below) as f64 / (below + 1) as f64;
    }
    tail.min(1.0)
}

/// Holm's adjusted probabilities, in the order given: those at most `a` may be
/// rejected together, with one false rejection at most with probability `a`.
pub(super) fn holm(probabilities: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| probabilities[*a].total_cmp(&probabilities[*b]));
    let mut adjusted = vec![0.0; probabilities.len()];
    let mut most: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        let left = (probabilities.len() - rank) as f64;
        most = most.max((left * probabilities[index]).min(1.0));
        adjusted[index] = most;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_seven_above_have_one_chance_in_128() {
        assert_eq!(sign_p(&[1.0; 7], 0.0, Alternative::Greater), 1.0 / 128.0);
        assert_eq!(sign_p(&[1.0, 1.0, -1.0], 0.0, Alternative::Greater), 0.5);
        assert_eq!(sign_p(&[], 0.0, Alternative::Greater), 1.0);
    }

    #[test]
    fn holm_multiplies_by_what_is_left_and_never_falls() {
        let adjusted = holm(&[0.01, 0.04, 0.03]);
        for (adjusted, wanted) in adjusted.iter().zip([0.03, 0.06, 0.06]) {
            assert!((adjusted - wanted).abs() < 1e-12, "{adjusted} against {wanted}");
        }
    }
}
