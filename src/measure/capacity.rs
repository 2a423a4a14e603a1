//! The search for the most PVs at a rate that an approach takes without loss.

use super::Cell;
use crate::record::Record;
use crate::scenario::is_answer_of_a_search;

/// The search ends when the least count that was too much is at most this much
/// greater than the most that was not.
const CLOSE_ENOUGH: f64 = 1.15;

/// A server that makes fewer than this part of its updates did not hold its
/// rate, whatever arrived of them.
const RATE_HELD: f64 = 0.98;

/// How often the most that was found is measured in all, each time afresh.
const CONFIRMATIONS: usize = 2;

/// Searches below `cell.pvs`, by halving the logarithm; `probe` runs one worker
/// and gives its record, or nothing when the run was interrupted. A count is
/// found when it arrived without loss as often as asked; one loss is enough to
/// call it too much.
///
/// Returns whether it ran to its end.
pub(super) fn search<E>(
    cell: &Cell,
    mut probe: impl FnMut(&Cell) -> Result<Option<Record>, E>,
) -> Result<bool, E> {
    let mut search = Search { good: 0, good_seen: 0, bad: None };
    while let Some(pvs) = search.next(cell.pvs) {
        let Some(record) = probe(&Cell { pvs, ..cell.clone() })? else { return Ok(false) };
        if record.failure.is_some() && !is_answer_of_a_search(&record) {
            return Ok(true);
        }
        search.note(pvs, is_lossless(&record));
    }
    Ok(true)
}

/// Whether the server made all updates and all arrived.
fn is_lossless(record: &Record) -> bool {
    record.monitored.as_ref().zip(record.load).is_some_and(|(monitored, load)| {
        monitored.lost() == 0 && monitored.made_hz >= RATE_HELD * load.rate_hz
    })
}

/// What is known so far.
#[derive(Debug)]
struct Search {
    /// The most without loss, and how often it was seen so.
    good: usize,
    good_seen: usize,
    /// The least with loss.
    bad: Option<usize>,
}

impl Search {
    /// The count to be tried next; none when the search is over.
    fn next(&self, most: usize) -> Option<usize> {
        let Some(bad) = self.bad else {
            return (self.good < most || self.good_seen < CONFIRMATIONS).then_some(most);
        };
        let is_close = bad <= self.good + 1 || bad as f64 <= self.good as f64 * CLOSE_ENOUGH;
        if !is_close {
            let middle = ((self.good.max(1) as f64) * bad as f64).sqrt().round() as usize;
            return Some(middle.clamp(self.good + 1, bad - 1));
        }
        (self.good > 0 && self.good_seen < CONFIRMATIONS).then_some(self.good)
    }

    fn note(&mut self, pvs: usize, lossless: bool) {
        if !lossless {
            self.bad = Some(self.bad.map_or(pvs, |bad| bad.min(pvs)));
            if self.good >= pvs {
                // It was not confirmed: search below.
                (self.good, self.good_seen) = (0, 0);
            }
        } else if pvs == self.good {
            self.good_seen += 1;
        } else if pvs > self.good {
            (self.good, self.good_seen) = (pvs, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(most: usize, mut is_lossless: impl FnMut(usize) -> bool) -> (usize, Vec<usize>) {
        let mut search = Search { good: 0, good_seen: 0, bad: None };
        let mut tried = Vec::new();
        while let Some(pvs) = search.next(most) {
            tried.push(pvs);
            search.note(pvs, is_lossless(pvs));
            assert!(tried.len() < 100, "{tried:?}");
        }
        (search.good, tried)
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
            assert!(tried.len() <= 13, "{tried:?}");
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_arrives() {
        let (good, tried) = found(1000, |_| false);
        assert_eq!(good, 0);
        assert_eq!(tried.last(), Some(&1));
    }

    #[test]
    fn a_count_that_is_not_confirmed_is_not_found() {
        let mut seen = 0;
        let (good, _) = found(1000, |pvs| {
            seen += usize::from(pvs > 500);
            // The first success above 500 is luck.
            pvs <= 500 || (pvs < 800 && seen <= 3)
        });
        assert!((435..=500).contains(&good), "{good}");
    }
}
