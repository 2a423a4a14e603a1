//! The looks, one after the other.

use super::{Change, Pairs, Rule, least, pseudo_median};
use crate::stats::{Alternative, Interval, bootstrap_interval, holm, sign_flip_p};

/// How often the intervals cover the true ratio.
const CONFIDENCE: f64 = 0.95;

/// Intervals of the same pairs are the same in every report.
const SEED: u64 = 1;

/// What was decided of one metric, or that nothing was.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::judge) struct Decision {
    /// None while undecided.
    pub(in crate::judge) settled: Option<Settled>,
    /// The last look that was taken of it, in fresh pairs; None before the first.
    pub(in crate::judge) look: Option<usize>,
    /// The adjusted p at that look.
    pub(in crate::judge) p: Option<f64>,
}

/// On what a decision rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::judge) enum Settled {
    /// On the screen: no difference.
    ByScreen,
    /// On fresh pairs.
    ByLook(Change),
}

impl Decision {
    const NONE: Decision = Decision { settled: None, look: None, p: None };

    pub(in crate::judge) fn change(&self) -> Change {
        match self.settled {
            None => Change::Undecided,
            Some(Settled::ByScreen) => Change::NoDifference,
            Some(Settled::ByLook(change)) => change,
        }
    }

    /// The pairs that it rests on.
    pub(super) fn used<'a>(&self, pairs: &'a Pairs) -> &'a [f64] {
        match self.look {
            Some(look) => &pairs.fresh[..look],
            None => &pairs.screened,
        }
    }
}

/// Decides each metric by the pairs there are, look by look, so that pairs
/// measured after a decision cannot turn it.
pub(in crate::judge) fn decide(family: &[Pairs], rule: &Rule) -> Vec<Decision> {
    if is_settled_by_screen(family, rule) {
        let settled = Some(Settled::ByScreen);
        return vec![Decision { settled, ..Decision::NONE }; family.len()];
    }
    let mut decisions = vec![Decision::NONE; family.len()];
    let fresh = least(family, |pairs| pairs.fresh.len());
    for look in rule.looks.iter().filter(|look| **look <= fresh) {
        take_look(family, rule, *look, &mut decisions);
        if decisions.iter().all(|decision| decision.settled.is_some()) {
            break;
        }
    }
    decisions
}

/// The location of differences, with its interval.
pub(super) fn interval(samples: &[f64]) -> Option<Interval> {
    bootstrap_interval(samples, CONFIDENCE, SEED)
}

fn is_settled_by_screen(family: &[Pairs], rule: &Rule) -> bool {
    rule.screen > 0
        && family.iter().all(|pairs| {
            let screened = pairs.screened.get(..rule.screen);
            screened.is_some_and(|screened| lies_within_tolerance(screened, rule))
        })
}

/// One look at all metrics. Those decided before stay in the family that Holm's
/// method adjusts for, so that a decision never makes the next one easier.
fn take_look(family: &[Pairs], rule: &Rule, look: usize, decisions: &mut [Decision]) {
    let p: Vec<f64> = family
        .iter()
        .map(|pairs| sign_flip_p(&pairs.fresh[..look], 0.0, Alternative::Different))
        .collect();
    let undecided =
        decisions.iter_mut().zip(family.iter().zip(holm(&p))).filter(|(d, _)| d.settled.is_none());
    for (decision, (pairs, p)) in undecided {
        let fresh = &pairs.fresh[..look];
        let change = change(fresh, p, rule);
        *decision = Decision { settled: change.map(Settled::ByLook), look: Some(look), p: Some(p) };
    }
}

fn change(fresh: &[f64], p: f64, rule: &Rule) -> Option<Change> {
    if lies_within_tolerance(fresh, rule) {
        return Some(Change::NoDifference);
    }
    if p > rule.alpha_per_look() {
        return None;
    }
    Some(if pseudo_median(fresh) > 0.0 { Change::Regressed } else { Change::Improved })
}

/// Two witnesses must agree that a difference is within the tolerance: the test
/// by flipping signs, which is exact for few samples, and the interval by
/// bootstrap, which is what a reader sees. The test is asked first; it is the
/// quicker by far.
fn lies_within_tolerance(samples: &[f64], rule: &Rule) -> bool {
    let most = rule.ln_tolerance();
    let outside = (1.0 - CONFIDENCE) / 2.0;
    sign_flip_p(samples, most, Alternative::Less) <= outside
        && sign_flip_p(samples, -most, Alternative::Greater) <= outside
        && interval(samples).is_some_and(|interval| {
            interval.confidence >= CONFIDENCE && -most <= interval.low && interval.high <= most
        })
}
