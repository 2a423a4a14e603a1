//! The messages between the harness and a worker; no I/O.
//!
//! One JSON object per line: the harness writes [`ToWorker`] to the worker's
//! stdin, the worker answers with [`FromWorker`] on its stdout. The prose of
//! this public interface, with a complete example, is `docs/worker-protocol.md`.

mod typed;

use std::collections::BTreeMap;

pub use typed::{Ask, Call, Detail, Fields, Form, Reply, Value};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::named;

/// The version of the protocol that this build speaks.
pub const PROTOCOL_VERSION: u32 = 5;

/// The oldest version that a worker may speak; it is measured in what it knows.
pub const OLDEST_PROTOCOL_VERSION: u32 = 3;

named! {
    /// One timed step of a scenario.
    pub enum Stage("stage") {
        /// Loading the library; timed by the worker before it says hello.
        Import = "import",
        /// Making the library's context, without any PV.
        Context = "context",
        /// Making the PV or channel objects.
        Create = "create",
        /// Waiting until every PV is connected; creates them too in serial mode.
        Connect = "connect",
        /// Reading values.
        Get = "get",
        /// Reading again, after all values have changed.
        GetAgain = "get-again",
        /// Writing values, each confirmed by the server.
        Put = "put",
        /// Reading back what was written.
        Readback = "readback",
        /// Writing values without waiting for the server's confirmation.
        PutUnconfirmed = "put-unconfirmed",
        /// The library's ordinary get, with its defaults and all that it brings.
        GetDefault = "get-default",
        /// The same again, after all values have changed.
        GetDefaultAgain = "get-default-again",
        /// Subscribing, until every subscription has sent its first update.
        Subscribe = "subscribe",
        /// Taking updates for a given time.
        Collect = "collect",
        /// Ending all subscriptions and dropping all channels; the context stays.
        Disconnect = "disconnect",
        /// Ending the context with all that is in it; then the process ends by itself.
        Close = "close",
        /// Writing values in the callback of the next update, each confirmed by the server.
        PutInCallback = "put-in-callback",
        /// The same as `close`, from a thread that did not make the context.
        CloseElsewhere = "close-elsewhere",
        /// Reading values in a forked process.
        GetForked = "get-forked",
        /// Reading values in several threads at once.
        GetThreads = "get-threads",
        /// Subscribing in several threads at once.
        SubscribeThreads = "subscribe-threads",
        /// One typed question; needs no stage before it.
        Ask = "ask",
    }
}

named! {
    /// Whether PVs are treated one at a time or all at once.
    #[derive(Default)]
    pub enum Mode("mode") {
        /// One PV is finished before the next is begun.
        Serial = "serial",
        /// All PVs are asked at once, then all answers are awaited.
        #[default]
        Bulk = "bulk",
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
    /// By how much the worker is to be slower than it is; not at all when absent.
    #[serde(default, alias = "handicap", skip_serializing_if = "Option::is_none")]
    pub slowdown: Option<InjectedSlowdown>,
}

/// By how much a worker makes itself slower, inside of what it times: the harness
/// learns from it which slowdowns it finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectedSlowdown {
    /// The part of the time, and of the CPU time, that a stage took which it takes
    /// more: 0.05 for 5 %.
    #[serde(default)]
    pub fraction: f64,
    /// CPU seconds that a stage takes more for each PV that it treats; in `connect`
    /// and not in `create`, so that a connection is charged once.
    #[serde(default)]
    pub per_pv_s: f64,
}

impl InjectedSlowdown {
    /// Refuses what no worker can obey.
    ///
    /// # Errors
    /// The field, and what is wrong with it, when one is negative or not finite.
    pub fn check(&self) -> Result<(), String> {
        for (field, value) in [("fraction", self.fraction), ("per_pv_s", self.per_pv_s)] {
            if !value.is_finite() || value < 0.0 {
                return Err(format!("slowdown: `{field}` is {value}, not a number from 0 on"));
            }
        }
        Ok(())
    }
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
    /// For `subscribe`: what the updates hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Monitor>,
    /// For `collect`: how long to take updates, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// For `collect`: gets to make meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gets: Option<Gets>,
    /// For `connect` in bulk mode: PVs that no server has, by their indices in the job. They
    /// are sought with the others, and not waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Vec<usize>>,
    /// For `ask`: the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ask: Option<Box<Ask>>,
}

