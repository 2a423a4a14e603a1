//! Figures per configuration and stage: medians, and paired differences to the floor and
//! to the fastest.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use super::default_gets::{DefaultGets, default_gets};
use super::failed::FailedApproaches;
use super::verdict::Verdict;
use crate::lookup::Lookup;
use crate::metric::Timed;
use crate::record::{Record, RunRecords, Scenario};
use crate::stats::{
    Interval, Percentiles, counted_once, median, median_interval, percentiles, two_modes,
};
use crate::worker_protocol::Mode;

/// The figures of one metric in one configuration.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Figures {
    /// The scenario's name.
    pub scenario: Scenario,
    /// The server's name.
    pub server: String,
    /// How many PVs were connected.
    pub pvs: usize,
    /// How they were connected.
    pub connected: Mode,
    /// How they were found.
    pub lookup: Lookup,
    /// What is compared.
    pub metric: Timed,
    /// The fastest approach, the floor apart.
    pub fastest: Option<String>,
    /// One row per approach, in the order of the catalogue.
    pub rows: Vec<Row>,
}

impl Figures {
    /// Whether a verdict is on the configuration of these figures.
    pub fn has(&self, verdict: &Verdict) -> bool {
        verdict.scenario == Some(self.scenario)
            && verdict.server == self.server
            && (verdict.pvs, verdict.connected, verdict.lookup)
                == (self.pvs, self.connected, self.lookup)
    }
}

/// One approach's figures.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Row {
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// Whether it failed here, or brought a wrong value anywhere: then it is compared with
    /// nobody.
    pub failed: bool,
    /// Whether create and connect are one call of its API.
    pub joint: bool,
    /// Seconds per PV (seconds in all for import and context).
    pub figure_s: Interval,
    /// The two groups that the figures of blocks fall into, where they do: then the median
    /// is neither.
    pub modes: Option<[Modal; 2]>,
    /// How the times of single PVs are spread, those of all workers together; none
    /// where they were asked at once or not timed each.
    pub each: Option<Percentiles>,
    /// CPU seconds per PV that the worker used meanwhile, median.
    pub cpu_s: f64,
    /// What was seen of an ordinary get beside its time; none of other stages.
    pub default_get: Option<DefaultGets>,
    /// Difference to the floor, within blocks.
    pub over_floor_s: Option<Interval>,
    /// Difference to the fastest, within blocks.
    pub over_fastest_s: Option<Interval>,
}

/// Blocks that are alike, and unlike the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Modal {
    /// Their median, in seconds per PV.
    pub median_s: f64,
    /// How many blocks.
    pub blocks: usize,
}

fn modes(own: &BTreeMap<usize, f64>) -> Option<[Modal; 2]> {
    let figures: Vec<f64> = own.values().copied().collect();
    let modal = |mode: crate::stats::Mode| Modal { median_s: mode.median, blocks: mode.count };
    Some(two_modes(&figures)?.map(modal))
}

/// Figures of one metric by approach and block.
type ByApproach = BTreeMap<String, BTreeMap<usize, f64>>;

/// All figures of a run, in the order of the records' configurations and of
/// [`Timed::all`].
pub(super) fn figures(run: &RunRecords, failed: &FailedApproaches) -> Vec<Figures> {
    let mut all = Vec::new();
    for configuration in configurations(run) {
        for metric in Timed::all() {
            let rows = rows(run, &configuration, metric, failed);
            if let Some((fastest, rows)) = rows {
                all.push(Figures {
                    scenario: configuration[0].scenario,
                    server: configuration[0].server.clone(),
                    pvs: configuration[0].pvs,
                    connected: configuration[0].mode,
                    lookup: configuration[0].lookup,
                    metric,
                    fastest,
                    rows,
                });
            }
        }
    }
    all
}

