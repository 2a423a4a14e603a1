//! A worker's latencies over time: checks them against its other latencies and records them. No
//! I/O, no clock.

use crate::record;
use crate::units::counted;
use crate::worker_protocol::{LatencyOverTime, Updates};

/// Checks that the series contradict neither themselves nor the other latencies.
///
/// # Errors
/// The first contradiction, and where it is.
pub(super) fn check(updates: &Updates, pvs: usize) -> Result<(), String> {
    let Some(series) = &updates.latency_over_time else { return Ok(()) };
    let total = |counts: &mut dyn Iterator<Item = u64>| counts.fold(0, u64::saturating_add);
    let in_slices = total(&mut series.slices.iter().map(|slice| slice.count));
    let in_all = total(&mut updates.latencies.iter().map(|(_, count)| *count));
    if in_slices != in_all {
        return wrong(&format!(
            "its slices hold {}, `latencies` {in_all}",
            counted(in_slices as usize, "update")
        ));
    }
    for (number, slice) in series.slices.iter().enumerate() {
        if slice.count == 0 || slice.p50_ns > slice.p99_ns || slice.p99_ns > slice.max_ns {
            return wrong(&format!("slice {number} is empty or its percentiles fall: {slice:?}"));
        }
    }
    check_order("slices", series.slices.iter().map(|slice| slice.start_ns), series)?;
    for slowest in &series.slowest_pvs {
        if slowest.pv >= pvs {
            return wrong(&format!("PV index {} is not in the job", slowest.pv));
        }
        let what = format!("the slices of PV {}", slowest.pv);
        check_order(&what, slowest.longest_ns.iter().map(|(start_ns, _)| *start_ns), series)?;
    }
    Ok(())
}

fn check_order(
    what: &str,
    starts_ns: impl Iterator<Item = u64>,
    series: &LatencyOverTime,
) -> Result<(), String> {
    let starts_ns: Vec<u64> = starts_ns.collect();
    let follows = |pair: &[u64]| {
        pair[1].checked_sub(pair[0]).is_some_and(|ns| ns > 0 && ns >= series.slice_ns)
    };
    match starts_ns.windows(2).find(|pair| !follows(pair)) {
        Some(pair) => wrong(&format!(
            "{what} overlap: one begins at {} ns, the next at {} ns, each has {} ns",
            pair[0], pair[1], series.slice_ns
        )),
        None => Ok(()),
    }
}

fn wrong(what: &str) -> Result<(), String> {
    Err(format!("`latency_over_time` of the updates is wrong: {what}"))
}

/// The series with the names of PVs.
pub(super) fn recorded(
    series: LatencyOverTime,
    name: impl Fn(usize) -> String,
) -> record::LatencyOverTime {
    let slowest = series.slowest_pvs.into_iter();
    record::LatencyOverTime {
        slice_ns: series.slice_ns,
        slices: series.slices,
        median_pv_ns: series.median_pv_ns,
        slowest_pvs: slowest
            .map(|one| record::SlowestPv { pv: name(one.pv), longest_ns: one.longest_ns })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker_protocol::{LatencySlice, SlowestPv};

    /// Three updates in two slices; PV 1 was the slow one.
    fn honest() -> Updates {
        let slice = |start_ns, count, max_ns| LatencySlice {
            start_ns,
            count,
            p50_ns: 10,
            p99_ns: max_ns,
            max_ns,
        };
        Updates {
            latencies: vec![(10, 2), (90, 1)],
            latency_over_time: Some(LatencyOverTime {
                slice_ns: 100,
                slices: vec![slice(1000, 2, 90), slice(1200, 1, 10)],
                median_pv_ns: 10,
                slowest_pvs: vec![SlowestPv { pv: 1, longest_ns: vec![(1000, 90), (1200, 10)] }],
            }),
            ..Updates::default()
        }
    }

    fn refused(change: impl Fn(&mut LatencyOverTime)) -> String {
        let mut updates = honest();
        change(updates.latency_over_time.as_mut().unwrap());
        check(&updates, 2).unwrap_err()
    }

    #[test]
    fn series_that_fit_and_none_are_accepted() {
        assert_eq!(check(&honest(), 2), Ok(()));
        assert_eq!(check(&Updates { latency_over_time: None, ..honest() }, 2), Ok(()));
    }

    #[test]
    fn series_that_contradict_themselves_are_refused() {
        let holds = |message: String, words: &str| assert!(message.contains(words), "{message}");
        holds(refused(|series| series.slices[0].count = 5), "hold 6 updates, `latencies` 3");
        holds(refused(|series| series.slices[1].p50_ns = 11), "slice 1 is empty or its percent");
        holds(refused(|series| series.slices[1].p99_ns = 11), "slice 1 is empty or its percent");
        holds(refused(|series| series.slices[1].start_ns = 1099), "slices overlap: one begins");
        holds(refused(|series| series.slices[1].start_ns = 0), "the next at 0 ns");
        holds(refused(|series| series.slowest_pvs[0].pv = 2), "PV index 2 is not in the job");
        let overlap = |series: &mut LatencyOverTime| series.slowest_pvs[0].longest_ns[1].0 = 1001;
        holds(refused(overlap), "the slices of PV 1 overlap");
        let empty = |series: &mut LatencyOverTime| {
            series.slices[0].count = 3;
            series.slices[1].count = 0;
        };
        holds(refused(empty), "slice 1 is empty");
    }

    #[test]
    fn pvs_are_recorded_by_their_names() {
        let series = honest().latency_over_time.unwrap();
        let recorded = recorded(series.clone(), |pv| format!("pv:{pv}"));
        assert_eq!(recorded.slices, series.slices);
        assert_eq!(recorded.slowest_pvs[0].pv, "pv:1");
        assert_eq!(recorded.slowest_pvs[0].longest_ns, [(1000, 90), (1200, 10)]);
    }
}
