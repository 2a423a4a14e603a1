//! Figures per cell and stage: medians, and paired differences to the floor and
//! to the fastest.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use super::CONFIDENCE_WANTED;
use crate::record::{Record, RunRecords, Sample, Scenario};
use crate::stats::{Interval, Percentiles, counted_once, median, median_interval, percentiles};
use crate::worker_protocol::{Mode, Stage};

/// What is compared: a stage in a mode. `connect` is the time from the start of
/// create to the end of connect, whether an approach can separate them or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metric {
    /// The stage.
    pub stage: Stage,
    /// One PV at a time or all at once.
    pub mode: Mode,
}

impl Metric {
    /// Every metric, in the order of reports.
    pub fn all() -> Vec<Metric> {
        let stages = [
            Stage::Connect,
            Stage::Get,
            Stage::GetAgain,
            Stage::Put,
            Stage::Readback,
            Stage::Import,
            Stage::Context,
        ];
        let modes = [Mode::Bulk, Mode::Serial];
        stages
            .into_iter()
            .flat_map(|stage| modes.into_iter().map(move |mode| Metric { stage, mode }))
            .collect()
    }

    /// The name in tables and files, such as `get bulk`.
    pub fn name(self) -> String {
        if self.is_per_pv() {
            format!("{} {}", self.stage, self.mode)
        } else {
            self.stage.to_string()
        }
    }

    /// Whether the figure is seconds per PV, or else seconds in all.
    pub fn is_per_pv(self) -> bool {
        !matches!(self.stage, Stage::Import | Stage::Context)
    }

    /// The figure of one worker, in seconds; none when it did not get there.
    pub fn of(self, record: &Record) -> Option<f64> {
        let sample = self.sample(record, self.stage)?;
        let start_ns = match self.stage {
            Stage::Connect => self.sample(record, Stage::Create).unwrap_or(sample).start_ns,
            _ => sample.start_ns,
        };
        let seconds = (sample.end_ns.saturating_sub(start_ns)) as f64 / 1e9;
        Some(if self.is_per_pv() { seconds / sample.pvs.max(1) as f64 } else { seconds })
    }

    /// CPU seconds per PV (in all for import and context) that the worker used
    /// meanwhile; none when it did not get there.
    pub fn cpu_of(self, record: &Record) -> Option<f64> {
        let per_pv = |sample: &Sample| sample.cpu_ns as f64 / 1e9 / sample.pvs.max(1) as f64;
        self.of(record)?;
        let stages: &[Stage] = match self.stage {
            Stage::Connect => &[Stage::Create, Stage::Connect],
            ref stage => std::slice::from_ref(stage),
        };
        Some(stages.iter().filter_map(|stage| self.sample(record, *stage)).map(per_pv).sum())
    }

    /// How long each PV took, in ns; nothing where the worker did not tell.
    pub fn each_ns_of(self, record: &Record) -> &[u64] {
        self.sample(record, self.stage).map_or(&[], |sample| &sample.each_ns)
    }

    fn sample(self, record: &Record, stage: Stage) -> Option<&Sample> {
        record.samples.iter().find(|sample| sample.stage == stage && sample.mode == self.mode)
    }
}

impl JsonSchema for Metric {
    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let mut names: Vec<String> = Metric::all().into_iter().map(Metric::name).collect();
        names.dedup();
        json_schema!({ "description": "What is compared.", "type": "string", "enum": names })
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

/// The figures of one metric in one cell.
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
    /// What is compared.
    pub metric: Metric,
    /// The fastest approach, the floor apart.
    pub fastest: Option<String>,
    /// One row per approach, in the order of the catalogue.
    pub rows: Vec<Row>,
}

/// One approach's figures.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Row {
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// Whether create and connect are one call of its API.
    pub joint: bool,
    /// Seconds per PV (seconds in all for import and context).
    pub figure_s: Interval,
    /// How the times of single PVs are spread, those of all workers together; none
    /// where they were asked at once or not timed each.
    pub each: Option<Percentiles>,
    /// CPU seconds per PV that the worker used meanwhile, median.
    pub cpu_s: f64,
    /// Difference to the floor, within blocks.
    pub over_floor_s: Option<Interval>,
    /// Difference to the fastest, within blocks.
    pub over_fastest_s: Option<Interval>,
}

/// Figures of one metric by approach and block.
type ByApproach = BTreeMap<String, BTreeMap<usize, f64>>;

/// All figures of a run, in the order of the records' cells and of
/// [`Metric::all`].
pub fn figures(run: &RunRecords) -> Vec<Figures> {
    let mut all = Vec::new();
    for cell in cells(run) {
        for metric in Metric::all() {
            let rows = rows(run, &cell, metric);
            if let Some((fastest, rows)) = rows {
                all.push(Figures {
                    scenario: cell[0].scenario,
                    server: cell[0].server.clone(),
                    pvs: cell[0].pvs,
                    connected: cell[0].mode,
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
pub fn of_most_pvs<'a>(
    figures: &'a [Figures],
    server: &str,
    metric: Metric,
) -> Option<&'a Figures> {
    let own = figures.iter().filter(|cell| (cell.server.as_str(), cell.metric) == (server, metric));
    own.max_by_key(|cell| (cell.connected == Mode::Bulk, cell.pvs))
}

/// The records of each cell; cells sorted by mode and count of PVs.
fn cells(run: &RunRecords) -> Vec<Vec<&Record>> {
    let mut cells: BTreeMap<_, Vec<&Record>> = BTreeMap::new();
    for record in run.records.iter().filter(|record| record.scenario == Scenario::Connect) {
        let bulk_first = record.mode != Mode::Bulk;
        let key = (&record.scenario, &record.server, bulk_first, record.pvs);
        cells.entry(key).or_default().push(record);
    }
    cells.into_values().collect()
}

fn rows(run: &RunRecords, cell: &[&Record], metric: Metric) -> Option<(Option<String>, Vec<Row>)> {
    let mut values = ByApproach::new();
    for record in cell {
        if let Some(value) = metric.of(record) {
            values.entry(record.approach.clone()).or_default().insert(record.block, value);
        }
    }
    if values.is_empty() {
        return None;
    }
    let facts = &run.run.approaches;
    let floor_of = |protocol| values.get(&run.run.floor_of(protocol)?.name);
    let fastest = facts
        .iter()
        .filter(|facts| !facts.floor)
        .filter_map(|facts| Some((&facts.name, values.get(&facts.name)?)))
        .min_by(|(_, a), (_, b)| block_median(a).total_cmp(&block_median(b)));
    let rows = facts
        .iter()
        .filter_map(|facts| {
            let own = values.get(&facts.name)?;
            let records: Vec<&&Record> =
                cell.iter().filter(|record| record.approach == facts.name).collect();
            Some(Row {
                approach: facts.name.clone(),
                floor: facts.floor,
                joint: records.iter().any(|record| record.create_is_joint),
                figure_s: interval(own.values().copied())?,
                each: each(&records, metric),
                cpu_s: cpu(&records, metric),
                over_floor_s: floor_of(facts.protocol).and_then(|floor| difference(own, floor)),
                over_fastest_s: fastest.and_then(|(_, fastest)| difference(own, fastest)),
            })
        })
        .collect();
    Some((fastest.map(|(name, _)| name.clone()), rows))
}

fn each(records: &[&&Record], metric: Metric) -> Option<Percentiles> {
    let times: Vec<u64> =
        records.iter().flat_map(|record| metric.each_ns_of(record)).copied().collect();
    percentiles(&counted_once(&times))
}

fn cpu(records: &[&&Record], metric: Metric) -> f64 {
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
