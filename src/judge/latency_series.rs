//! Latencies of updates over time, and whether PVs differ.

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{LatencyOverTime, Monitored, SlowestPv};

/// PVs differ when the longest latency of one is so many times that of the median PV. It
/// only decides what is drawn: no verdict depends on it.
const PVS_DIFFER: f64 = 2.0;

/// The latencies of one approach in one configuration over time, in the block with the
/// longest of them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LatencySeries {
    /// How long each slice of time is.
    pub slice_s: f64,
    /// The slices in which updates arrived, in order.
    pub slices: Vec<LatencyAt>,
    /// At least half of the PVs never had a longer latency.
    pub median_pv_ns: i64,
    /// Whether the longest latency of a PV is at least twice that.
    pub pvs_differ: bool,
    /// The PVs with the longest latency, three at most; none where there is one PV.
    pub slowest_pvs: Vec<SlowPv>,
}

/// The latencies in one slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct LatencyAt {
    /// When the slice begins, in seconds after the figures of usage do; negative in the
    /// warm-up.
    pub at_s: f64,
    /// How many updates arrived.
    pub updates: u64,
    /// The median.
    pub p50_ns: i64,
    /// 99 of 100 are not longer.
    pub p99_ns: i64,
    /// The longest.
    pub max_ns: i64,
}

/// One of the PVs with the longest latency.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SlowPv {
    /// Its name.
    pub pv: String,
    /// The longest latency.
    pub max_ns: i64,
    /// When the slice with that begins, in seconds after the figures of usage do.
    pub at_s: f64,
    /// When each slice begins in which an update of it arrived, and its longest latency
    /// there, in ns.
    pub over_time: Vec<(f64, i64)>,
}

impl LatencySeries {
    /// The slice with the longest latency, the first of them.
    pub fn longest(&self) -> Option<&LatencyAt> {
        self.slices.iter().rev().max_by_key(|slice| slice.max_ns)
    }
}

/// None where no worker reported any.
pub(super) fn latency_series(blocks: &[&Monitored]) -> Option<LatencySeries> {
    let reported = blocks.iter().filter_map(|block| {
        let over_time = block.latency_over_time.as_ref()?;
        Some((over_time.slices.iter().map(|slice| slice.max_ns).max()?, over_time, block.start_ns))
    });
    // Of equal ones the first.
    let (longest_ns, over_time, start_ns) =
        reported.reduce(|kept, next| if next.0 > kept.0 { next } else { kept })?;
    Some(series(longest_ns, over_time, start_ns))
}

fn series(longest_ns: i64, over_time: &LatencyOverTime, start_ns: u64) -> LatencySeries {
    let seconds = |at_ns: u64| (at_ns as f64 - start_ns as f64) / 1e9;
    let slices = over_time.slices.iter().map(|slice| LatencyAt {
        at_s: seconds(slice.start_ns),
        updates: slice.count,
        p50_ns: slice.p50_ns,
        p99_ns: slice.p99_ns,
        max_ns: slice.max_ns,
    });
    let slow = |one: &SlowestPv| {
        let over_time: Vec<(f64, i64)> =
            one.longest_ns.iter().map(|(at_ns, ns)| (seconds(*at_ns), *ns)).collect();
        let (at_s, max_ns) = over_time.iter().rev().max_by_key(|(_, ns)| *ns).copied()?;
        Some(SlowPv { pv: one.pv.clone(), max_ns, at_s, over_time })
    };
    let slowest_pvs: Vec<SlowPv> = over_time.slowest_pvs.iter().filter_map(slow).collect();
    let differ = longest_ns > 0 && longest_ns as f64 >= PVS_DIFFER * over_time.median_pv_ns as f64;
    LatencySeries {
        slice_s: over_time.slice_ns as f64 / 1e9,
        slices: slices.collect(),
        median_pv_ns: over_time.median_pv_ns,
        pvs_differ: differ && !slowest_pvs.is_empty(),
        slowest_pvs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Load, Usage};
    use crate::worker_protocol::LatencySlice;

    /// One update in each slice of a second, with these latencies; figures begin at 11 s.
    fn block(longest_ns: &[i64], median_pv_ns: i64) -> Monitored {
        let at_ns = |at: usize| 10_000_000_000 + at as u64 * 1_000_000_000;
        let slices = longest_ns.iter().enumerate().map(|(at, ns)| LatencySlice {
            start_ns: at_ns(at),
            count: 1,
            p50_ns: *ns,
            p99_ns: *ns,
            max_ns: *ns,
        });
        let slow = longest_ns.iter().enumerate().map(|(at, ns)| (at_ns(at), *ns)).collect();
        Monitored {
            latency_over_time: Some(LatencyOverTime {
                slice_ns: 1_000_000_000,
                slices: slices.collect(),
                median_pv_ns,
                slowest_pvs: vec![SlowestPv { pv: "gauge:7".to_owned(), longest_ns: slow }],
            }),
            ..without()
        }
    }

    fn without() -> Monitored {
        Monitored {
            start_ns: 11_000_000_000,
            end_ns: 14_000_000_000,
            made_hz: 1.0,
            steady: None,
            cores: None,
            expected: 0,
            received: 0,
            repeated: 0,
            late: 0,
            silent: 0,
            latencies: Vec::new(),
            server_counters: Default::default(),
            library_counters: Default::default(),
            client: Usage::default(),
            server: Usage::default(),
            sampler_cpu_ns: 0,
            machine: None,
            network: None,
            recovery: None,
            losses: None,
            latency_over_time: None,
        }
    }

    #[test]
    fn the_block_with_the_longest_latency_counts_and_the_warm_up_is_before_0() {
        let series = latency_series(&[&block(&[5, 5], 5), &without(), &block(&[1, 2, 90, 3], 2)]);
        let series = series.unwrap();
        let at: Vec<(f64, i64)> =
            series.slices.iter().map(|slice| (slice.at_s, slice.max_ns)).collect();
        assert_eq!(at, [(-1.0, 1), (0.0, 2), (1.0, 90), (2.0, 3)]);
        assert_eq!(series.longest().unwrap().at_s, 1.0);
        let slowest = &series.slowest_pvs[0];
        assert_eq!((slowest.max_ns, slowest.at_s, slowest.over_time.len()), (90, 1.0, 4));
        assert_eq!(latency_series(&[&without()]), None);
    }

    #[test]
    fn pvs_differ_when_the_slowest_takes_twice_as_long_as_the_median() {
        let differ = |longest_ns, median_pv_ns| {
            latency_series(&[&block(&[1, longest_ns], median_pv_ns)]).unwrap().pvs_differ
        };
        assert_eq!([differ(19, 10), differ(20, 10)], [false, true]);
    }

    #[test]
    fn a_row_of_a_report_holds_them() {
        let row = super::super::monitors::row(
            &[&block(&[4], 4)],
            crate::protocol::Protocol::Ca,
            &Load::of_scalars(1.0, 3.0),
        );
        assert_eq!(row.latency_series.unwrap().slices.len(), 1);
    }
}
