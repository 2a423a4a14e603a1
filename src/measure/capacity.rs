//! Searches for the most PVs at a rate that an approach receives without loss.

use std::collections::BTreeMap;

use super::PlannedConfiguration;
use crate::record::Record;
use crate::scenario::{RATE_HELD_IN_SEARCH, is_answer};

/// The search ends when the smallest count with loss is at most this factor above the largest
/// count without.
const CLOSE_ENOUGH: f64 = 1.15;

/// A count is decided after this many equal outcomes: a single pause of the machine is no
/// limit, and a single success is no capacity.
const SEEN_TO_DECIDE: usize = 2;

/// Searches up to `configuration.pvs` by bisection on the logarithm. `probe` runs one worker
/// and returns its record, or none when the run was interrupted. A count with loss is repeated
/// at once until it is decided. A count without loss leads on upwards; only the largest is
/// repeated, at the end.
///
/// Returns whether it ran to its end.
pub(super) fn search<E>(
    planned: &PlannedConfiguration,
    mut probe: impl FnMut(&PlannedConfiguration) -> Result<Option<Record>, E>,
) -> Result<bool, E> {
    let mut search = Search::default();
    while let Some(pvs) = search.next(planned.pvs) {
        let Some(record) = probe(&PlannedConfiguration { pvs, ..planned.clone() })? else {
            return Ok(false);
        };
        if record.failure.is_some() && !is_answer(&record) {
            return Ok(true);
        }
        search.note(pvs, is_lossless(&record));
    }
    Ok(true)
}

/// Whether the server made all updates and all of them arrived.
fn is_lossless(record: &Record) -> bool {
    record.monitored.as_ref().zip(record.load).is_some_and(|(monitored, load)| {
        monitored.lost() == 0 && monitored.made_hz >= RATE_HELD_IN_SEARCH * load.rate_hz
    })
}

/// The outcomes so far, by count of PVs.
#[derive(Debug, Default)]
struct Search {
    tried: BTreeMap<usize, Outcomes>,
}

/// How often a count had no loss, and had loss.
#[derive(Debug, Default, Clone, Copy)]
struct Outcomes {
    lossless: usize,
    lossy: usize,
}

impl Outcomes {
    fn is_open(self) -> bool {
        self.lossy > 0 && self.lossless.max(self.lossy) < SEEN_TO_DECIDE
    }

    fn is_bad(self) -> bool {
        self.lossy >= SEEN_TO_DECIDE
    }
}

impl Search {
    /// The next count to measure; none at the end of the search.
    fn next(&self, most: usize) -> Option<usize> {
        if let Some((open, _)) = self.tried.iter().find(|(_, outcomes)| outcomes.is_open()) {
            return Some(*open);
        }
        let good = self.good();
        let Some(bad) = self.bad() else {
            return (good.0 < most || good.1 < SEEN_TO_DECIDE).then_some(most);
        };
        let is_close = bad <= good.0 + 1 || bad as f64 <= good.0 as f64 * CLOSE_ENOUGH;
        if !is_close {
            let middle = ((good.0.max(1) as f64) * bad as f64).sqrt().round() as usize;
            return Some(middle.clamp(good.0 + 1, bad - 1));
        }
        (good.0 > 0 && good.1 < SEEN_TO_DECIDE).then_some(good.0)
    }

    /// The smallest count with loss.
    fn bad(&self) -> Option<usize> {
        self.tried.iter().find(|(_, outcomes)| outcomes.is_bad()).map(|(pvs, _)| *pvs)
    }

    /// The largest count below it without loss, and how often that was seen.
    fn good(&self) -> (usize, usize) {
        let below = self.tried.range(..self.bad().unwrap_or(usize::MAX));
        below.last().map_or((0, 0), |(pvs, outcomes)| (*pvs, outcomes.lossless))
    }

    fn note(&mut self, pvs: usize, lossless: bool) {
        let outcomes = self.tried.entry(pvs).or_default();
        if lossless {
            outcomes.lossless += 1;
        } else {
            outcomes.lossy += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(most: usize, mut is_lossless: impl FnMut(usize) -> bool) -> (usize, Vec<usize>) {
        let mut search = Search::default();
        let mut tried = Vec::new();
        while let Some(pvs) = search.next(most) {
            tried.push(pvs);
            search.note(pvs, is_lossless(pvs));
            assert!(tried.len() < 100, "{tried:?}");
        }
        (search.good().0, tried)
    }

    #[test]
    fn the_most_is_tried_first_and_confirmed() {
        assert_eq!(found(1000, |_| true), (1000, vec![1000, 1000]));
    }

    #[test]
    fn the_edge_is_found_within_fifteen_per_cent() {
        for edge in [1, 7, 100, 640, 999] {
            let (good, tried) = found(1000, |pvs| pvs <= edge);
            assert!(good <= edge && edge as f64 <= good as f64 * CLOSE_ENOUGH, "{edge}: {good}");
            assert!(tried.len() <= 22, "{tried:?}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_arrives() {
        let (good, tried) = found(1000, |_| false);
        assert_eq!(good, 0);
        assert_eq!(tried.last(), Some(&1));
    }

    #[test]
    fn one_pause_of_the_machine_is_no_limit() {
        let mut seen = 0;
        let (good, tried) = found(1000, |pvs| {
            seen += usize::from(pvs == 1000);
            pvs < 1000 || seen > 1
        });
        assert_eq!((good, tried), (1000, vec![1000; 3]));
    }

    #[test]
    fn a_lucky_count_is_not_found() {
        let mut seen = 0;
        let (good, _) = found(1000, |pvs| {
            seen += usize::from(pvs > 500);
            // The third success above 500 is luck.
            pvs <= 500 || (pvs < 800 && seen == 3)
        });
        assert!((435..=500).contains(&good), "{good}");
    }
}
