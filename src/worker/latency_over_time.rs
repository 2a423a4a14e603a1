//! Latencies of updates over time, and the PVs with the longest: computed after the
//! collecting time, from what callbacks recorded.

use crate::worker_protocol::{LatencyOverTime, LatencySlice, SlowestPv};

/// The time in which updates arrived is cut into at most so many slices.
const MOST_SLICES: i64 = 60;

/// No slice is shorter: one scan at 10 Hz.
const SHORTEST_SLICE_NS: i64 = 100_000_000;

/// So many of the PVs with the longest latency have a series of their own.
const SLOWEST_PVS: usize = 3;

/// One update that has a latency. Its moment is on the system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timed {
    pub(super) pv: usize,
    pub(super) arrived_ns: i64,
    pub(super) latency_ns: i64,
}

/// The series of these updates of `pvs` PVs; none where there are no updates.
pub(super) fn latency_over_time<I>(updates: I, pvs: usize) -> Option<LatencyOverTime>
where
    I: Iterator<Item = Timed> + Clone,
{
    let slicing = Slicing::of(updates.clone().map(|one| one.arrived_ns))?;
    let mut latencies: Vec<Vec<i64>> = vec![Vec::new(); MOST_SLICES as usize];
    let mut longest_ns: Vec<Option<i64>> = vec![None; pvs];
    for one in updates.clone() {
        latencies[slicing.slice(one.arrived_ns)].push(one.latency_ns);
        let longest = &mut longest_ns[one.pv];
        *longest = (*longest).max(Some(one.latency_ns));
    }
    let slices = latencies.into_iter().enumerate();
    let mut by_longest: Vec<(i64, usize)> =
        longest_ns.iter().enumerate().filter_map(|(pv, longest)| Some(((*longest)?, pv))).collect();
    by_longest.sort_unstable_by_key(|(longest, pv)| (std::cmp::Reverse(*longest), *pv));
    Some(LatencyOverTime {
        slice_ns: slicing.slice_ns as u64,
        slices: slices.filter_map(|(at, of)| figures(slicing.start_ns(at), of)).collect(),
        median_pv_ns: by_longest[by_longest.len() / 2].0,
        slowest_pvs: slowest(updates, slicing, &by_longest),
    })
}

/// How time is cut.
#[derive(Debug, Clone, Copy)]
struct Slicing {
    first_ns: i64,
    slice_ns: i64,
}

impl Slicing {
    /// From the first arrival to the last.
    fn of(arrivals_ns: impl Iterator<Item = i64> + Clone) -> Option<Slicing> {
        let (first_ns, last_ns) = (arrivals_ns.clone().min()?, arrivals_ns.max()?);
        let slice_ns = ((last_ns - first_ns) / MOST_SLICES + 1).max(SHORTEST_SLICE_NS);
        Some(Slicing { first_ns, slice_ns })
    }

    fn slice(self, arrived_ns: i64) -> usize {
        ((arrived_ns - self.first_ns) / self.slice_ns) as usize
    }

    fn start_ns(self, slice: usize) -> u64 {
        u64::try_from(self.first_ns + slice as i64 * self.slice_ns).unwrap_or(0)
    }
}

/// None where no update arrived.
fn figures(start_ns: u64, mut latencies_ns: Vec<i64>) -> Option<LatencySlice> {
    latencies_ns.sort_unstable();
    let count = latencies_ns.len();
    let max_ns = *latencies_ns.last()?;
    let at = |percent: usize| latencies_ns[(count * percent).div_ceil(100) - 1];
    Some(LatencySlice { start_ns, count: count as u64, p50_ns: at(50), p99_ns: at(99), max_ns })
}

