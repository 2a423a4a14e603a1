//! How often the rule that compares two is wrong, on a machine as it is: by drawing
//! whole comparisons anew from pairs that were measured there.

mod calibrated;
mod redraw;
#[cfg(test)]
mod simulated;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comparison::{Change, Rule};
use crate::metric::Metric;
use crate::stats::{Interval, proportion_interval, pseudo_median};

pub use calibrated::{Calibrated, WholeRuns};
pub use redraw::redraw;

/// The version of the format of [`Calibration`] as a file.
pub const CALIBRATION_FORMAT: u32 = 1;

/// A slowdown counts as found when it is found in at least so many comparisons,
/// as a fraction.
pub const FOUND_AT_LEAST: f64 = 0.95;

/// Pairs that were measured under one condition, to draw from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pool {
    /// By how much B was slowed on purpose, in words such as `5 %`.
    pub label: String,
    /// The same as a fraction; 0 where A and B are alike.
    pub slowdown: f64,
    /// The metrics of each pair.
    pub metrics: Vec<Metric>,
    /// One row for each pair, in order of time: ln(B/A) of each metric, so that the
    /// metrics of one pair stay together.
    pub pairs: Vec<Vec<f64>>,
    /// How long it takes to measure a pair.
    pub seconds_per_pair: f64,
}

impl Pool {
    /// The same pairs with each metric's location taken off, so that A and B are
    /// alike in it exactly.
    ///
    /// A comparison of n pairs drawn from a pool of N sees the pool's own chance
    /// location as a true difference: its location scatters as if by 1 + n/N
    /// times the variance, and false alarms become more than they are. Drawn from
    /// this pool they are what scatter, shape and drift make of them, and what the
    /// location was is reported beside it ([`MetricRates::pool_bias`]). In simulation,
    /// where the truth is 0.7 %, pools of 60 pairs gave 10 % as measured and 1.2 %
    /// centred, pools of 300 pairs 0.4 % centred.
    pub fn centred(&self) -> Pool {
        let locations: Vec<f64> =
            (0..self.metrics.len()).map(|metric| pseudo_median(&self.of(metric))).collect();
        let shifted = |row: &Vec<f64>| row.iter().zip(&locations).map(|(p, at)| p - at).collect();
        Pool { pairs: self.pairs.iter().map(shifted).collect(), ..self.clone() }
    }

    /// The same pairs of alike sides as they would be if B took `slowdown` more, as a fraction:
    /// each by itself, with its scatter unchanged.
    pub fn shifted(&self, slowdown: f64) -> Pool {
        let centred = self.centred();
        let shift = |row: &Vec<f64>| row.iter().map(|ratio| ratio + slowdown.ln_1p()).collect();
        Pool {
            label: format!("{:.0} %, computed", 100.0 * slowdown),
            slowdown,
            pairs: centred.pairs.iter().map(shift).collect(),
            ..centred
        }
    }

    fn of(&self, metric: usize) -> Vec<f64> {
        self.pairs.iter().map(|row| row[metric]).collect()
    }
}

/// How often something happened.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// In so many comparisons,
    pub hits: usize,
    /// of so many.
    pub of: usize,
    /// The fraction.
    pub rate: f64,
    /// Lower end of the interval of Clopper and Pearson at 95 %. It tells what more
    /// drawing would change, not what more measuring would.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Rate {
    /// The rate of so many of so many.
    pub fn new(hits: usize, of: usize) -> Rate {
        let (low, high) = proportion_interval(hits, of, 0.95);
        Rate { hits, of, rate: hits as f64 / of as f64, low, high }
    }
}

/// How often each outcome came.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// B more than A.
    pub regressed: Rate,
    /// B less than A.
    pub improved: Rate,
    /// Either of these: where A and B are alike, a false alarm.
    pub changed: Rate,
    /// Within the tolerance.
    pub no_difference: Rate,
    /// Not decided at the last look.
    pub undecided: Rate,
}

