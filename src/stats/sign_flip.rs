//! Tests of paired differences: are they on one side of a value?

use super::normal::normal_cdf;
use super::proportion::heads_or_more;

/// Which departure from the null value a test looks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alternative {
    /// The samples lie higher.
    Greater,
    /// The samples lie lower.
    Less,
    /// Either.
    Different,
}

/// Up to so many samples the distribution is counted out. Beyond, p is
/// approximated: a p-value of 0.0001 or more is then at most 10 % too large, and
/// less than 1 % too small.
const EXACT_UP_TO: usize = 60;

/// The p-value of paired differences against the value `null` by flipping signs:
/// if the differences lie symmetrically around it, each is as likely above as
/// below, so all 2^n choices of signs are equally likely, and p is the share of
/// them whose statistic is as extreme as that measured or more. The statistic is
/// the sum of the ranks of those above (Wilcoxon's signed ranks, Biometrics
/// Bulletin 1, 1945: 80-83), which one wild pair cannot dominate.
///
/// Symmetry holds without further assumption when A and B are alike and the order
/// within each pair is drawn: then ln(B/A) and ln(A/B) have the same
/// distribution, whatever that is, and drift does not change it.
///
/// Differences equal to `null` have no sign and are left out; equal sizes share
/// their mean rank. Exact up to 60 samples, then approximated by the normal
/// distribution, corrected for its tails being too long. 1 without samples.
pub fn sign_flip_p(samples: &[f64], null: f64, alternative: Alternative) -> f64 {
    let (above, ranks) = signed_ranks(samples, null);
    let total: usize = ranks.iter().sum();
    let at_least = if ranks.len() <= EXACT_UP_TO { sum_or_more } else { normal_sum_or_more };
    one_or_two_sided(alternative, above, total - above, |sum| at_least(&ranks, sum))
}

/// The p-value of samples against the value `null` by their signs alone: how
/// often a fair coin shows as many heads or more. Exact, and true whatever the
/// distribution's shape, when `null` is its median; so it takes more samples than
/// [`sign_flip_p`] to see the same. Samples equal to `null` are left out.
pub fn sign_p(samples: &[f64], null: f64, alternative: Alternative) -> f64 {
    let above = samples.iter().filter(|sample| **sample > null).count();
    let below = samples.iter().filter(|sample| **sample < null).count();
    let of = above + below;
    one_or_two_sided(alternative, above, below, |heads| heads_or_more(heads, of))
}

/// From the statistic above and below, and how likely so much or more is.
fn one_or_two_sided(
    alternative: Alternative,
    above: usize,
    below: usize,
    at_least: impl Fn(usize) -> f64,
) -> f64 {
    let p = match alternative {
        Alternative::Greater => at_least(above),
        Alternative::Less => at_least(below),
        Alternative::Different => 2.0 * at_least(above.max(below)),
    };
    p.min(1.0)
}

/// The sum of the ranks above `null`, and all ranks; both doubled, so that the
/// mean rank of equal sizes is a whole number too.
fn signed_ranks(samples: &[f64], null: f64) -> (usize, Vec<usize>) {
    let mut differences: Vec<f64> = samples
        .iter()
        .map(|sample| sample - null)
        .filter(|difference| *difference != 0.0)
        .collect();
    differences.sort_by(|one, other| one.abs().total_cmp(&other.abs()));
    let mut above = 0;
    let mut ranks = Vec::with_capacity(differences.len());
    for equal in differences.chunk_by(|one, other| one.abs() == other.abs()) {
        let doubled = 2 * ranks.len() + equal.len() + 1;
        above += doubled * equal.iter().filter(|difference| **difference > 0.0).count();
        ranks.extend(std::iter::repeat_n(doubled, equal.len()));
    }
    (above, ranks)
}

