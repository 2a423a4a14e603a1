//! What a limit may be of.

use crate::record::Scenario;
use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer};

use crate::judge::Metric;
use crate::worker_protocol::{Mode, Stage};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Measure {
    /// Time of a stage of the connect scenario, per PV.
    Time(Metric),
    /// Time to connect one more PV, over all counts of PVs.
    ConnectSlope,
    /// CPU time of the client over wall time.
    ClientCpu,
    /// The client's most memory less what it held after the warm-up.
    ClientMemory,
    /// How fast the client's memory grows.
    Growth,
    /// Workers that brought a value or an update that the server never made so.
    ValuesWrong,
    /// Workers that failed in another way.
    WorkersFailed,
    /// Updates that the server made and that did not arrive.
    UpdatesLost,
    /// Whole bytes per update more than the protocol needs.
    BytesOverLeast,
    /// How far the server's count of subscriptions is from what was asked for.
    Subscriptions,
    /// PVs that stayed away after a disturbance.
    PvsLeftBehind,
    /// Processes of the whole run that outlived it.
    ProcessesLeft,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds per PV.
    SecondsPerPv,
    /// CPU time over wall time, in % of one core.
    PercentOfACore,
    /// Bytes.
    Bytes,
    /// Bytes per minute.
    BytesPerMinute,
    /// A count; exact.
    Count,
}

const CONNECT: &[Scenario] = &[Scenario::Connect];
const WATCHED: &[Scenario] = &[Scenario::Waveform, Scenario::Scalars];
const MONITORED: &[Scenario] = &[Scenario::Waveform, Scenario::Scalars, Scenario::Scale];
const DISTURBED: &[Scenario] = &[Scenario::Disturbed];

impl Measure {
    /// All of them, in the order of reports.
    pub fn all() -> Vec<Measure> {
        let mut all: Vec<Measure> = Metric::all()
            .into_iter()
            .filter(|metric| metric.is_per_pv())
            .map(Measure::Time)
            .collect();
        all.extend([
            Measure::ConnectSlope,
            Measure::ClientCpu,
            Measure::ClientMemory,
            Measure::Growth,
            Measure::ValuesWrong,
            Measure::WorkersFailed,
            Measure::UpdatesLost,
            Measure::BytesOverLeast,
            Measure::Subscriptions,
            Measure::PvsLeftBehind,
            Measure::ProcessesLeft,
        ]);
        all
    }

    /// The name in limits files, tables and reports.
    pub fn name(self) -> String {
        match self {
            Measure::Time(metric) => metric.name(),
            Measure::ConnectSlope => "connect slope".to_owned(),
            Measure::ClientCpu => "client cpu".to_owned(),
            Measure::ClientMemory => "client memory".to_owned(),
            Measure::Growth => "growth".to_owned(),
            Measure::ValuesWrong => "values wrong".to_owned(),
            Measure::WorkersFailed => "workers failed".to_owned(),
            Measure::UpdatesLost => "updates lost".to_owned(),
            Measure::BytesOverLeast => "bytes over least".to_owned(),
            Measure::Subscriptions => "subscriptions".to_owned(),
            Measure::PvsLeftBehind => "PVs left behind".to_owned(),
            Measure::ProcessesLeft => "processes left".to_owned(),
        }
    }

    /// The unit of its figures.
    pub fn unit(self) -> Unit {
        match self {
            Measure::Time(_) | Measure::ConnectSlope => Unit::SecondsPerPv,
            Measure::ClientCpu => Unit::PercentOfACore,
            Measure::ClientMemory => Unit::Bytes,
            Measure::Growth => Unit::BytesPerMinute,
            _ => Unit::Count,
        }
    }

    /// Whether it is counted, so that one block decides and nothing is uncertain.
    pub fn is_exact(self) -> bool {
        self.unit() == Unit::Count
    }

    /// Whether it tells of the whole run, not of an approach in a cell.
    pub fn is_of_the_run(self) -> bool {
        self == Measure::ProcessesLeft
    }

    /// Whether it counts workers that failed.
    pub fn is_of_failures(self) -> bool {
        matches!(self, Measure::ValuesWrong | Measure::WorkersFailed)
    }

    /// The scenarios in which it is measured.
    pub fn scenarios(self) -> Vec<Scenario> {
        let some = match self {
            Measure::Time(_) | Measure::ConnectSlope => CONNECT,
            Measure::ClientMemory | Measure::ClientCpu | Measure::Subscriptions => MONITORED,
            Measure::UpdatesLost => MONITORED,
            Measure::Growth | Measure::BytesOverLeast => WATCHED,
            Measure::PvsLeftBehind => DISTURBED,
            Measure::ValuesWrong | Measure::WorkersFailed | Measure::ProcessesLeft => {
                return Scenario::ALL.to_vec();
            }
        };
        some.to_vec()
    }

    /// Whether cells that connect in this mode have it.
    pub(in crate::judge) fn is_in(self, mode: Mode) -> bool {
        match self {
            Measure::Time(Metric { stage: Stage::Connect, mode: own }) => own == mode,
            Measure::Time(metric) => mode == Mode::Bulk || metric.mode == Mode::Serial,
            Measure::ConnectSlope => mode == Mode::Bulk,
            _ => true,
        }
    }

    /// The part of a verdict's name; empty where the relation alone says it.
    pub(in crate::judge) fn name_part(self) -> String {
        match self {
            Measure::Time(Metric { stage: Stage::Connect, mode: Mode::Bulk }) => String::new(),
            Measure::ConnectSlope => "slope".to_owned(),
            Measure::ClientCpu => "cpu".to_owned(),
            Measure::ClientMemory => "memory".to_owned(),
            _ => self.name(),
        }
    }
}

impl JsonSchema for Measure {
    fn schema_name() -> Cow<'static, str> {
        "Measure".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<String> = Measure::all().into_iter().map(Measure::name).collect();
        json_schema!({ "description": "What is limited.", "type": "string", "enum": names })
    }
}

impl Serialize for Measure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}
