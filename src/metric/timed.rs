//! Times of stages, from the samples of a record.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::named::named;
use crate::record::{DefaultGet, Record, Sample};
use crate::stats::Percentiles;
use crate::worker_protocol::{Mode, Stage};

/// A stage in a mode. `connect` is the time from the start of create to the end of
/// connect, whether an approach can separate them or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timed {
    /// The stage.
    pub stage: Stage,
    /// One PV at a time or all at once.
    pub mode: Mode,
}

named! {
    /// A point of a distribution.
    pub enum Percentile {
        /// The least.
        Min = "min",
        /// The median.
        P50 = "p50",
        /// 90 %.
        P90 = "p90",
        /// 99 %.
        P99 = "p99",
        /// 99.9 %.
        P999 = "p99.9",
        /// The most.
        Max = "max",
    }
}

impl Percentile {
    /// This point of `spread`, in seconds.
    pub fn seconds_of(self, spread: &Percentiles) -> f64 {
        let ns = match self {
            Percentile::Min => spread.min_ns,
            Percentile::P50 => spread.p50_ns,
            Percentile::P90 => spread.p90_ns,
            Percentile::P99 => spread.p99_ns,
            Percentile::P999 => spread.p99_9_ns,
            Percentile::Max => spread.max_ns,
        };
        ns as f64 / 1e9
    }
}

impl Timed {
    /// All PVs connected at once: what most judging is about.
    pub const CONNECT_BULK: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };

    /// Every stage in every mode that it has, in the order of reports.
    pub fn all() -> Vec<Timed> {
        let both = [Stage::Connect, Stage::Get, Stage::GetAgain, Stage::Put, Stage::Readback];
        let in_both = both
            .into_iter()
            .flat_map(|stage| [Mode::Bulk, Mode::Serial].map(|mode| Timed { stage, mode }));
        let by_default = [Stage::GetDefault, Stage::GetDefaultAgain];
        let one_by_one = by_default.map(|stage| Timed { stage, mode: Mode::Serial });
        let in_all = [Stage::Import, Stage::Context].map(|stage| Timed { stage, mode: Mode::Bulk });
        in_both.chain(one_by_one).chain(in_all).collect()
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

    /// The wall time of one worker, in seconds; none when it did not get there.
    pub fn of(self, record: &Record) -> Option<f64> {
        let sample = self.sample(record, self.stage)?;
        let start_ns = match self.stage {
            Stage::Connect => self.sample(record, Stage::Create).unwrap_or(sample).start_ns,
            _ => sample.start_ns,
        };
        let seconds = sample.end_ns.checked_sub(start_ns)? as f64 / 1e9;
        Some(if self.is_per_pv() { seconds / sample.pvs.max(1) as f64 } else { seconds })
    }

    /// CPU seconds per PV (in all for import and context) that the worker used
    /// meanwhile; none when it did not get there.
    pub fn cpu_of(self, record: &Record) -> Option<f64> {
        let per_pv = |sample: &Sample| {
            let pvs = if self.is_per_pv() { sample.pvs.max(1) } else { 1 };
            sample.cpu_ns as f64 / 1e9 / pvs as f64
        };
        self.of(record)?;
        let stages: &[Stage] = match self.stage {
            Stage::Connect => &[Stage::Create, Stage::Connect],
            ref stage => std::slice::from_ref(stage),
        };
        Some(stages.iter().filter_map(|stage| self.sample(record, *stage)).map(per_pv).sum())
    }

    /// How long each PV took, in ns; nothing where the worker did not time each.
    pub fn each_ns_of(self, record: &Record) -> &[u64] {
        self.sample(record, self.stage).map_or(&[], |sample| &sample.each_ns)
    }

    /// What was seen of an ordinary get, and of how many PVs it was; none of other stages.
    pub(super) fn default_get_of(self, record: &Record) -> Option<(&DefaultGet, usize)> {
        let sample = self.sample(record, self.stage)?;
        Some((sample.default_get.as_ref()?, sample.pvs.max(1)))
    }

    fn sample(self, record: &Record, stage: Stage) -> Option<&Sample> {
        record.samples.iter().find(|sample| sample.stage == stage && sample.mode == self.mode)
    }
}

impl JsonSchema for Timed {
    fn schema_name() -> Cow<'static, str> {
        "StageTime".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = Timed::all().into_iter().map(Timed::name).collect();
        json_schema!({ "description": "A stage in a mode.", "type": "string", "enum": names })
    }
}

impl Serialize for Timed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}
