//! The figures behind a verdict: one for each block.

use std::collections::{BTreeMap, BTreeSet};

use super::figures::interval;
use super::monitors::growth_over;
use crate::metric::{Metric, Party, Pooled, Timed, cpu_percent, memory_of_run, trusted};
use crate::record::{Record, Scenario};
use crate::scenario::Configuration;
use crate::stats::{Interval, theil_sen};
use crate::worker_protocol::{Mode, Stage};

/// Fewer blocks give no interval at 90 %.
pub(super) const BLOCKS_FOR_AN_INTERVAL: usize = 5;

/// A figure by block.
pub(super) type ByBlock = BTreeMap<usize, f64>;

/// The records of one approach in one configuration that make one measure's figures: for a
/// slope those of all counts of PVs.
pub(super) fn own<'a>(
    records: &[&'a Record],
    measure: Metric,
    configuration: &Configuration,
    approach: &str,
) -> Vec<&'a Record> {
    let is_own = |record: &&&Record| {
        record.approach == approach
            && match measure {
                Metric::ConnectSlope => is_of_slope(record, configuration),
                _ => configuration.holds(record),
            }
    };
    records.iter().filter(is_own).copied().collect()
}

fn is_of_slope(record: &Record, configuration: &Configuration) -> bool {
    (record.scenario, &record.server, record.lookup, record.mode)
        == (Scenario::Connect, &configuration.server, configuration.lookup, Mode::Bulk)
}

/// The figures by block of an approach's own records; `all` are those of every
/// approach.
pub(super) fn by_block(
    all: &[&Record],
    own: &[&Record],
    measure: Metric,
    configuration: &Configuration,
) -> ByBlock {
    if measure == Metric::ConnectSlope {
        return slopes(all, own, configuration);
    }
    own.iter().filter_map(|record| Some((record.block, measure.of(record)?))).collect()
}

/// Parts that a monitor run is cut into where there are too few blocks for an interval: of
/// eight samples it leaves one out at each end, at 93 %.
const PARTS: usize = 8;

/// CPU use by parts of each monitor run, which differ less than blocks do: enough to say that
/// a figure is far from its limit. None for other measures, and with enough blocks.
pub(super) fn by_part(own: &[&Record], measure: Metric, figures: &ByBlock) -> Option<ByBlock> {
    if measure != Metric::CpuUse(Party::Client) || figures.len() >= BLOCKS_FOR_AN_INTERVAL {
        return None;
    }
    let mut parts = ByBlock::new();
    for record in own {
        let Some(monitored) = trusted(record) else { continue };
        let part_ns = monitored.end_ns.saturating_sub(monitored.start_ns) / PARTS as u64;
        for part in 0..PARTS {
            let start_ns = monitored.start_ns + part as u64 * part_ns;
            let percent = cpu_percent(&monitored.client, start_ns, start_ns + part_ns);
            parts.extend(percent.map(|percent| (record.block * PARTS + part, percent)));
        }
    }
    Some(parts)
}

/// What was counted over all blocks, or the interval around the median of what was
/// timed.
pub(super) fn pooled_interval(
    own: &[&Record],
    measure: Metric,
    figures: &ByBlock,
) -> Option<Interval> {
    let values = || figures.values().copied();
    let exactly = |value| Some(Interval::exact(value, figures.len()));
    match measure.row().pooled {
        _ if figures.is_empty() => None,
        Pooled::Growth => growth_between(own, measure),
        Pooled::Sum => exactly(values().sum()),
        Pooled::Peak if figures.len() < BLOCKS_FOR_AN_INTERVAL => {
            exactly(values().fold(f64::NEG_INFINITY, f64::max))
        }
        Pooled::Greatest => exactly(values().fold(0.0, f64::max)),
        Pooled::Median | Pooled::Peak => interval(values()),
    }
}

/// How fast memory grows, over blocks.
fn growth_between(own: &[&Record], measure: Metric) -> Option<Interval> {
    let Metric::Growth(party) = measure else { return None };
    let monitored = own.iter().filter_map(|record| trusted(record));
    growth_over(monitored.map(|one| memory_of_run(one, party.usage(one))).collect())
}

/// The slope of each block that has every count of PVs.
fn slopes(all: &[&Record], own: &[&Record], configuration: &Configuration) -> ByBlock {
    const CONNECT: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };
    let counts: BTreeSet<usize> = all
        .iter()
        .filter(|record| is_of_slope(record, configuration) && CONNECT.of(record).is_some())
        .map(|record| record.pvs)
        .collect();
    let mut points: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
    for record in own {
        if let Some(per_pv) = CONNECT.of(record) {
            let pvs = record.pvs as f64;
            points.entry(record.block).or_default().push((pvs, per_pv * pvs));
        }
    }
    points.retain(|_, points| points.len() == counts.len());
    let slope =
        |(block, points): (usize, Vec<(f64, f64)>)| Some((block, theil_sen(&points)?.slope));
    points.into_iter().filter_map(slope).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The figure of this many blocks with the values 1, 2, 3 and so on: median, low and high.
    fn of_blocks(measure: Metric, count: usize) -> Option<(f64, f64, f64)> {
        let figures = (0..count).map(|block| (block, 1.0 + block as f64)).collect();
        pooled_interval(&[], measure, &figures).map(|found| (found.median, found.low, found.high))
    }

    #[test]
    fn blocks_are_summed_or_the_greatest_or_the_median_is_reported() {
        assert_eq!(of_blocks(Metric::UpdatesLost, 4), Some((10.0, 10.0, 10.0)));
        assert_eq!(of_blocks(Metric::ProcessesLeft, 5), Some((5.0, 5.0, 5.0)));
        let cpu = Metric::CpuUse(Party::Client);
        assert_eq!(of_blocks(cpu, 5), Some((3.0, 1.0, 5.0)));
        assert_eq!(of_blocks(cpu, 0), None);
    }

    #[test]
    fn only_the_cpu_use_of_few_blocks_is_cut_into_parts() {
        let of = |measure, blocks| {
            let figures: ByBlock = (0..blocks).map(|block| (block, 1.0)).collect();
            by_part(&[], measure, &figures).is_some()
        };
        let cpu = Metric::CpuUse(Party::Client);
        assert!(of(cpu, 1) && of(cpu, 4) && !of(cpu, 5));
        assert!(!of(Metric::CpuUse(Party::Server), 1) && !of(Metric::UpdatesLost, 1));
    }

    #[test]
    fn memory_is_the_greatest_until_there_are_blocks_for_an_interval() {
        let memory = Metric::Memory(Party::Client);
        assert_eq!(of_blocks(memory, 4), Some((4.0, 4.0, 4.0)));
        assert_eq!(of_blocks(memory, 5), Some((3.0, 1.0, 5.0)));
    }
}