/// The figures of a metric where the most PVs were connected, in bulk if anywhere.
pub fn of_most_pvs<'a>(figures: &'a [Figures], server: &str, metric: Timed) -> Option<&'a Figures> {
    let own = figures.iter().filter(|configuration| {
        (configuration.server.as_str(), configuration.metric) == (server, metric)
    });
    own.max_by_key(|configuration| (configuration.connected == Mode::Bulk, configuration.pvs))
}

/// The records of each configuration; configurations sorted by mode and count of PVs.
fn configurations(run: &RunRecords) -> Vec<Vec<&Record>> {
    let mut configurations: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
    for record in run.records.iter().filter(|record| record.scenario == Scenario::Connect) {
        let bulk_first = record.mode != Mode::Bulk;
        let key = (&record.scenario, &record.server, bulk_first, record.pvs, record.lookup);
        configurations.entry(key).or_default().push(record);
    }
    configurations.into_values().collect()
}

fn rows(
    run: &RunRecords,
    configuration: &[&Record],
    metric: Timed,
    failed: &FailedApproaches,
) -> Option<(Option<String>, Vec<Row>)> {
    let mut values = ByApproach::new();
    let has_failed = |name: &str| {
        configuration.iter().any(|record| record.approach == name && failed.holds(record))
    };
    for record in configuration {
        if let Some(value) = metric.of(record) {
            values.entry(record.approach.clone()).or_default().insert(record.block, value);
        }
    }
    if values.is_empty() {
        return None;
    }
    let facts = &run.run.approaches;
    let floor_of = |protocol| {
        let floor = run.run.floor_of(protocol).filter(|floor| !has_failed(&floor.name))?;
        values.get(&floor.name)
    };
    let fastest = facts
        .iter()
        .filter(|facts| !facts.floor && !has_failed(&facts.name))
        .filter_map(|facts| Some((&facts.name, values.get(&facts.name)?)))
        .min_by(|(_, a), (_, b)| block_median(a).total_cmp(&block_median(b)));
    let rows = facts
        .iter()
        .filter_map(|facts| {
            let own = values.get(&facts.name)?;
            let records: Vec<&&Record> =
                configuration.iter().filter(|record| record.approach == facts.name).collect();
            let has_failed = has_failed(&facts.name);
            let compared = |other: Option<&BTreeMap<usize, f64>>| {
                other.filter(|_| !has_failed).and_then(|other| difference(own, other))
            };
            Some(Row {
                approach: facts.name.clone(),
                floor: facts.floor,
                failed: has_failed,
                joint: records.iter().any(|record| record.create_is_joint),
                figure_s: interval(own.values().copied())?,
                modes: modes(own),
                each: each(&records, metric),
                cpu_s: cpu(&records, metric),
                default_get: default_gets(&records, metric),
                over_floor_s: compared(floor_of(facts.protocol)),
                over_fastest_s: compared(fastest.map(|(_, fastest)| fastest)),
            })
        })
        .collect();
    Some((fastest.map(|(name, _)| name.clone()), rows))
}

fn each(records: &[&&Record], metric: Timed) -> Option<Percentiles> {
    let times: Vec<u64> =
        records.iter().flat_map(|record| metric.each_ns_of(record)).copied().collect();
    percentiles(&counted_once(&times))
}

fn cpu(records: &[&&Record], metric: Timed) -> f64 {
    median(&records.iter().filter_map(|record| metric.cpu_of(record)).collect::<Vec<f64>>())
}

fn block_median(blocks: &BTreeMap<usize, f64>) -> f64 {
    median(&blocks.values().copied().collect::<Vec<_>>())
}

/// Blocks see the same moment of the machine, so differences are taken within
/// them.
pub(super) fn difference(
    own: &BTreeMap<usize, f64>,
    other: &BTreeMap<usize, f64>,
) -> Option<Interval> {
    interval(own.iter().filter_map(|(block, value)| Some(value - other.get(block)?)))
}

pub(super) fn interval(values: impl Iterator<Item = f64>) -> Option<Interval> {
    median_interval(&values.collect::<Vec<_>>(), CONFIDENCE_WANTED)
}