/// Pairs that comparisons used, those of the screen included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairsUsed {
    /// In half of the comparisons at most so many.
    pub median: usize,
    /// In 95 of 100 at most so many.
    pub in_95_of_100: usize,
}

/// The rates of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MetricRates {
    /// The metric.
    pub metric: Metric,
    /// How often each outcome came.
    pub outcomes: Outcomes,
    /// Pairs until this metric was decided or given up.
    pub pairs: PairsUsed,
    /// B/A - 1 of the pool itself, of all its pairs, at 95 %. Where A and B are
    /// alike an interval that does not hold 0 shows that the measuring favours one
    /// side, which drawing anew cannot show; where B was slowed, it tells by how
    /// much B really was slower.
    pub pool_bias: Interval,
    /// Whether `pool_bias` holds 0.
    pub bias_holds_zero: bool,
}

/// The rates of one pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Redrawn {
    /// By how much B was slowed on purpose, in words such as `5 %`.
    pub label: String,
    /// The same as a fraction.
    pub slowdown: f64,
    /// How many pairs were measured; how well they stand for the machine depends
    /// on them, however many comparisons are drawn.
    pub measured_pairs: usize,
    /// How long a pair took to measure.
    pub seconds_per_pair: f64,
    /// Each metric alone.
    pub metrics: Vec<MetricRates>,
    /// The family: in how many comparisons one metric or more came out so, and none
    /// worse for `improved` and `undecided`; `changed` is any that regressed or
    /// improved, `no_difference` all.
    pub family: Outcomes,
    /// Pairs until the last metric was decided or given up.
    pub pairs: PairsUsed,
    /// How long half of the comparisons took at most.
    pub seconds_median: f64,
    /// How long 95 of 100 took at most.
    pub seconds_in_95_of_100: f64,
}

/// The smallest slowdown that is found in at least 95 of 100 comparisons, and
/// every larger one too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SmallestFound {
    /// By the rates; None when the largest is not found either.
    pub by_estimate: Option<f64>,
    /// By the lower ends of their intervals, so that it is not by luck of drawing.
    pub by_interval: Option<f64>,
}

/// The rates of one machine, as they are kept in a file.
///
/// Whole comparisons are drawn from the pools, not measured, since some thousands
/// of them would take weeks. A redrawn comparison can therefore not show what the
/// pools do not hold: a bias of the measuring (see [`MetricRates::pool_bias`]), a
/// state of the machine that did not occur while they were measured, or drift slower
/// than a drawn run of pairs (see [`redraw()`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibration {
    /// [`CALIBRATION_FORMAT`].
    pub format: u32,
    /// What it was measured on.
    pub machine: String,
    /// When.
    pub date: String,
    /// The seed that comparisons were drawn by.
    pub seed: u64,
    /// How many comparisons were drawn from each pool.
    pub experiments: usize,
    /// The rule that was tried.
    pub rule: Rule,
    /// A against A, as measured: chance and bias of the pool's location count.
    pub alike: Redrawn,
    /// A against A with the location taken off ([`Pool::centred`]).
    pub alike_centred: Redrawn,
    /// Each slowdown, rising.
    pub slowdowns: Vec<Redrawn>,
    /// The smallest that is found, by the family.
    pub smallest_found: SmallestFound,
}

/// Calibrates by a pool of A against A, pools of slowdowns, and a rule. None when a
/// pool has no pairs or no metrics, or with no experiments.
pub fn calibrate(
    alike: &Pool,
    slowed: &[Pool],
    rule: &Rule,
    experiments: usize,
    seed: u64,
    (machine, date): (String, String),
) -> Option<Calibration> {
    let mut slowdowns: Vec<Redrawn> =
        slowed.iter().map(|pool| redraw(pool, rule, experiments, seed)).collect::<Option<_>>()?;
    slowdowns.sort_by(|one, other| one.slowdown.total_cmp(&other.slowdown));
    Some(Calibration {
        format: CALIBRATION_FORMAT,
        machine,
        date,
        seed,
        experiments,
        rule: rule.clone(),
        alike: redraw(alike, rule, experiments, seed)?,
        alike_centred: redraw(&alike.centred(), rule, experiments, seed)?,
        smallest_found: smallest_found(&slowdowns),
        slowdowns,
    })
}