/// Gets that a worker makes while it collects, one after another and the PVs in turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gets {
    /// The PVs to read, by their indices in the job; at least one.
    pub pvs: Vec<usize>,
    /// Seconds from the start of a get to that of the next; where a get takes longer, the
    /// next follows at once.
    pub every_s: f64,
    /// Seconds after which a get gives up.
    pub timeout_s: f64,
}

impl StageCommand {
    /// A command for all PVs of the job, without values.
    pub fn new(stage: Stage, mode: Mode) -> StageCommand {
        StageCommand {
            stage,
            mode,
            pvs: None,
            values: None,
            monitor: None,
            seconds: None,
            gets: None,
            absent: None,
            ask: None,
        }
    }
}

/// What a subscription is to bring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitor {
    /// What one update holds.
    pub content: Content,
    /// By how much the number of an update is greater than that of the one
    /// before, when none is lost.
    pub step: f64,
    /// For how many updates in all the worker makes room beforehand, so that its
    /// own notes do not look like a leak. More may come.
    pub room: usize,
    /// How many subscriptions to make to each PV, at least 1.
    pub monitors: usize,
    /// How many seconds each callback takes beyond what it needs, as one does that writes
    /// to a file or draws; none when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback_s: Option<f64>,
    /// How many of the first PVs bring frames, whatever `content` is for the others. Sent
    /// only to workers that report [`Reported::Mixed`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frames: usize,
    /// Whether `subscribe` is done at its timeout although subscriptions have brought no
    /// update yet. Sent only to workers that report [`Reported::Silent`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_silent: bool,
}

impl Monitor {
    /// What the updates of one PV hold.
    pub fn content_of(self, pv: usize) -> Content {
        if pv < self.frames { Content::Frames } else { self.content }
    }
}

/// What one update holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// One `DBR_TIME_DOUBLE`; its value is the update's number.
    Scalars,
    /// An array of `DBR_TIME_SHORT`, whose elements are read as unsigned. The
    /// update's number is element 0 plus 65536 times element 1; the sum of all
    /// elements goes with it.
    Frames,
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
    /// From [`OLDEST_PROTOCOL_VERSION`] to [`PROTOCOL_VERSION`].
    pub protocol: u32,
    /// The name of the approach.
    pub approach: String,
    /// The process that runs the library.
    pub pid: u32,
    /// Versions of the library, of the CA or PVA library below it, and of the
    /// language.
    pub versions: BTreeMap<String, String>,
    /// The stages that the library can separate. Without `create`, `connect`
    /// does both and its figure is shown as joint. `subscribe` stands for
    /// `collect` too; without it the approach has no monitors. `get-default` stands for
    /// `get-default-again` too; without it the approach is not asked for either.
    pub stages: Vec<Stage>,
    /// The modes that `connect`, `get` and `put` can run in.
    pub modes: Vec<Mode>,
    /// What it can report of its library beside the updates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reports: Vec<Reported>,
    /// Stages that the documentation of the library rules out, by name, with the place that
    /// says it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unable: BTreeMap<String, String>,
    /// How long loading the library took.
    pub import: Span,
    /// What a reader of the figures should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What a worker can report of its library beside the updates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reported {
    /// When the library says that a PV is connected, and that it no longer is.
    States,
    /// Gets during `collect`.
    Gets,
    /// Which PVs are not connected after a `connect` with `absent` ones.
    Unconnected,
    /// Updates of a job in which some PVs bring frames and the others scalars.
    Mixed,
    /// That `subscribe` ends at its timeout where subscriptions may be silent.
    Silent,
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
    /// For stages that read or write one by one: how long each PV took, in ns. None,
    /// or one per PV meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each_ns: Vec<u64>,
    /// For `collect`: what arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<Updates>,
    /// For `collect`: the gets that were made meanwhile, in the order of their starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gets: Vec<GetAttempt>,
    /// For `connect` with `absent` PVs: those that the library does not report as connected.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unconnected: Vec<usize>,
    /// For `ask`: what the library's call came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Reply>,
    /// What the library counts of its own work in this stage, by the names that
    /// it gives: searches that it sent, for instance.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counters: BTreeMap<String, u64>,
    /// What a reader of the figures should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Every update that arrived since `subscribe` began.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Updates {
    /// The updates of each subscription in the order of their arrival; whatever
    /// does not follow on the update before begins a new run.
    pub runs: Vec<UpdateRun>,
    /// Time from the server's time stamp to the callback, in ns, with the count
    /// of updates that took so long. At least three digits are kept. Updates
    /// that arrived before `collect` began have none.
    pub latencies: Vec<(i64, u64)>,
    /// The same latencies over time; none where the worker does not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_over_time: Option<LatencyOverTime>,
    /// The same latencies by PV, where `subscribe` named `frames`: a list for each PV of the
    /// job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latencies_by_pv: Vec<Vec<(i64, u64)>>,
    /// What the library itself counts, by the names that it gives: updates that
    /// it dropped or merged, for instance.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
    /// What the library reported of connections, in that order; none where it reports
    /// nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<StateChange>,
}

