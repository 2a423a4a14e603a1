//! How connecting grows with the count of PVs: slope and intercept.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::failed::FailedApproaches;
use super::figures::{difference, interval};
use crate::lookup::Lookup;
use crate::metric::Timed;
use crate::record::{Record, RunRecords, Scenario};
use crate::stats::{Interval, theil_sen};
use crate::worker_protocol::{Mode, Stage};

/// One approach's line through connect times over counts of PVs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Scaling {
    /// The server's name.
    pub server: String,
    /// How PVs were found.
    pub lookup: Lookup,
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// The most PVs of the run.
    pub most_pvs: usize,
    /// Seconds per further PV.
    pub slope_s: Interval,
    /// Seconds that no count of PVs explains: search timers, mostly.
    pub intercept_s: Interval,
    /// The slope over the floor's, within blocks.
    pub over_floor_s: Option<Interval>,
    /// The slope over the least of the other approaches, within blocks.
    pub over_fastest_s: Option<Interval>,
    /// The approach with the least slope, the floor apart.
    pub fastest: Option<String>,
}

const CONNECT: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };

type ByBlock = BTreeMap<usize, f64>;

/// Counts of PVs and the seconds to connect them.
type PointsByBlock = BTreeMap<usize, Vec<(f64, f64)>>;

/// A server, and how its PVs are found.
type Found<'a> = (&'a str, Lookup);

/// Slopes of bulk connects on each server by each lookup, for runs with at least two
/// counts of PVs; a block counts for an approach when it has every count.
pub(super) fn scaling(run: &RunRecords, failed: &FailedApproaches) -> Vec<Scaling> {
    let all: BTreeSet<Found<'_>> = run.records.iter().map(found_by).collect();
    all.into_iter().flat_map(|found| of_found(run, found, failed)).collect()
}

fn found_by(record: &Record) -> Found<'_> {
    (&record.server, record.lookup)
}

fn of_found(run: &RunRecords, found: Found<'_>, failed: &FailedApproaches) -> Vec<Scaling> {
    let mut points: BTreeMap<&str, PointsByBlock> = BTreeMap::new();
    let mut counts: Vec<usize> = Vec::new();
    let is_bulk = |record: &&Record| {
        (record.scenario, found_by(record), record.mode) == (Scenario::Connect, found, Mode::Bulk)
    };
    // A line through the counts where an approach did not fail says nothing of it.
    for record in run.records.iter().filter(is_bulk).filter(|record| !failed.holds(record)) {
        let Some(per_pv) = CONNECT.of(record) else { continue };
        let pvs = record.pvs as f64;
        let blocks = points.entry(&record.approach).or_default();
        blocks.entry(record.block).or_default().push((pvs, per_pv * pvs));
        if !counts.contains(&record.pvs) {
            counts.push(record.pvs);
        }
    }
    let most_pvs = counts.iter().copied().max().unwrap_or(0);
    let lines: BTreeMap<&str, (ByBlock, ByBlock)> = points
        .into_iter()
        .map(|(approach, blocks)| {
            let (mut slopes, mut intercepts) = (ByBlock::new(), ByBlock::new());
            for (block, points) in blocks {
                if points.len() == counts.len()
                    && let Some(line) = theil_sen(&points)
                {
                    slopes.insert(block, line.slope);
                    intercepts.insert(block, line.intercept);
                }
            }
            (approach, (slopes, intercepts))
        })
        .filter(|(_, (slopes, _))| !slopes.is_empty())
        .collect();
    compared(run, found, &lines, most_pvs)
}

fn compared(
    run: &RunRecords,
    (server, lookup): Found<'_>,
    lines: &BTreeMap<&str, (ByBlock, ByBlock)>,
    most_pvs: usize,
) -> Vec<Scaling> {
    let slopes = |name: &str| lines.get(name).map(|(slopes, _)| slopes);
    let facts = &run.run.approaches;
    let floor_of = |protocol| slopes(&run.run.floor_of(protocol)?.name);
    let fastest = facts
        .iter()
        .filter(|facts| !facts.floor)
        .filter_map(|facts| Some((&facts.name, slopes(&facts.name)?)))
        .filter_map(|(name, slopes)| {
            Some((name, slopes, interval(slopes.values().copied())?.median))
        })
        .min_by(|(_, _, a), (_, _, b)| a.total_cmp(b));
    facts
        .iter()
        .filter_map(|facts| {
            let (slopes, intercepts) = lines.get(facts.name.as_str())?;
            Some(Scaling {
                server: server.to_owned(),
                lookup,
                approach: facts.name.clone(),
                floor: facts.floor,
                most_pvs,
                slope_s: interval(slopes.values().copied())?,
                intercept_s: interval(intercepts.values().copied())?,
                over_floor_s: floor_of(facts.protocol).and_then(|floor| difference(slopes, floor)),
                over_fastest_s: fastest.and_then(|(_, fastest, _)| difference(slopes, fastest)),
                fastest: fastest.map(|(name, _, _)| name.clone()),
            })
        })
        .collect()
}
