//! The messages between the harness and a worker; no I/O.
//!
//! One JSON object per line: the harness writes [`ToWorker`] to the worker's
//! stdin, the worker answers with [`FromWorker`] on its stdout. The prose of
//! this public interface, with a complete example, is `docs/worker-protocol.md`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The version of the protocol that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// One timed step of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Loading the library; timed by the worker before it says hello.
    Import,
    /// Making the library's context, without any PV.
    Context,
    /// Making the PV or channel objects.
    Create,
    /// Waiting until every PV is connected; creates them too in serial mode.
    Connect,
    /// Reading values.
    Get,
    /// Reading again, after all values have changed.
    GetAgain,
    /// Writing values, each confirmed by the server.
    Put,
    /// Reading back what was written.
    Readback,
}

impl Stage {
    /// Every stage, in the order in which a worker meets them.
    pub const ALL: [Stage; 8] = [
        Stage::Import,
        Stage::Context,
        Stage::Create,
        Stage::Connect,
        Stage::Get,
        Stage::GetAgain,
        Stage::Put,
        Stage::Readback,
    ];

    /// The name in messages, files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Import => "import",
            Stage::Context => "context",
            Stage::Create => "create",
            Stage::Connect => "connect",
            Stage::Get => "get",
            Stage::GetAgain => "get-again",
            Stage::Put => "put",
            Stage::Readback => "readback",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Whether PVs are treated one at a time or all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// One PV is finished before the next is begun.
    Serial,
    /// All PVs are asked at once, then all answers are awaited.
    Bulk,
}

impl Mode {
    /// The name in messages, files, tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Mode::Serial => "serial",
            Mode::Bulk => "bulk",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the harness says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ToWorker {
    /// Sent once, after the worker's hello.
    Job(Job),
    /// Asks for one stage; answered by [`FromWorker::Done`] or
    /// [`FromWorker::Failed`].
    Stage(StageCommand),
}

/// What a worker works on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// PV names; messages name PVs by their index in this list.
    pub pvs: Vec<String>,
    /// Seconds after which the worker gives up a stage and says `failed`.
    pub timeout_s: f64,
}

/// One stage to run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageCommand {
    /// Which stage.
    pub stage: Stage,
    /// One PV at a time or all at once.
    pub mode: Mode,
    /// Indices of the PVs meant; all of the job when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pvs: Option<Vec<usize>>,
    /// For `put`: the values to write, one per PV meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
}

/// What a worker says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case", deny_unknown_fields)]
pub enum FromWorker {
    /// The first message, when the library is loaded.
    Hello(Hello),
    /// A stage is finished.
    Done(Done),
    /// A stage could not be finished; the worker stays until stdin ends.
    Failed(Failed),
}

/// Who the worker is and what it can do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Must equal [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The name of the approach.
    pub approach: String,
    /// The process that runs the library.
    pub pid: u32,
    /// Versions of the library, of the CA or PVA library below it, and of the
    /// language.
    pub versions: BTreeMap<String, String>,
    /// The stages that the library can separate. Without `create`, `connect`
    /// does both and its figure is shown as joint.
    pub stages: Vec<Stage>,
    /// The modes that `connect`, `get` and `put` can run in.
    pub modes: Vec<Mode>,
    /// How long loading the library took.
    pub import: Span,
    /// What a reader of the figures should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// When something ran and what it used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Start on the system's monotonic clock.
    pub start_ns: u64,
    /// End on the same clock.
    pub end_ns: u64,
    /// CPU time that the process used in between, all threads, user and system.
    pub cpu_ns: u64,
}

/// A finished stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// The stage of the command.
    pub stage: Stage,
    /// The mode of the command.
    pub mode: Mode,
    /// Start on the system's monotonic clock.
    pub start_ns: u64,
    /// End on the same clock.
    pub end_ns: u64,
    /// CPU time that the process used in between.
    pub cpu_ns: u64,
    /// For stages that read: the values, in the order of the PVs meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
    /// What a reader of the figures should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A stage that could not be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The stage of the command.
    pub stage: Stage,
    /// Why, with the first PV concerned.
    pub error: String,
}
