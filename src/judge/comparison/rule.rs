//! How it is decided, with what that costs and how often it errs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How it is decided, fixed before anything is measured.
///
/// A screen comes first: if with its pairs the interval of every metric lies
/// wholly within the tolerance, nothing changed, and that is the end. Otherwise
/// the screen is forgotten and fresh pairs decide, since what made the screen
/// look odd must not be counted again as evidence. They are judged at looks that
/// were fixed beforehand, each of which may spend an equal share of `alpha`:
/// whatever the looks' dependence, false alarms stay under their sum (Bonferroni).
/// At each look a metric
///
/// - has not changed when its interval at 95 % lies wholly within the tolerance,
///   and the test by flipping signs rejects, at 2.5 %, both that the difference is
///   as high as the tolerance and that it is as low;
/// - else has regressed or improved when the two-sided p by flipping signs,
///   adjusted for the family of metrics by Holm's method, is at most the share.
///
/// What is decided stays decided; when all is, measuring ends. What is left after
/// the last look is undecided, and nothing is measured anew until it is green.
///
/// False alarms (either direction, one metric or more of a family) are at most
/// `alpha` when A and B are alike, whatever noise and drift, as long as the order
/// within each pair is drawn: see [`crate::stats::sign_flip_p`]. In the worst case,
/// when noise is so large that every look is taken, simulation of 10 000 comparisons
/// in each of six noises (normal, heavy tails, two sorts of drift, bimodal, two levels)
/// gave 56 to 85 false alarms each: 0.68 % in all, Clopper-Pearson upper end 0.75 %.
/// A difference that itself moves along the run, as when one side alone warms up, is
/// no noise to this rule: early looks call what they see.
///
/// Pairs that it takes, screen included, in the median and in 95 of 100, by
/// simulation of normal pairs:
///
/// | scatter of single pairs | alike | 5 % slower | 10 % slower |
/// |---|---|---|---|
/// | 6 %, one metric | 46, 80 | 36, 60 | 24, 29 |
/// | 9 %, one metric | 80, 204 | 60, 108 | 29, 46 |
/// | 11 %, one metric | 148, undecided | 80, 148 | 36, 60 |
/// | 6 %, one of four metrics | 46, 80 | 46, 80 | 29, 36 |
/// | 9 %, one of four metrics | 108, 204 | 80, 148 | 36, 46 |
/// | 11 %, one of four metrics | 148, undecided | 108, 204 | 46, 60 |
///
/// All of these slowdowns were found in 98 of 100 or more. Looks that double (12,
/// 24, 48, ...) spend less per look but wait longer for the next: 60 and 108 pairs
/// instead of 46 and 80 to decide that two are alike at 6 %. To spend less on early
/// looks than on late ones found 5 % no sooner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rule {
    /// Pairs of the screen; 0 for none.
    pub screen: usize,
    /// Counts of fresh pairs at which is judged, rising.
    pub looks: Vec<usize>,
    /// How much slower or faster is no difference, as a fraction: 0.03 for B
    /// between A / 1.03 and A * 1.03.
    pub tolerance: f64,
    /// The probability of a false alarm, in all.
    pub alpha: f64,
}

impl Default for Rule {
    fn default() -> Rule {
        Rule {
            screen: 12,
            looks: vec![12, 17, 24, 34, 48, 68, 96, 136, 192],
            tolerance: 0.03,
            alpha: 0.01,
        }
    }
}

impl Rule {
    /// The alpha that one look may spend.
    pub fn alpha_per_look(&self) -> f64 {
        self.alpha / self.looks.len().max(1) as f64
    }

    /// Whether one of so many metrics can be found worse at all: the least p that a look
    /// at n pairs gives is that of all signs alike, 2 in 2^n, and Holm's method takes it
    /// times the metrics.
    pub fn can_find(&self, metrics: usize) -> bool {
        let least_p = |pairs: usize| 2.0 * 0.5_f64.powi(pairs as i32);
        self.looks.iter().any(|look| metrics as f64 * least_p(*look) <= self.alpha_per_look())
    }

    /// The tolerance as a logarithm of B/A.
    pub(super) fn ln_tolerance(&self) -> f64 {
        self.tolerance.ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_share_the_alpha() {
        let rule = |looks: &[usize]| Rule { looks: looks.to_vec(), alpha: 0.01, ..Rule::default() };
        assert_eq!(rule(&[8, 12]).alpha_per_look(), 0.005);
        assert_eq!(rule(&[]).alpha_per_look(), 0.01);
    }

    #[test]
    fn too_few_pairs_cannot_find_what_is_worse() {
        let rule =
            |looks: &[usize], alpha| Rule { looks: looks.to_vec(), alpha, ..Rule::default() };
        // 2 / 2^8 = 0.8 %.
        assert!(rule(&[8], 0.01).can_find(1));
        assert!(!rule(&[8], 0.01).can_find(2));
        assert!(!rule(&[8], 0.01 / 6.0).can_find(1));
        assert!(rule(&[12], 0.01 / 6.0).can_find(1));
        assert!(Rule::default().can_find(100));
    }
}
