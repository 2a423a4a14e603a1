//! The figures: one row of a table for each, which limits, comparisons, histories, the
//! CSV file, the reports and the documents read. No I/O.
//!
//! A new figure takes its variant of [`Metric`], its row below `table`, and whoever records
//! what it is computed from.

mod default_get;
mod document;
mod fault;
mod linked;
mod monitored;
mod table;
mod timed;
mod unit;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::named::{UnknownName, named};
use crate::record::Record;
pub use default_get::Seen;
pub use document::{can_be_compared, can_be_limited, document};
pub use fault::FaultFigure;
pub use linked::AtLink;
pub(crate) use monitored::CPU_WINDOW_NS;
pub use monitored::{cpu_percent, mean_cpu_percent, memory_of_run, trusted};
pub use table::{Better, Pooled, Row, Source, has_failed, is_wrong, rows};
pub use timed::{Percentile, Timed};
pub use unit::Unit;

/// A figure: what is measured, limited, compared and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Wall time of a stage, per PV but for import and context.
    Time(Timed),
    /// CPU time of the worker in a stage, per PV but for import and context.
    Cpu(Timed),
    /// A percentile of the times of single PVs, where they are treated one by one.
    Each(Timed, Percentile),
    /// What was seen of an ordinary get beside its time.
    DefaultGet(Timed, Seen),
    /// The part of the time that the worker took and did not claim in its stages.
    UnclaimedTime,
    /// CPU time that the kernel counted in the stages and the worker did not claim.
    UnclaimedCpu,
    /// Time to connect one more PV, over all counts of PVs.
    ConnectSlope,
    /// CPU time of one side over wall time.
    CpuUse(Party),
    /// The most memory of one side less what it held after the warm-up.
    Memory(Party),
    /// The most memory that one side ever held.
    MemoryPeak(Party),
    /// Memory of one side when the figures begin.
    MemoryAtStart(Party),
    /// Memory of one side when the server stops making updates.
    MemoryAtEnd(Party),
    /// How fast the memory of one side grows.
    Growth(Party),
    /// Bytes that one side received over its TCP connections.
    BytesReceived(Party),
    /// Bytes that one side sent over its TCP connections.
    BytesSent(Party),
    /// Workers that brought a value or an update that the server never made so.
    ValuesWrong,
    /// Workers that failed in another way.
    WorkersFailed,
    /// Updates of one PV per second that the server made.
    UpdatesMade,
    /// Updates that were to arrive.
    UpdatesExpected,
    /// Different updates that arrived.
    UpdatesReceived,
    /// Updates that the server made and that did not arrive.
    UpdatesLost,
    /// Of those, made after the last that arrived.
    UpdatesLate,
    /// Frames that arrived once more right after themselves.
    UpdatesRepeated,
    /// A percentile of the time from the server's time stamp to the callback.
    Latency(Percentile),
    /// Bytes that the client received over its circuits while it monitored.
    ClientBytesReceived,
    /// Bytes that the client sent over them.
    ClientBytesSent,
    /// The least bytes that the updates received can take.
    LeastBytes,
    /// Whole bytes per update more than the protocol needs.
    BytesOverLeast,
    /// Subscriptions to the scenario's PVs, as the server counts them.
    ServerSubscriptions,
    /// How far the server's count of subscriptions is from what was asked for.
    Subscriptions,
    /// Scans that took longer than their period.
    ScanOverruns,
    /// Updates that the server replaced or dropped in its queues.
    MergedUpdates,
    /// Requests that found a callback queue of the server full.
    CallbackOverflows,
    /// PVs that were to send updates again after a fault.
    PvsWanted,
    /// PVs that did.
    PvsRecovered,
    /// PVs that stayed away after a fault.
    PvsNotReconnected,
    /// Time from the end of a fault to the first update of the last PV that recovered.
    Recovery,
    /// Memory of the client per PV of many IOCs.
    ClientMemoryPerPv,
    /// Memory of all IOCs together per PV.
    ServersMemoryPerPv,
    /// Searches that the client sent per PV.
    SearchesPerPv,
    /// What was seen at the link between server and client.
    AtLink(AtLink),
    /// The most PVs that arrive without loss, from a search.
    Capacity,
    /// What went wrong in a fault, and how clients came back.
    Fault(FaultFigure),
    /// Processes of the whole run that outlived it.
    ProcessesLeft,
}

named! {
    /// One side of a measurement.
    pub enum Party {
        /// The client's process and its descendants.
        Client = "client",
        /// The server's process and its descendants.
        Server = "server",
    }
}

impl Metric {
    /// Its row of the table.
    pub fn row(self) -> &'static Row {
        let own = rows().iter().find(|row| row.metric == self);
        own.unwrap_or_else(|| unreachable!("the table has a row for {self:?}: a test holds it"))
    }

    /// The name in files, limits, tables and on the command line.
    pub fn name(self) -> &'static str {
        &self.row().name
    }

    /// The unit of its figures.
    pub fn unit(self) -> Unit {
        self.row().unit
    }

    /// Whether it is counted, so that one block decides and nothing is uncertain.
    pub fn is_exact(self) -> bool {
        self.row().exact
    }

    /// Whether it is of the whole run, not of an approach in a configuration.
    pub fn is_of_the_run(self) -> bool {
        matches!(self.row().source, Source::Run)
    }

    /// Whether it counts workers that failed.
    pub fn is_of_failures(self) -> bool {
        matches!(self, Metric::ValuesWrong | Metric::WorkersFailed)
    }

    /// The figure of one worker, in [`Metric::unit`]; none where it was not measured, or
    /// is not a figure of one worker.
    pub fn of(self, record: &Record) -> Option<f64> {
        match self.row().source {
            Source::Record(of) => of(self, record),
            Source::Blocks | Source::Run => None,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Metric, UnknownName> {
        let text = text.trim();
        let is_its_name = |row: &&Row| row.name == text || row.name_before == Some(text);
        let named = rows().iter().find(is_its_name);
        named.map(|row| row.metric).ok_or_else(|| UnknownName::new("metric", text, &names()))
    }
}

/// The names of all figures, in the order of reports.
pub fn names() -> Vec<&'static str> {
    rows().iter().map(|row| row.name.as_str()).collect()
}

impl JsonSchema for Metric {
    fn schema_name() -> Cow<'static, str> {
        "Metric".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A figure: what is measured, limited and compared.",
            "type": "string",
            "enum": names(),
        })
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Metric, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}
