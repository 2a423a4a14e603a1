//! Which PVs lost updates, and when: no I/O, no clock.

use std::collections::BTreeMap;

use super::arrivals::{Gap, Tally};
use crate::record::{Losses, PvLosses};

/// How many of the PVs with the most losses are named.
const MOST_NAMED: usize = 5;

/// Losses over time have a point for each tenth of a second.
const SLOT_NS: u64 = 100_000_000;

/// The losses of all IOC processes from `start_ns` to `end_ns`; none without losses. `name` is
/// the name of a PV.
pub(super) fn losses(
    tallies: &[Tally],
    (start_ns, end_ns): (u64, u64),
    name: impl Fn(usize) -> String,
) -> Option<Losses> {
    let mut pvs: BTreeMap<usize, PvLosses> = BTreeMap::new();
    let mut slots: BTreeMap<u64, u64> = BTreeMap::new();
    for gap in tallies.iter().flat_map(|tally| &tally.gaps) {
        // What was due before figures begin, or had not come at the end, is seen there.
        let seen_ns = gap.seen_ns.unwrap_or(end_ns).clamp(start_ns, end_ns) - start_ns;
        *slots.entry(seen_ns / SLOT_NS * SLOT_NS).or_default() += gap.updates;
        note(pvs.entry(gap.pv).or_default(), gap, seen_ns as f64 / 1e9);
    }
    if pvs.is_empty() {
        return None;
    }
    let count = pvs.len() as u64;
    let named = pvs.into_iter().map(|(pv, losses)| PvLosses { pv: name(pv), ..losses });
    let mut most: Vec<PvLosses> = named.collect();
    most.sort_by_key(|losses| std::cmp::Reverse(losses.lost));
    most.truncate(MOST_NAMED);
    Some(Losses { pvs: count, most, course_ns: slots.into_iter().collect() })
}

fn note(losses: &mut PvLosses, gap: &Gap, seen_s: f64) {
    if losses.lost == 0 {
        losses.first_s = seen_s;
    }
    losses.lost += gap.updates;
    losses.first_s = losses.first_s.min(seen_s);
    losses.last_s = losses.last_s.max(seen_s);
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn gap(pv: usize, seen_s: Option<f64>, updates: u64) -> Gap {
        Gap { pv, seen_ns: seen_s.map(|seen_s| (seen_s * 1e9) as u64), updates }
    }

    fn of(gaps: Vec<Gap>) -> Option<Losses> {
        let tally = Tally { gaps, ..Tally::default() };
        losses(&[tally], (10 * SECOND, 20 * SECOND), |pv| format!("pv:{pv}"))
    }

    #[test]
    fn those_that_lost_most_are_named_with_the_time_of_their_losses() {
        let found =
            of(vec![gap(1, Some(12.0), 2), gap(3, Some(14.25), 5), gap(1, Some(13.5), 4)]).unwrap();
        assert_eq!(found.pvs, 2);
        let of =
            |pv: &str, lost, first_s, last_s| PvLosses { pv: pv.to_owned(), lost, first_s, last_s };
        assert_eq!(found.most, [of("pv:1", 6, 2.0, 3.5), of("pv:3", 5, 4.25, 4.25)]);
        assert_eq!(found.course_ns, [(2 * SECOND, 2), (7 * SECOND / 2, 4), (42 * SECOND / 10, 5)]);
    }

    #[test]
    fn what_never_came_is_seen_at_the_end_and_what_was_due_earlier_at_the_start() {
        let found = of(vec![gap(0, Some(9.0), 1), gap(0, None, 2)]).unwrap();
        assert_eq!((found.most[0].first_s, found.most[0].last_s), (0.0, 10.0));
    }

    #[test]
    fn five_are_named_at_most_and_none_where_nothing_was_lost() {
        let found = of((0..9).map(|pv| gap(pv, Some(11.0), 1)).collect()).unwrap();
        assert_eq!((found.pvs, found.most.len()), (9, 5));
        assert_eq!(of(Vec::new()), None);
    }
}