/// One PV alone is what the slices show.
fn slowest(
    updates: impl Iterator<Item = Timed>,
    slicing: Slicing,
    by_longest: &[(i64, usize)],
) -> Vec<SlowestPv> {
    if by_longest.len() < 2 {
        return Vec::new();
    }
    let pvs: Vec<usize> = by_longest.iter().take(SLOWEST_PVS).map(|(_, pv)| *pv).collect();
    let mut slices = vec![vec![None; MOST_SLICES as usize]; pvs.len()];
    for one in updates {
        if let Some(place) = pvs.iter().position(|pv| *pv == one.pv) {
            let longest = &mut slices[place][slicing.slice(one.arrived_ns)];
            *longest = (*longest).max(Some(one.latency_ns));
        }
    }
    let series = |slices: Vec<Option<i64>>| {
        let each = slices.into_iter().enumerate();
        each.filter_map(|(slice, longest)| Some((slicing.start_ns(slice), longest?))).collect()
    };
    pvs.into_iter().zip(slices).map(|(pv, of)| SlowestPv { pv, longest_ns: series(of) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// Updates of 4 PVs, each every 100 ms for 6 s from 10 s on, with the latency that
    /// `latency_ms` gives for a PV and a scan.
    fn series(latency_ms: impl Fn(usize, i64) -> i64) -> LatencyOverTime {
        let updates: Vec<Timed> = (0..60)
            .flat_map(|scan| (0..4).map(move |pv| (pv, scan)))
            .map(|(pv, scan)| Timed {
                pv,
                arrived_ns: 10_000 * MS + scan * 100 * MS + pv as i64,
                latency_ns: latency_ms(pv, scan) * MS,
            })
            .collect();
        latency_over_time(updates.iter().copied(), 5).unwrap()
    }

    #[test]
    fn a_delay_in_one_slice_is_in_that_slice_alone() {
        let series = series(|_, scan| if scan == 17 { 40 } else { 2 });
        assert_eq!((series.slices.len(), series.slice_ns), (60, 100 * MS as u64));
        for (at, slice) in series.slices.iter().enumerate() {
            let latency_ns = if at == 17 { 40 * MS } else { 2 * MS };
            let start_ns = (10_000 + 100 * at as u64) * MS as u64;
            let [p50_ns, p99_ns, max_ns] = [latency_ns; 3];
            let expected = LatencySlice { start_ns, count: 4, p50_ns, p99_ns, max_ns };
            assert_eq!(*slice, expected);
        }
        assert_eq!(series.median_pv_ns, 40 * MS, "all PVs were late");
    }

    #[test]
    fn a_pv_that_is_late_once_is_the_slowest_and_only_then() {
        let series = series(|pv, scan| if (pv, scan) == (2, 30) { 50 } else { 1 });
        assert_eq!(series.median_pv_ns, MS);
        let slowest = &series.slowest_pvs[0];
        assert_eq!((slowest.pv, series.slowest_pvs.len()), (2, SLOWEST_PVS));
        let late: Vec<_> = slowest.longest_ns.iter().filter(|(_, ns)| *ns > MS).collect();
        assert_eq!(late, [&(13_000 * MS as u64, 50 * MS)]);
        let others = series.slowest_pvs[1..].iter().flat_map(|pv| &pv.longest_ns);
        assert!(others.clone().count() == 120 && others.clone().all(|(_, ns)| *ns == MS));
    }

    #[test]
    fn percentiles_are_latencies_that_so_many_are_not_longer_than() {
        let of = |latencies: &[i64]| figures(7, latencies.to_vec()).unwrap();
        let hundred: Vec<i64> = (1..=100).rev().collect();
        let slice = of(&hundred);
        assert_eq!((slice.count, slice.p50_ns, slice.p99_ns, slice.max_ns), (100, 50, 99, 100));
        let slice = of(&[-3, 9]);
        assert_eq!((slice.p50_ns, slice.p99_ns, slice.max_ns), (-3, 9, 9));
        assert_eq!(figures(7, Vec::new()), None);
    }

    #[test]
    fn a_long_time_has_longer_slices_and_empty_ones_are_left_out() {
        let at = |arrived_ns| Timed { pv: 0, arrived_ns, latency_ns: 5 };
        let updates = [at(0), at(600_000 * MS), at(600_000 * MS - 1)];
        let series = latency_over_time(updates.iter().copied(), 1).unwrap();
        assert_eq!(series.slice_ns, 10_000 * MS as u64 + 1);
        let counts: Vec<u64> = series.slices.iter().map(|slice| slice.count).collect();
        assert_eq!((counts, series.slowest_pvs), (vec![1, 2], Vec::new()));
        assert_eq!(latency_over_time(std::iter::empty(), 1), None);
    }
}