/// The probability that doubled ranks, each taken or left by a fair coin, come to
/// `sum` or more: the number of ways to leave out no more than the rest, counted
/// rank by rank.
fn sum_or_more(ranks: &[usize], sum: usize) -> f64 {
    // Without ties all doubled ranks are even, and half of the sums do not occur.
    let unit = if ranks.iter().all(|rank| rank % 2 == 0) { 2 } else { 1 };
    let rest = (ranks.iter().sum::<usize>() - sum) / unit;
    let mut ways = vec![0.0; rest + 1];
    let mut ways_before = ways.clone();
    ways[0] = 1.0;
    for rank in ranks.iter().map(|rank| rank / unit).filter(|rank| *rank <= rest) {
        ways_before.copy_from_slice(&ways);
        for (ways, before) in ways[rank..].iter_mut().zip(&ways_before) {
            *ways += before;
        }
    }
    ways.iter().sum::<f64>() * 0.5_f64.powi(ranks.len() as i32)
}

/// The same by the normal distribution with the variance of the ranks at hand and
/// a correction of half a step, times the first term of Edgeworth's series for
/// the fourth cumulant (each rank r adds r^2/4 to the variance and -r^4/8 to the
/// cumulant), as an exponential so that it stays a probability far out.
fn normal_sum_or_more(ranks: &[usize], sum: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    let powers = |power| ranks.iter().map(|rank| (*rank as f64).powi(power)).sum::<f64>();
    let variance = powers(2) / 4.0;
    let kurtosis = -powers(4) / 8.0 / (variance * variance);
    // A step of one rank is 2 in doubled ranks, so half a step is 1.
    let z = (sum as f64 - total as f64 / 2.0 - 1.0) / variance.sqrt();
    let tail = normal_cdf(-z);
    let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let shortening = density * kurtosis / 24.0 * (z.powi(3) - 3.0 * z);
    if z > 3.0 { tail * (shortening / tail).exp() } else { tail + shortening }
}

#[cfg(test)]
mod tests {
    use super::Alternative::{Different, Greater, Less};
    use super::*;
    use crate::stats::proportion_interval;
    use crate::stats::simulated::NOISES;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn p_is_the_share_of_sign_choices_that_are_as_extreme() {
        // Ranks 1 to 5; only the smallest is negative: sums 14 and 15 of 32.
        let samples = [-0.1, 0.2, 0.3, 0.4, 0.5];
        near(sign_flip_p(&samples, 0.0, Greater), 2.0 / 32.0);
        near(sign_flip_p(&samples, 0.0, Less), 31.0 / 32.0);
        near(sign_flip_p(&samples, 0.0, Different), 4.0 / 32.0);
        near(sign_p(&samples, 0.0, Greater), 6.0 / 32.0);
        near(sign_p(&samples, 0.0, Different), 12.0 / 32.0);
    }

    #[test]
    fn all_choices_of_signs_counted_out_give_the_same_with_ties() {
        let samples = [0.1, 0.1, -0.1, 0.3, 0.3, -0.2, 0.5, 0.0];
        let sizes: Vec<f64> = samples.iter().map(|s: &f64| s.abs()).filter(|s| *s > 0.0).collect();
        let rank = |size: f64| {
            let below = sizes.iter().filter(|other| **other < size).count() as f64;
            let equal = sizes.iter().filter(|other| **other == size).count() as f64;
            below + (equal + 1.0) / 2.0
        };
        let measured: f64 = samples.iter().filter(|s| **s > 0.0).map(|s| rank(*s)).sum();
        let as_extreme = (0..1_u32 << sizes.len())
            .filter(|signs| {
                let taken = sizes.iter().enumerate().filter(|(bit, _)| signs >> bit & 1 == 1);
                taken.map(|(_, size)| rank(*size)).sum::<f64>() >= measured
            })
            .count();
        near(sign_flip_p(&samples, 0.0, Greater), as_extreme as f64 / 128.0);
    }

    #[test]
    fn twelve_pairs_on_one_side_are_one_in_2048_in_either_direction() {
        let samples: Vec<f64> = (1..=12).map(|at| 1.0 + f64::from(at) / 100.0).collect();
        near(sign_flip_p(&samples, 1.0, Different), 2.0 / 4096.0);
        near(sign_flip_p(&samples, 2.0, Less), 1.0 / 4096.0);
    }

