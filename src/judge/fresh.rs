//! What raised a suspicion is decided on fresh blocks only: those that raised it were
//! picked because they did.

use serde::Serialize;

use super::cell::CellKey;
use super::confirm::{Alternative, holm, sign_p};
use super::limits::{Measure, Unit};
use super::samples::BLOCKS_FOR_AN_INTERVAL;
use super::verdict::{Outcome, Verdict, blocks};
use super::{CONFIDENCE_WANTED, Judgement};
use crate::protocol::Mode;
use crate::scenario;
use crate::stats::Interval;

/// The probability with which one verdict of a run, or more, may be red although no
/// limit is broken.
pub const FALSE_ALARMS: f64 = 0.01;

/// A loss of updates may be a pause of the machine: so many fresh blocks without one
/// clear it. A real loss in half of all blocks then stays unseen once in eight times,
/// one in every block never.
pub const FRESH_BLOCKS_FOR_LOSSES: usize = 3;

/// Nobody measures more to decide one verdict.
const MOST_MORE_BLOCKS: f64 = 10_000.0;

/// What fresh blocks say of a verdict that needs them.
#[derive(Debug, Clone)]
pub(super) struct Suspect {
    pub(super) is_of_losses: bool,
    pub(super) samples: Vec<f64>,
    pub(super) interval: Option<Interval>,
}