/// A report of the library that a PV is connected, or that it no longer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateChange {
    /// The PV, by its index in the job.
    pub pv: usize,
    /// When the library reported it, on the system's monotonic clock.
    pub at_ns: u64,
    /// Whether it is connected now.
    pub connected: bool,
}

/// One get that was made during `collect`: a value or an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GetAttempt {
    /// The PV, by its index in the job.
    pub pv: usize,
    /// When the library was asked, on the system's monotonic clock.
    pub start_ns: u64,
    /// When it answered or gave up, on the same clock.
    pub end_ns: u64,
    /// What it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Latencies of updates over time, and the PVs with the longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyOverTime {
    /// How long each slice of time is.
    pub slice_ns: u64,
    /// The slices in which updates arrived, in order. Together they hold every latency.
    pub slices: Vec<LatencySlice>,
    /// At least half of the PVs never had a longer latency.
    pub median_pv_ns: i64,
    /// The PVs with the longest latency, in this order; none where there is one PV.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slowest_pvs: Vec<SlowestPv>,
}

/// The latencies of the updates that arrived in one slice of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencySlice {
    /// When the slice begins, on the system's monotonic clock.
    pub start_ns: u64,
    /// How many updates arrived in it.
    pub count: u64,
    /// The median.
    pub p50_ns: i64,
    /// 99 of 100 are not longer.
    pub p99_ns: i64,
    /// The longest.
    pub max_ns: i64,
}

/// One of the PVs with the longest latency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlowestPv {
    /// The PV, by its index in the job.
    pub pv: usize,
    /// When each slice begins in which an update of it arrived, and its longest latency
    /// there.
    pub longest_ns: Vec<(u64, i64)>,
}

/// Updates of one subscription that followed on one another without a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateRun {
    /// The PV, by its index in the job.
    pub pv: usize,
    /// Which of the PV's subscriptions, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub monitor: usize,
    /// The number of the first update.
    pub first: f64,
    /// How many updates.
    pub count: u64,
    /// When the first arrived, on the system's monotonic clock.
    pub start_ns: u64,
    /// For frames: the sums, one per update.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sums: Vec<u64>,
}

/// Most PVs have one subscription, and most jobs bring scalars only, which goes without saying.
fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// A stage that could not be finished.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// The stage of the command.
    pub stage: Stage,
    /// Why, with the first PV concerned.
    pub error: String,
    /// How what the worker started for this stage ended, where that was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
}

/// How a forked process or a thread ended that did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// It did not end in time.
    Hang,
    /// A signal ended it.
    Crash,
}
