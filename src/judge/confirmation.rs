//! Suspicions are decided on fresh blocks only: the blocks that raised one were chosen for that.

use crate::record::Scenario;
use crate::scenario::Configuration;
use schemars::JsonSchema;
use serde::Serialize;

use super::samples::BLOCKS_FOR_AN_INTERVAL;
use super::verdict::{Outcome, Verdict, blocks};
use super::{CONFIDENCE_WANTED, Judgement};
use crate::metric::Metric;
use crate::stats::{Alternative, Interval, holm, sign_p};
use crate::worker_protocol::Mode;

/// The probability that at least one verdict of a run is red although no limit is broken.
pub const FALSE_ALARMS: f64 = 0.01;

/// How often fresh blocks may be looked at: each look spends an equal share of the false alarms,
/// independently of the others.
pub const LOOKS: usize = 3;

const HALF_AN_UPDATE: f64 = 0.5;

/// How often losses in at least half of the blocks are called chance.
const LOSSES_BY_CHANCE: f64 = 0.05;

/// The largest useful estimate: nobody measures more blocks for one verdict.
const MOST_MORE_BLOCKS: f64 = 10_000.0;

/// The fresh blocks of a verdict that needs them.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    pub(super) is_of_losses: bool,
    pub(super) samples: Vec<f64>,
    pub(super) interval: Option<Interval>,
}

/// The fresh blocks that one configuration needs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Confirmation {
    /// The configuration.
    pub configuration: Configuration,
    /// The approaches: the suspects and what they are compared with, all in the same blocks.
    pub approaches: Vec<String>,
    /// How many blocks come next.
    pub blocks: usize,
}

/// The fresh blocks that the open verdicts of a judgement need next: enough for the sign
/// test to decide at once when every block says the same, later as many again as there
/// are. Empty when nothing is open, or when more blocks are of no use.
pub fn to_confirm(judgement: &Judgement) -> Vec<Confirmation> {
    let mut all: Vec<Confirmation> = Vec::new();
    for verdict in judgement.verdicts.iter().filter(|verdict| verdict.is_open()) {
        let Some(more) = verdict.more_blocks else { continue };
        let step = match verdict.fresh_blocks {
            // What is wanted to decide by the interval is an estimate from few blocks.
            0 => more.min(first_blocks(judgement)),
            fresh => more.min(fresh),
        };
        let approaches = || std::iter::once(&verdict.approach).chain(&verdict.compared_with);
        for configuration in configurations_of(judgement, verdict) {
            let known = all.iter().position(|one| one.configuration == configuration);
            let at = known.unwrap_or_else(|| {
                all.push(Confirmation { configuration, approaches: Vec::new(), blocks: 0 });
                all.len() - 1
            });
            all[at].blocks = all[at].blocks.max(step);
            for approach in approaches() {
                if !all[at].approaches.contains(approach) {
                    all[at].approaches.push(approach.clone());
                }
            }
        }
    }
    all
}

fn first_blocks(judgement: &Judgement) -> usize {
    let open = judgement.verdicts.iter().filter(|one| one.is_open());
    blocks_for_the_sign_test(open.count(), judgement.limits.false_alarms)
}

/// A slope needs the configurations with every count of PVs.
fn configurations_of(judgement: &Judgement, verdict: &Verdict) -> Vec<Configuration> {
    let Some(configuration) = verdict.configuration() else { return Vec::new() };
    if verdict.metric != Metric::ConnectSlope {
        return vec![configuration];
    }
    let mut counts: Vec<usize> = judgement
        .figures
        .iter()
        .filter(|figures| {
            (figures.scenario, &figures.server, figures.lookup, figures.connected)
                == (Scenario::Connect, &verdict.server, verdict.lookup, Mode::Bulk)
        })
        .map(|figures| figures.pvs)
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts.into_iter().map(|pvs| Configuration { pvs, ..configuration.clone() }).collect()
}

/// The least blocks of which each being over rejects, corrected for a family of so many:
/// 2^-n may be at most `false_alarms` over the family and over [`LOOKS`]: nine, and the
/// logarithm of the family, for 1 % of false alarms.
pub fn blocks_for_the_sign_test(family: usize, false_alarms: f64) -> usize {
    (family.max(1) as f64 * LOOKS as f64 / false_alarms).log2().ceil() as usize
}