/// Fresh blocks that are wanted of one cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Confirmation {
    /// The cell.
    pub cell: CellKey,
    /// The approaches: those in question, and what they are compared with, all in the
    /// same blocks.
    pub approaches: Vec<String>,
    /// How many blocks, next.
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
            0 => more.min(first_blocks(judgement, verdict)),
            fresh => more.min(fresh),
        };
        let approaches = || std::iter::once(&verdict.approach).chain(&verdict.compared_with);
        for cell in cells_of(judgement, verdict) {
            let known = all.iter().position(|one| one.cell == cell);
            let at = known.unwrap_or_else(|| {
                all.push(Confirmation { cell, approaches: Vec::new(), blocks: 0 });
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

fn first_blocks(judgement: &Judgement, verdict: &Verdict) -> usize {
    if verdict.unit == Unit::Count {
        return FRESH_BLOCKS_FOR_LOSSES;
    }
    let open = judgement.verdicts.iter().filter(|one| one.is_open() && one.unit != Unit::Count);
    blocks_for_the_sign_test(open.count())
}

/// A slope needs the cells of all counts of PVs.
fn cells_of(judgement: &Judgement, verdict: &Verdict) -> Vec<CellKey> {
    if verdict.metric != Measure::ConnectSlope.name() {
        return vec![verdict.cell()];
    }
    let mut counts: Vec<usize> = judgement
        .figures
        .iter()
        .filter(|figures| {
            (figures.scenario.as_str(), &figures.server, figures.connected)
                == (scenario::CONNECT, &verdict.server, Mode::Bulk)
        })
        .map(|figures| figures.pvs)
        .collect();
    counts.sort_unstable();
    counts.dedup();
    counts.into_iter().map(|pvs| CellKey { pvs, ..verdict.cell() }).collect()
}

/// The least blocks of which each being over rejects, corrected for a family of so many:
/// 2^-n may be [`FALSE_ALARMS`] / family at most, so 7 and the logarithm of the family.
pub fn blocks_for_the_sign_test(family: usize) -> usize {
    (family.max(1) as f64 / FALSE_ALARMS).log2().ceil() as usize
}

/// Whether a verdict on the first blocks may not stand by itself.
pub(super) fn is_suspect(verdict: &Verdict, measure: Measure) -> bool {
    let is_exact = measure.is_exact() && measure != Measure::UpdatesLost;
    verdict.outcome != Outcome::Within && verdict.expected_over.is_none() && !is_exact
}

/// Why the first blocks leave it open.
pub(super) fn why_undecided(verdict: &Verdict) -> String {
    let in_first = blocks(verdict.blocks, "");
    match verdict.figure {
        Some(figure) if figure.confidence < CONFIDENCE_WANTED => {
            format!("{in_first} are too few to decide")
        }
        _ => format!("the interval of {in_first} holds the limit"),
    }
}

/// Decides every suspected verdict, which is known by its index, on what is fresh.
pub(super) fn decide(verdicts: &mut [Verdict], suspects: &[(usize, Suspect)]) {
    let tested: Vec<&(usize, Suspect)> =
        suspects.iter().filter(|(_, suspect)| !suspect.is_of_losses).collect();
    let probabilities: Vec<f64> = tested
        .iter()
        .map(|(index, suspect)| {
            sign_p(&suspect.samples, verdicts[*index].limit, Alternative::Greater)
        })
        .collect();
    for ((index, suspect), p) in tested.iter().zip(holm(&probabilities)) {
        by_sign_test(&mut verdicts[*index], suspect, p, tested.len());
    }
    for (index, suspect) in suspects.iter().filter(|(_, suspect)| suspect.is_of_losses) {
        by_losing_again(&mut verdicts[*index], suspect);
    }
}

fn by_sign_test(verdict: &mut Verdict, suspect: &Suspect, p: f64, family: usize) {
    let seen = verdict.outcome;
    let first = verdict.figure;
    let fresh = suspect.samples.len();
    let in_first = blocks(verdict.blocks, "");
    verdict.outcome = Outcome::Undecided;
    if fresh == 0 {
        if seen == Outcome::Over {
            verdict.reason = Some(format!("over in {in_first}, not confirmed yet"));
        }
        let least = blocks_for_the_sign_test(family);
        let by_interval = first.map_or(0, |first| blocks_until_clear(&first, verdict.limit));
        verdict.more_blocks = Some(least.max(by_interval));
        return;
    }
    verdict.fresh_blocks = fresh;
    verdict.p = Some(p);
    verdict.figure = suspect.interval.or(first);
    let is_clear = suspect
        .interval
        .is_some_and(|interval| Outcome::of(&interval, verdict.limit) == Outcome::Within);
    if p <= FALSE_ALARMS {
        verdict.outcome = Outcome::Over;
        verdict.reason = Some(format!("confirmed in {}", blocks(fresh, "fresh")));
    } else if is_clear {
        verdict.outcome = Outcome::Within;
        let was = if seen == Outcome::Over { "over" } else { "undecided" };
        verdict.reason = Some(format!("{was} in the first {in_first}, not in fresh ones"));
    } else {
        verdict.reason = Some(format!("{} decide neither way", blocks(fresh, "fresh")));
        let for_test = blocks_for_the_sign_test(family).saturating_sub(fresh);
        let by_interval = suspect.interval.map_or(0, |interval| {
            blocks_until_clear(&interval, verdict.limit).saturating_sub(fresh)
        });
        verdict.more_blocks = Some(for_test.max(by_interval).max(1));
    }
}

fn by_losing_again(verdict: &mut Verdict, suspect: &Suspect) {
    let lost = verdict.figure.map_or(0.0, |figure| figure.median);
    let in_first = blocks(verdict.blocks, "");
    let fresh = suspect.samples.len();
    let lost_again: f64 = suspect.samples.iter().sum();
    verdict.fresh_blocks = fresh;
    if fresh > 0 {
        verdict.figure = suspect.interval.or(verdict.figure);
    }
    verdict.outcome = Outcome::Undecided;
    if lost_again > verdict.limit {
        verdict.outcome = Outcome::Over;
        verdict.reason = Some(format!("{lost} lost in {in_first}, and again in fresh ones"));
    } else if fresh >= FRESH_BLOCKS_FOR_LOSSES {
        verdict.outcome = Outcome::Within;
        verdict.reason =
            Some(format!("{lost} lost in {in_first}, none in {}", blocks(fresh, "fresh")));
    } else {
        verdict.reason = Some(format!("{lost} lost in {in_first}, not confirmed yet"));
        verdict.more_blocks = Some(FRESH_BLOCKS_FOR_LOSSES - fresh);
    }
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

    #[test]
    fn seven_blocks_confirm_one_suspicion_and_one_more_twice_as_many() {
        assert_eq!([1, 2, 4, 8].map(blocks_for_the_sign_test), [7, 8, 9, 10]);
    }

    #[test]
    fn half_the_width_needs_four_times_the_blocks() {
        let interval = Interval { median: 0.8, low: 0.4, high: 1.2, confidence: 0.94, samples: 5 };
        assert_eq!(blocks_until_clear(&interval, 1.0), 20);
        assert_eq!(blocks_until_clear(&interval, 0.8), 10_000);
    }
}