/// The smallest slowdown found, by how often the family regressed.
pub fn smallest_found(slowdowns: &[Redrawn]) -> SmallestFound {
    let smallest = |share: &dyn Fn(&Rate) -> f64| {
        let mut largest_first: Vec<&Redrawn> = slowdowns.iter().collect();
        largest_first.sort_by(|one, other| other.slowdown.total_cmp(&one.slowdown));
        largest_first
            .into_iter()
            .take_while(|redrawn| share(&redrawn.family.regressed) >= FOUND_AT_LEAST)
            .last()
            .map(|redrawn| redrawn.slowdown)
    };
    SmallestFound {
        by_estimate: smallest(&|rate| rate.rate),
        by_interval: smallest(&|rate| rate.low),
    }
}

impl Outcomes {
    /// Counts the outcomes of comparisons, of which each is the set of its metrics'.
    fn count<'a>(comparisons: impl Iterator<Item = &'a [Change]> + Clone) -> Outcomes {
        let rate = |is: &dyn Fn(&[Change]) -> bool| {
            let hits = comparisons.clone().filter(|changes| is(changes)).count();
            Rate::new(hits, comparisons.clone().count())
        };
        let worst = |wanted: Change| rate(&|changes| changes.iter().max() == Some(&wanted));
        let is_changed = |change: &Change| matches!(change, Change::Regressed | Change::Improved);
        Outcomes {
            regressed: worst(Change::Regressed),
            improved: worst(Change::Improved),
            changed: rate(&|changes| changes.iter().any(is_changed)),
            no_difference: worst(Change::NoDifference),
            undecided: worst(Change::Undecided),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redrawn(slowdown: f64, found: usize, of: usize) -> Redrawn {
        let outcomes: Vec<[Change; 1]> = (0..of)
            .map(|at| [if at < found { Change::Regressed } else { Change::Undecided }])
            .collect();
        Redrawn {
            label: String::new(),
            slowdown,
            measured_pairs: 100,
            seconds_per_pair: 1.0,
            metrics: Vec::new(),
            family: Outcomes::count(outcomes.iter().map(|changes| &changes[..])),
            pairs: PairsUsed { median: 24, in_95_of_100: 46 },
            seconds_median: 24.0,
            seconds_in_95_of_100: 46.0,
        }
    }

    #[test]
    fn the_smallest_found_is_that_below_which_one_is_missed() {
        let slowdowns = [redrawn(0.1, 100, 100), redrawn(0.03, 40, 100), redrawn(0.05, 96, 100)];
        let smallest = smallest_found(&slowdowns);
        // 96 of 100 may be 90 of 100 in truth; 100 of 100 are at least 96.
        assert_eq!((smallest.by_estimate, smallest.by_interval), (Some(0.05), Some(0.1)));
    }

    #[test]
    fn a_slowdown_found_below_one_that_was_missed_is_not_believed() {
        let smallest = smallest_found(&[redrawn(0.05, 100, 100), redrawn(0.1, 60, 100)]);
        assert_eq!((smallest.by_estimate, smallest.by_interval), (None, None));
        assert_eq!(smallest_found(&[]).by_estimate, None);
    }

    #[test]
    fn a_family_has_changed_when_one_of_its_metrics_did() {
        let comparisons = [
            [Change::Improved, Change::Undecided],
            [Change::NoDifference, Change::NoDifference],
            [Change::Improved, Change::Regressed],
            [Change::NoDifference, Change::Improved],
        ];
        let outcomes = Outcomes::count(comparisons.iter().map(|changes| &changes[..]));
        assert_eq!(outcomes.changed.hits, 3);
        assert_eq!(outcomes.regressed.hits, 1);
        assert_eq!(outcomes.improved.hits, 1);
        assert_eq!(outcomes.undecided.hits, 1);
        assert_eq!((outcomes.no_difference.hits, outcomes.no_difference.of), (1, 4));
    }
}