/// Whether a verdict on the first blocks may not stand by itself.
pub(super) fn is_suspect(verdict: &Verdict, measure: Metric) -> bool {
    // One outage is one measurement, and the worst of them counts: no block is chosen.
    let is_decided = measure.is_exact() || matches!(measure, Metric::Fault(_));
    let is_exact = is_decided && measure != Metric::UpdatesLost;
    verdict.outcome != Outcome::Within && !verdict.may_be_over() && !is_exact
}

/// Why the first blocks leave it open.
pub(super) fn why_undecided(verdict: &Verdict) -> String {
    let in_first = blocks(verdict.blocks, "");
    match verdict.figure {
        Some(figure) if figure.confidence < CONFIDENCE_WANTED => {
            let verb = if verdict.blocks == 1 { "is" } else { "are" };
            format!("{in_first} {verb} too few to decide")
        }
        _ => format!("the interval of {in_first} holds the limit"),
    }
}

/// Decides every suspected verdict, which is known by its index, on what is fresh.
pub(super) fn decide(verdicts: &mut [Verdict], suspects: &[(usize, Suspect)], false_alarms: f64) {
    let probabilities: Vec<f64> = suspects
        .iter()
        .map(|(index, suspect)| {
            sign_p(&suspect.samples, null(suspect, verdicts[*index].limit), Alternative::Greater)
        })
        .collect();
    for ((index, suspect), p) in suspects.iter().zip(holm(&probabilities)) {
        let family = Family { size: suspects.len(), false_alarms };
        by_sign_test(&mut verdicts[*index], suspect, p, family);
    }
}

/// What is at the limit exactly has no sign and would be left out, but a block without
/// a loss is the best that there is: losses are whole, so the null lies between.
fn null(suspect: &Suspect, limit: f64) -> f64 {
    if suspect.is_of_losses { limit + HALF_AN_UPDATE } else { limit }
}

/// Verdicts that are decided together.
#[derive(Clone, Copy)]
struct Family {
    size: usize,
    false_alarms: f64,
}

impl Family {
    fn least_blocks(self) -> usize {
        blocks_for_the_sign_test(self.size, self.false_alarms)
    }
}

fn by_sign_test(verdict: &mut Verdict, suspect: &Suspect, p: f64, family: Family) {
    let seen = verdict.outcome;
    let first = verdict.figure;
    let fresh = suspect.samples.len();
    let in_first = blocks(verdict.blocks, "");
    verdict.outcome = Outcome::Undecided;
    if fresh == 0 {
        if seen == Outcome::Over {
            verdict.reason = Some(format!("over in {in_first}, not confirmed yet"));
        }
        let least = family.least_blocks();
        let by_interval = first.map_or(0, |first| blocks_until_clear(&first, verdict.limit));
        verdict.more_blocks = Some(least.max(by_interval));
        return;
    }
    verdict.fresh_blocks = fresh;
    verdict.p = Some(p);
    verdict.figure = suspect.interval.or(first);
    let is_clear = match suspect.is_of_losses {
        true => is_cleared_of_losing(&suspect.samples, verdict.limit),
        false => suspect
            .interval
            .is_some_and(|interval| Outcome::of(&interval, verdict.limit) == Outcome::Within),
    };
    if p <= family.false_alarms / LOOKS as f64 {
        verdict.outcome = Outcome::Over;
        verdict.reason = Some(format!("confirmed in {}", blocks(fresh, "fresh")));
    } else if is_clear {
        verdict.outcome = Outcome::Within;
        verdict.reason = Some(match suspect.is_of_losses {
            true => lost_by_chance(first, &suspect.samples, &in_first),
            false => {
                let was = if seen == Outcome::Over { "over" } else { "undecided" };
                format!("{was} in the first {in_first}, not in fresh ones")
            }
        });
    } else {
        verdict.reason = Some(format!("{} decide neither way", blocks(fresh, "fresh")));
        let for_test = family.least_blocks().saturating_sub(fresh);
        let by_interval = match suspect.interval.filter(|_| !suspect.is_of_losses) {
            Some(interval) => blocks_until_clear(&interval, verdict.limit).saturating_sub(fresh),
            None => 0,
        };
        verdict.more_blocks = Some(for_test.max(by_interval).max(1));
    }
}

fn lost_by_chance(first: Option<Interval>, losses: &[f64], in_first: &str) -> String {
    let lost = first.map_or(0.0, |first| first.median);
    let again = losses.iter().filter(|lost| **lost > 0.0).count();
    let fresh = blocks(losses.len(), "fresh");
    match again {
        0 => format!("{lost} lost in {in_first}, none in {fresh}"),
        again => format!("{lost} lost in {in_first}, some in {again} of {fresh}: by chance"),
    }
}

