//! The figures behind a verdict: one for each block.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::CellKey;
use super::figures::interval;
use super::limits::Measure;
use super::monitors::{cpu_percent, growth_between, mean_cpu_percent, trusted, watched_memory};
use super::{CONFIDENCE_WANTED, Metric};
use crate::record::{FailureKind, Monitored, Record, Scenario};
use crate::scenario::is_answer;
use crate::stats::{Interval, growth, theil_sen};
use crate::worker_protocol::{Mode, Stage};

/// Fewer blocks give no interval at 90 %.
pub(super) const BLOCKS_FOR_AN_INTERVAL: usize = 5;

/// A figure by block.
pub(super) type ByBlock = BTreeMap<usize, f64>;

/// The records of one approach in one cell that make one measure's figures: for a
/// slope those of all counts of PVs.
pub(super) fn own<'a>(
    records: &[&'a Record],
    measure: Measure,
    cell: &CellKey,
    approach: &str,
) -> Vec<&'a Record> {
    let is_own = |record: &&&Record| {
        record.approach == approach
            && match measure {
                Measure::ConnectSlope => is_of_slope(record, cell),
                _ => cell.holds(record),
            }
    };
    records.iter().filter(is_own).copied().collect()
}

fn is_of_slope(record: &Record, cell: &CellKey) -> bool {
    (record.scenario, &record.server, record.mode) == (Scenario::Connect, &cell.server, Mode::Bulk)
}

/// The figures by block of an approach's own records; `all` are those of every
/// approach.
pub(super) fn by_block(
    all: &[&Record],
    own: &[&Record],
    measure: Measure,
    cell: &CellKey,
) -> ByBlock {
    if measure == Measure::ConnectSlope {
        return slopes(all, own, cell);
    }
    own.iter().filter_map(|record| Some((record.block, figure(record, measure)?))).collect()
}

/// Parts that a watch is cut into where there are too few blocks for an interval: of
/// eight samples it leaves one out at each end, at 93 %.
const PARTS: usize = 8;

/// CPU use by parts of each watch, which differ less than blocks do: enough to say that
/// a figure is far from its limit. None for other measures, and with enough blocks.
pub(super) fn by_part(own: &[&Record], measure: Measure, figures: &ByBlock) -> Option<ByBlock> {
    if measure != Measure::ClientCpu || figures.len() >= BLOCKS_FOR_AN_INTERVAL {
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

fn figure(record: &Record, measure: Measure) -> Option<f64> {
    match measure {
        Measure::Time(metric) => metric.of(record),
        Measure::ValuesWrong => Some(f64::from(u8::from(is_wrong(record)))),
        Measure::WorkersFailed => Some(f64::from(u8::from(has_failed(record)))),
        Measure::ConnectSlope | Measure::ProcessesLeft => None,
        _ => monitored_figure(trusted(record)?, record, measure),
    }
}

fn monitored_figure(monitored: &Monitored, record: &Record, measure: Measure) -> Option<f64> {
    match measure {
        Measure::ClientCpu => mean_cpu_percent(monitored, &monitored.client),
        Measure::ClientMemory => {
            // The samples have its descendants too, its own peak is exact.
            let watched = watched_memory(monitored, &monitored.client);
            let most = watched.iter().map(|(_, bytes)| *bytes).max()?;
            let most = most.max(monitored.client.peak_rss_bytes);
            Some(most.saturating_sub(watched.first()?.1) as f64)
        }
        Measure::Growth => {
            Some(growth(&watched_memory(monitored, &monitored.client), CONFIDENCE_WANTED)?.median)
        }
        Measure::UpdatesLost => Some(monitored.lost() as f64),
        Measure::BytesOverLeast => {
            let network = monitored.network?;
            let over = network.received_bytes.saturating_sub(network.least_bytes?);
            Some((over / monitored.received.max(1)) as f64)
        }
        Measure::Subscriptions => {
            let asked = record.pvs * record.load?.monitors;
            let counted = monitored.server_counters.subscriptions?;
            Some(counted.abs_diff(asked as u64) as f64)
        }
        Measure::PvsLeftBehind => {
            let recovery = monitored.recovery?;
            Some(recovery.wanted.saturating_sub(recovery.recovered) as f64)
        }
        _ => None,
    }
}

/// What was counted over all blocks, or the interval around the median of what was
/// timed.
pub(super) fn told(own: &[&Record], measure: Measure, figures: &ByBlock) -> Option<Interval> {
    let values = || figures.values().copied();
    match measure {
        _ if figures.is_empty() => None,
        Measure::Growth => growth_between(own.iter().filter_map(|record| trusted(record))),
        Measure::ValuesWrong | Measure::WorkersFailed | Measure::UpdatesLost => {
            Some(Interval::exact(values().sum(), figures.len()))
        }
        // A peak was counted, so one block can show that it was low.
        Measure::ClientMemory if figures.len() < BLOCKS_FOR_AN_INTERVAL => {
            Some(Interval::exact(values().fold(f64::NEG_INFINITY, f64::max), figures.len()))
        }
        _ if measure.is_exact() => {
            Some(Interval::exact(values().fold(0.0, f64::max), figures.len()))
        }
        _ => interval(values()),
    }
}

/// The slope of each block that has every count of PVs.
fn slopes(all: &[&Record], own: &[&Record], cell: &CellKey) -> ByBlock {
    const CONNECT: Metric = Metric { stage: Stage::Connect, mode: Mode::Bulk };
    let counts: BTreeSet<usize> = all
        .iter()
        .filter(|record| is_of_slope(record, cell) && CONNECT.of(record).is_some())
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

/// Whether the worker brought what the server never made so.
pub(super) fn is_wrong(record: &Record) -> bool {
    let is_wrong = |kind| matches!(kind, FailureKind::WrongValue | FailureKind::WrongUpdate);
    record.failure.as_ref().is_some_and(|failure| is_wrong(failure.kind))
}

/// Whether the worker failed in another way, which is not an answer.
pub(super) fn has_failed(record: &Record) -> bool {
    record.failure.is_some() && !is_wrong(record) && !is_answer(record)
}