    #[test]
    fn without_samples_or_differences_nothing_is_shown() {
        for alternative in [Greater, Less, Different] {
            assert_eq!(sign_flip_p(&[], 0.0, alternative), 1.0);
            assert_eq!(sign_flip_p(&[3.0, 3.0], 3.0, alternative), 1.0);
            assert_eq!(sign_p(&[], 0.0, alternative), 1.0);
        }
    }

    #[test]
    fn equal_sizes_share_their_mean_rank() {
        // Ranks 1, 2.5, 2.5 and 4, doubled; only -0.2 lies below.
        let ranks = signed_ranks(&[0.3, -0.2, 0.2, 0.1, 0.0], 0.0);
        assert_eq!(ranks, (2 + 5 + 8, vec![2, 5, 5, 8]));
    }

    #[test]
    fn samples_equal_to_the_value_have_no_sign() {
        near(sign_p(&[0.0, 1.0], 0.0, Greater), 0.5);
        near(sign_p(&[0.0, -1.0], 0.0, Less), 0.5);
        near(sign_flip_p(&[0.0, 1.0], 0.0, Greater), 0.5);
    }

    #[test]
    fn sixty_samples_are_counted_out_and_one_more_is_approximated() {
        let p = |count: i32| {
            let samples: Vec<f64> = (1..=count).map(f64::from).collect();
            sign_flip_p(&samples, 0.0, Greater) / 0.5_f64.powi(count)
        };
        near(p(60), 1.0);
        assert!((p(61) - 1.0).abs() > 0.1, "{}", p(61));
    }

    #[test]
    fn many_samples_are_approximated_closely() {
        let ranks: Vec<usize> = (1..=61).map(|rank| 2 * rank).collect();
        let total: usize = ranks.iter().sum();
        for share in [0.55, 0.6, 0.65, 0.7, 0.72, 0.74, 0.76] {
            let sum = (share * total as f64) as usize / 2 * 2;
            let exact = sum_or_more(&ranks, sum);
            let ratio = normal_sum_or_more(&ranks, sum) / exact;
            assert!((0.99..1.1).contains(&ratio), "{exact}: {ratio}");
        }
    }

    #[test]
    fn near_the_middle_the_approximation_is_closer_than_half_a_step() {
        let ranks: Vec<usize> = (1..=61).map(|rank| 2 * rank).collect();
        let total: usize = ranks.iter().sum();
        for sum in [total / 4 * 2, total / 20 * 11 / 2 * 2, total / 5 * 3 / 2 * 2] {
            let ratio = normal_sum_or_more(&ranks, sum) / sum_or_more(&ranks, sum);
            assert!((ratio - 1.0).abs() < 1e-3, "{sum}: {ratio}");
        }
    }

    #[test]
    fn false_alarms_are_as_often_as_the_level_in_every_noise_that_is_symmetric() {
        let mut random = StdRng::seed_from_u64(4);
        let experiments = 10_000;
        for noise in NOISES {
            let alarms = (0..experiments)
                .filter(|_| {
                    let samples = noise.pairs(24, &mut random);
                    sign_flip_p(&samples, 0.0, Different) <= 0.05
                })
                .count();
            let (low, _) = proportion_interval(alarms, experiments, 0.999);
            assert!(low <= 0.05, "{noise:?}: {alarms} of {experiments}");
            assert!(alarms > 400, "{noise:?}: {alarms}");
        }
    }

    #[test]
    fn the_test_of_signs_keeps_its_level_where_differences_are_skewed() {
        let mut random = StdRng::seed_from_u64(5);
        let experiments = 10_000;
        let (mut by_signs, mut by_ranks) = (0, 0);
        for _ in 0..experiments {
            let samples: Vec<f64> = (0..40).map(|_| -(1.0 - random.random::<f64>()).ln()).collect();
            let median = std::f64::consts::LN_2;
            by_signs += usize::from(sign_p(&samples, median, Greater) <= 0.05);
            by_ranks += usize::from(sign_flip_p(&samples, median, Greater) <= 0.05);
        }
        assert!(proportion_interval(by_signs, experiments, 0.999).0 <= 0.05, "{by_signs}");
        assert!(by_ranks > experiments / 10, "ranks assume symmetry: {by_ranks}");
    }
}