/// Whether losses in some of the fresh blocks are those of the machine: fewer than half
/// of all blocks would have one, with 95 % confidence. One pause of the machine loses an
/// update of whatever runs; an approach that loses by itself does so again.
fn is_cleared_of_losing(losses: &[f64], limit: f64) -> bool {
    sign_p(losses, limit + HALF_AN_UPDATE, Alternative::Less) <= LOSSES_BY_CHANCE
}

/// How many blocks would make an interval that does not hold the limit any more, when
/// its width goes with one over the root of their number.
fn blocks_until_clear(interval: &Interval, limit: f64) -> usize {
    let distance = (interval.median - limit).abs();
    let towards = match interval.median > limit {
        true => interval.median - interval.low,
        false => interval.high - interval.median,
    };
    let least = match interval.confidence < CONFIDENCE_WANTED {
        true => BLOCKS_FOR_AN_INTERVAL as f64,
        false => 0.0,
    };
    let needed = interval.samples as f64 * (towards / distance).powi(2);
    let needed = if needed.is_nan() { MOST_MORE_BLOCKS } else { needed };
    needed.ceil().max(least).min(MOST_MORE_BLOCKS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{median_interval, proportion_interval};
    use rand::{Rng, SeedableRng, rngs::StdRng};

    #[test]
    fn nine_blocks_confirm_one_suspicion_and_one_more_twice_as_many() {
        let blocks = [1, 2, 4, 8].map(|family| blocks_for_the_sign_test(family, FALSE_ALARMS));
        assert_eq!(blocks, [9, 10, 11, 12]);
    }

    #[test]
    fn half_the_width_needs_four_times_the_blocks() {
        let interval = Interval { median: 0.8, low: 0.4, high: 1.2, confidence: 0.94, samples: 5 };
        assert_eq!(blocks_until_clear(&interval, 1.0), 20);
        assert_eq!(blocks_until_clear(&interval, 0.8), 10_000);
        let over = Interval { median: 1.2, high: 1.3, ..interval };
        assert_eq!(blocks_until_clear(&Interval { low: 0.8, ..over }, 1.0), 20);
    }

    #[test]
    fn too_few_blocks_and_an_interval_around_the_limit_are_two_reasons() {
        let of = |blocks, confidence| {
            let interval = Interval { median: 1.0, low: 0.5, high: 1.5, confidence, samples: 5 };
            why_undecided(&Verdict { blocks, figure: Some(interval), ..Verdict::example() })
        };
        assert_eq!(of(1, 0.0), "1 block is too few to decide");
        assert_eq!(of(4, 0.875), "4 blocks are too few to decide");
        assert_eq!(of(5, CONFIDENCE_WANTED), "the interval of 5 blocks holds the limit");
    }

    /// The worst case: every figure exactly at its limit, all of them in question, and
    /// the blocks looked at as often as a screening does.
    #[test]
    fn figures_at_their_limits_are_called_over_in_one_run_of_a_hundred_at_most() {
        const RUNS: usize = 10_000;
        const VERDICTS: usize = 12;
        let mut random = StdRng::seed_from_u64(5);
        let alarms = (0..RUNS).filter(|_| is_any_called_over(&mut random, VERDICTS)).count();
        let (_, most) = proportion_interval(alarms, RUNS, 0.95);
        assert!(most <= FALSE_ALARMS, "{alarms} false alarms in {RUNS} runs");
    }

    fn is_any_called_over(random: &mut StdRng, count: usize) -> bool {
        let first = blocks_for_the_sign_test(count, FALSE_ALARMS);
        let mut samples = vec![Vec::new(); count];
        for look in 1..=LOOKS {
            for own in &mut samples {
                // Skewed, as differences of times are; the median is 0.
                own.resize_with(first * look, || {
                    -(1.0 - random.random::<f64>()).ln() - std::f64::consts::LN_2
                });
            }
            let suspects: Vec<(usize, Suspect)> =
                samples.iter().map(|own| suspect(own)).enumerate().collect();
            let mut verdicts = vec![Verdict { limit: 0.0, ..Verdict::example() }; count];
            decide(&mut verdicts, &suspects, FALSE_ALARMS);
            if verdicts.iter().any(|verdict| verdict.outcome == Outcome::Over) {
                return true;
            }
        }
        false
    }

    fn suspect(samples: &[f64]) -> Suspect {
        Suspect {
            is_of_losses: false,
            samples: samples.to_vec(),
            interval: median_interval(samples, CONFIDENCE_WANTED),
        }
    }
}
