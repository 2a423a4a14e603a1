//! Whether B differs from A: the rule that decides, on pairs measured alternately.

mod decide;
mod rule;
#[cfg(test)]
mod simulated;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::Metric;
use crate::named::named;
use crate::stats::{Interval, normal_quantile, pseudo_median};

pub(super) use decide::{Decision, decide};
pub use rule::Rule;

/// The pairs of one metric, ln(B/A) of each, in order of time. All metrics of a
/// family come from the same pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pairs {
    /// The metric; larger is worse.
    pub metric: Metric,
    /// Pairs of the screen.
    pub screened: Vec<f64>,
    /// Pairs measured after the screen.
    pub fresh: Vec<f64>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Measure pairs.
    Measure {
        /// How many more.
        more: usize,
        /// Whether they are fresh, or belong to the screen.
        fresh: bool,
    },
    /// All is decided, or no look is left.
    Done,
}

named! {
    /// What became of a metric, from best to worst.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum Change {
        /// B is within the tolerance of A.
        NoDifference = "no difference",
        /// B is less than A.
        Improved = "improved",
        /// The pairs do not decide it.
        Undecided = "undecided",
        /// B is more than A.
        Regressed = "regressed",
    }
}

/// What the pairs show of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricChange {
    /// The metric.
    pub metric: Metric,
    /// The pairs that the figures rest on: those of the screen, or the fresh ones
    /// up to the look that decided.
    pub pairs: usize,
    /// B/A - 1 as a fraction, 0.05 for 5 % more; None without pairs. When a
    /// difference was found early the figure errs on the far side, since early
    /// looks find what happens to look large.
    pub ratio: Option<Interval>,
    /// The two-sided p at the look that decided, or at the last one, adjusted for
    /// the family; None before the first look.
    pub p: Option<f64>,
    /// What was decided.
    pub outcome: Change,
    /// Of what is undecided, about how many more fresh pairs would decide it, if
    /// the estimate is right: the interval's width shrinks with the square root of
    /// the pairs. None if it is decided, without pairs, or if there is no estimate.
    pub more_pairs: Option<usize>,
}

/// What the pairs show of all metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Each metric, in the order given.
    pub metrics: Vec<MetricChange>,
    /// The worst of them; undecided without metrics.
    pub outcome: Change,
}

/// What to measure next, from all pairs so far. Call it again after that many more pairs.
pub fn next_step(family: &[Pairs], rule: &Rule) -> Step {
    if family.is_empty() {
        return Step::Done;
    }
    let screened = least(family, |pairs| pairs.screened.len());
    if screened < rule.screen {
        return Step::Measure { more: rule.screen - screened, fresh: false };
    }
    if decide(family, rule).iter().all(|decision| decision.settled.is_some()) {
        return Step::Done;
    }
    let fresh = least(family, |pairs| pairs.fresh.len());
    match rule.looks.iter().find(|look| **look > fresh) {
        Some(look) => Step::Measure { more: look - fresh, fresh: true },
        None => Step::Done,
    }
}

/// What all pairs so far show. Before [`next_step`] is done, an open metric is undecided.
pub fn compare(family: &[Pairs], rule: &Rule) -> Comparison {
    let decisions = decide(family, rule);
    let metrics: Vec<MetricChange> = family
        .iter()
        .zip(&decisions)
        .map(|(pairs, decision)| metric_change(pairs, decision, family.len(), rule))
        .collect();
    let worst = metrics.iter().map(|metric| metric.outcome).max();
    Comparison { metrics, outcome: worst.unwrap_or(Change::Undecided) }
}

fn metric_change(pairs: &Pairs, decision: &Decision, family: usize, rule: &Rule) -> MetricChange {
    let used = decision.used(pairs);
    let location = decide::interval(used);
    let outcome = decision.change();
    let more_pairs = match location {
        Some(location) if outcome == Change::Undecided => more_pairs(&location, family, rule),
        _ => None,
    };
    MetricChange {
        metric: pairs.metric,
        pairs: used.len(),
        ratio: location.map(as_fraction),
        p: decision.p,
        outcome,
        more_pairs,
    }
}

/// From ln(B/A) to B/A - 1.
pub(super) fn as_fraction(location: Interval) -> Interval {
    Interval {
        median: location.median.exp_m1(),
        low: location.low.exp_m1(),
        high: location.high.exp_m1(),
        ..location
    }
}

/// If the location is where it seems, either the interval shrinks until it lies
/// within the tolerance, or until the location is so many of its widths from 0 as
/// the share of alpha of one look and one metric asks for; whichever is sooner.
fn more_pairs(location: &Interval, family: usize, rule: &Rule) -> Option<usize> {
    let half_width = (location.high - location.low) / 2.0;
    let distance = location.median.abs();
    let level = rule.alpha_per_look() / family as f64;
    let wanted = normal_quantile(1.0 - level / 2.0) / normal_quantile(0.975);
    let for_difference = half_width * wanted / distance;
    let room = rule.ln_tolerance() - distance;
    let for_none = if room > 0.0 { half_width / room } else { f64::INFINITY };
    let times_as_wide = for_difference.min(for_none);
    let pairs = location.samples as f64 * times_as_wide * times_as_wide;
    let too_few_to_tell = location.samples < 6 || half_width <= 0.0;
    (pairs < 1e6 && !too_few_to_tell)
        .then(|| (pairs.ceil() as usize).saturating_sub(location.samples).max(1))
}

fn least(family: &[Pairs], count: impl Fn(&Pairs) -> usize) -> usize {
    family.iter().map(count).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many pairs that scatter evenly by `scatter` around `ln_ratio`, the first
    /// few as evenly as all.
    fn even(count: usize, ln_ratio: f64, scatter: f64) -> Vec<f64> {
        let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
        let place = |at: usize| (0.5 + at as f64 * golden).fract();
        (0..count).map(|at| ln_ratio + scatter * (2.0 * place(at) - 1.0)).collect()
    }

    fn pairs(name: &str, screened: Vec<f64>, fresh: Vec<f64>) -> Pairs {
        Pairs { metric: format!("{name} bulk").parse().unwrap(), screened, fresh }
    }

    fn only(family: &[Pairs]) -> MetricChange {
        compare(family, &Rule::default()).metrics.remove(0)
    }

    #[test]
    fn a_logarithm_of_b_over_a_is_reported_as_a_fraction_of_a() {
        let ln = |ratio: f64| ratio.ln();
        let location =
            Interval { median: ln(2.0), low: ln(1.5), high: ln(4.0), confidence: 0.95, samples: 8 };
        let interval = as_fraction(location);
        for (found, expected) in [(interval.median, 1.0), (interval.low, 0.5), (interval.high, 3.0)]
        {
            assert!((found - expected).abs() < 1e-12, "{interval:?}");
        }
        assert_eq!((interval.confidence, interval.samples), (0.95, 8));
    }

    #[test]
    fn how_many_more_pairs_it_takes_goes_with_the_square_of_the_interval() {
        // One look at 5 %, so that the interval of 95 % is as wide as it asks for.
        let rule =
            Rule { looks: vec![8], alpha: 0.05, tolerance: 0.01_f64.exp_m1(), ..Rule::default() };
        let more = |median: f64, half_width: f64, samples| {
            let (low, high) = (median - half_width, median + half_width);
            more_pairs(&Interval { median, low, high, confidence: 0.95, samples }, 1, &rule)
        };
        assert_eq!(more(0.0, 0.02, 12), Some(36), "to half the width, within the tolerance");
        assert_eq!(more(0.1, 0.2, 12), Some(36), "to half the width, away from 0");
        assert_eq!(more(-0.1, 0.2, 12), Some(36), "on the other side");
        assert_eq!(more(0.2, 0.1, 12), Some(1), "clear already");
        assert_eq!(more(0.1, 0.2, 6), Some(18), "just enough to decide");
        assert_eq!(more(0.1, 0.2, 5), None, "too few to decide");
        assert_eq!(more(0.1, 0.0, 12), None, "all alike");
        assert_eq!(more(0.02, 10.0, 12), None, "more than anybody measures");
    }

    #[test]
    fn the_screen_comes_first_and_its_missing_pairs_are_asked_for() {
        let rule = Rule::default();
        assert_eq!(
            next_step(&[pairs("get", vec![0.0; 5], vec![])], &rule),
            Step::Measure { more: 7, fresh: false }
        );
        assert_eq!(next_step(&[], &rule), Step::Done);
    }

    #[test]
    fn a_quiet_screen_is_the_end() {
        let family = [pairs("get", even(12, 0.002, 0.02), vec![])];
        assert_eq!(next_step(&family, &Rule::default()), Step::Done);
        let change = only(&family);
        assert_eq!((change.outcome, change.pairs, change.p), (Change::NoDifference, 12, None));
        let ratio = change.ratio.unwrap();
        assert!((ratio.median - 0.002).abs() < 0.004 && ratio.high < 0.03, "{ratio:?}");
    }

    #[test]
    fn one_loud_metric_takes_the_whole_family_to_fresh_pairs() {
        let family =
            [pairs("get", even(12, 0.0, 0.02), vec![]), pairs("put", even(12, 0.0, 0.2), vec![])];
        let rule = Rule::default();
        assert_eq!(next_step(&family, &rule), Step::Measure { more: 12, fresh: true });
        assert_eq!(compare(&family, &rule).outcome, Change::Undecided);
    }

    #[test]
    fn a_slowdown_of_the_screen_alone_is_no_evidence() {
        let family = [pairs("get", even(12, 0.2, 0.05), even(12, 0.0, 0.02))];
        assert_eq!(only(&family).outcome, Change::NoDifference);
        let family = [pairs("get", even(12, 0.2, 0.05), vec![])];
        assert_eq!(only(&family).outcome, Change::Undecided);
    }

    #[test]
    fn fresh_pairs_on_one_side_are_a_change_in_their_direction() {
        for (ln_ratio, outcome) in [(0.1, Change::Regressed), (-0.1, Change::Improved)] {
            let family = [pairs("get", even(12, ln_ratio, 0.06), even(12, ln_ratio, 0.06))];
            let change = only(&family);
            assert_eq!((change.outcome, change.more_pairs), (outcome, None));
            assert!((change.p.unwrap() - 2.0 / 4096.0).abs() < 1e-9);
            assert_eq!(next_step(&family, &Rule::default()), Step::Done);
        }
    }

    #[test]
    fn a_difference_that_is_sure_but_within_the_tolerance_is_none() {
        let family = [pairs("get", even(12, 0.05, 0.06), even(12, 0.01, 0.005))];
        let change = only(&family);
        assert_eq!(change.outcome, Change::NoDifference);
        assert!(change.p.unwrap() < 0.001);
    }

    #[test]
    fn what_is_decided_at_one_look_stays_so_and_later_pairs_do_not_count() {
        let mut fresh = even(12, 0.1, 0.06);
        fresh.extend(even(180, -0.1, 0.06));
        let slow = pairs("get", even(12, 0.1, 0.06), fresh);
        // A metric that stays undecided keeps the looks going.
        let loud = pairs("put", even(12, 0.0, 0.6), even(192, 0.0, 0.6));
        let change = only(&[slow, loud]);
        assert_eq!((change.outcome, change.pairs), (Change::Regressed, 12));
    }

    #[test]
    fn many_metrics_need_more_evidence_of_each() {
        let slow = pairs("get", even(12, 0.1, 0.06), even(12, 0.1, 0.06));
        let loud = |name: &str| pairs(name, even(12, 0.0, 0.3), even(12, 0.0, 0.3));
        let family = [slow, loud("put"), loud("connect"), loud("readback")];
        let comparison = compare(&family, &Rule::default());
        assert_eq!(comparison.metrics[0].outcome, Change::Undecided);
        assert_eq!(compare(&family[..1], &Rule::default()).outcome, Change::Regressed);
        assert_eq!(
            next_step(&family, &Rule::default()),
            Step::Measure { more: 17 - 12, fresh: true }
        );
    }

    #[test]
    fn after_the_last_look_it_is_undecided_and_reports_how_many_pairs_it_would_take() {
        let family = [pairs("get", even(12, 0.0, 0.6), even(192, 0.0001, 0.6))];
        assert_eq!(next_step(&family, &Rule::default()), Step::Done);
        let change = only(&family);
        assert_eq!((change.outcome, change.pairs), (Change::Undecided, 192));
        // Half the interval is about 0.049 wide, so (0.049 / 0.03)^2 times the
        // pairs bring it within the tolerance.
        let more = change.more_pairs.unwrap();
        assert!((200..450).contains(&more), "{more}");
    }

    #[test]
    fn the_worst_outcome_is_the_familys_and_of_no_metrics_nothing_is_known() {
        let mut outcomes =
            [Change::Undecided, Change::NoDifference, Change::Regressed, Change::Improved];
        outcomes.sort();
        let best_first =
            [Change::NoDifference, Change::Improved, Change::Undecided, Change::Regressed];
        assert_eq!(outcomes, best_first);
        assert_eq!(compare(&[], &Rule::default()).outcome, Change::Undecided);
    }

    #[test]
    fn to_swap_the_sides_turns_the_outcome() {
        let fresh = even(12, 0.1, 0.06);
        let swapped: Vec<f64> = fresh.iter().map(|pair| -pair).collect();
        let there = only(&[pairs("get", fresh.clone(), fresh)]);
        let back = only(&[pairs("get", swapped.clone(), swapped)]);
        assert_eq!((there.outcome, back.outcome), (Change::Regressed, Change::Improved));
        assert_eq!(there.p, back.p);
    }
}
