//! The record file: one JSON object per line; no I/O.
//!
//! The first line is the run, then one line per worker, then the end. A file
//! without its end is a run that was cut off; what it holds is still good.

mod check;
mod default_get;
mod faulted;
mod least_bytes;
mod linked;
mod many_iocs;
mod migrated;
mod monitored;
mod revision;
mod scenario;
mod witnessed;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::lookup::Lookup;
use crate::named::named;
use crate::protocol::Protocol;
use crate::worker_protocol::{InjectedSlowdown, Mode, Stage};
pub use default_get::DefaultGet;
pub use faulted::{
    Away, CircuitsLeft, Closed, DeadSeen, FaultRun, FaultUpdates, GetsSeen, Held, KindSeen,
    LeftOnServer, MixedSeen, PutsSeen, Recovered, Reports, SharedUse, StormSeen, Timeline,
};
pub use least_bytes::{least_bytes, least_update_bytes};
pub use linked::{LinkUse, PacketsSeen, SearchesSeen};
pub use many_iocs::{ManyIocsShape, ManyIocsUse, Searches, SearchesCounted};
pub use monitored::{
    Cores, Disturbance, LatencyOverTime, Load, Losses, MachineUse, Monitored, Network,
    NetworkSample, Pixels, PvLosses, Recovery, ServerCounters, SlowestPv, Steady, Usage,
    UsageSample,
};
pub use revision::Revision;
pub use scenario::Scenario;
pub use witnessed::{Unclaimed, Witnessed};

/// The version of this format, which is written.
pub const RECORD_FORMAT: u32 = 8;

/// The oldest that is read: what older files do not have is taken for absent, and what
/// they say elsewhere is put where it belongs. Histories go over many versions.
pub const OLDEST_RECORD_FORMAT: u32 = 4;

/// One line of a record file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "line", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// What was run, where; the first line.
    Run(Box<Run>),
    /// What one worker produced.
    Record(Box<Record>),
    /// How the run ended; the last line.
    End(End),
}

/// What was run, and where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// [`RECORD_FORMAT`].
    pub format: u32,
    /// Version of epics-gauge.
    pub version: String,
    /// The EPICS Base of the softIoc and of `libca` and `epics-ca`.
    pub base: String,
    /// The compiler that built it.
    pub compiler: String,
    /// When it was started, UTC, RFC 3339.
    pub started_utc: String,
    /// The arguments of the command line.
    pub arguments: Vec<String>,
    /// The seed of every random choice.
    pub seed: u64,
    /// Blocks per configuration.
    pub blocks: usize,
    /// The machine.
    pub machine: Machine,
    /// What is known of each approach, in the order of the catalogue.
    pub approaches: Vec<ApproachFacts>,
    /// Python environments that were made for this run, of packages that the user chose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub environments: Vec<PythonEnvironment>,
    /// The commit that was measured; none when it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Revision>,
    /// The host of the servers, where that was another one than that of the clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_host: Option<ServerHostFacts>,
    /// What was compared; none when approaches were held to limits.
    #[serde(default, rename = "contest")]
    pub comparison: Option<ComparisonRequest>,
}

/// The host on which servers ran while clients ran on this one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerHostFacts {
    /// Its name in the file of hosts.
    pub name: String,
    /// What it calls itself.
    pub host_name: String,
    /// Its address.
    pub address: String,
    /// The address of the clients.
    pub clients_address: String,
    /// Its processor cores.
    pub cores: usize,
    /// Whether it is a network namespace of the clients' machine: both share its cores and
    /// clocks.
    pub is_on_this_machine: bool,
    /// Its clock of the time of day before the run.
    pub clock: HostClock,
    /// The network between the two, before the run.
    pub network: NetworkBetween,
}

/// What a network does without EPICS, over one TCP connection.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkBetween {
    /// The median round trip of one byte, in ns.
    pub round_trip_ns: u64,
    /// Bytes that arrived in a second.
    pub bytes_per_s: f64,
}

/// The clock of another host, by the exchange with the least round trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HostClock {
    /// Its time minus that of the clients' host, in ns.
    pub offset_ns: i64,
    /// The true offset is within so many ns.
    pub bound_ns: u64,
    /// The round trip of that exchange in ns.
    pub round_trip_ns: u64,
}

/// What was installed for one approach or server of a package that the user chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonEnvironment {
    /// The approach or server, as it was named.
    pub of: String,
    /// The version of the Python that runs it.
    pub python: String,
    /// The packages, by name.
    pub packages: Vec<InstalledPackage>,
}

/// One package of such an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InstalledPackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of the archive that it came in, in hexadecimal; none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The commit that it was built from, where it came from git.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
}

/// Two sides that were compared, and what was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ComparisonRequest {
    /// What side A was, in the user's words.
    pub a: String,
    /// What side B was.
    pub b: String,
    /// What was compared, by the names of metrics.
    pub metrics: Vec<String>,
    /// The difference, as a part of A, that does not matter to the user.
    pub tolerance: f64,
    /// The most fresh pairs that were to be measured.
    pub most_pairs: usize,
    /// How many comparisons, this one among them, share the rate of false alarms.
    #[serde(default = "alone")]
    pub comparisons: usize,
}

fn alone() -> usize {
    1
}

impl Run {
    /// The floor of this protocol, if it was measured.
    pub fn floor_of(&self, protocol: Protocol) -> Option<&ApproachFacts> {
        self.approaches.iter().find(|facts| facts.floor && facts.protocol == protocol)
    }

    /// The machine, by a name of its own where servers were on another host: figures between
    /// two hosts are not those of one.
    pub fn arrangement(&self) -> Machine {
        let Machine { model, .. } = &self.machine;
        match &self.server_host {
            None => self.machine.clone(),
            Some(host) => Machine {
                model: format!("{model}, servers on the host {}", host.name),
                ..self.machine.clone()
            },
        }
    }
}

/// The machine that measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Logical cores that this process may use.
    pub cores: usize,
    /// The processor's name.
    pub model: String,
    /// Operating system and its version.
    pub system: String,
    /// The kernel's version.
    pub kernel: String,
    /// Memory in all.
    pub memory_bytes: u64,
}

/// What the judge must know of an approach beyond its figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApproachFacts {
    /// Its name.
    pub name: String,
    /// The protocol that it speaks.
    #[serde(default, alias = "provider")]
    pub protocol: Protocol,
    /// Whether it is the floor of its protocol and so no choice for a user.
    pub floor: bool,
    /// Rank by simplicity, 1 the simplest; none when nobody has ranked it.
    pub simplicity: Option<u32>,
    /// Why it has this rank.
    pub simplicity_reason: String,
    /// The library's ordinary get, as a program writes it; none where it is not measured.
    #[serde(default)]
    pub default_get: Option<String>,
}

/// Everything one worker produced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The scenario's name.
    pub scenario: Scenario,
    /// The server's name.
    pub server: String,
    /// How many PVs.
    pub pvs: usize,
    /// How they were connected.
    pub mode: Mode,
    /// How they were found.
    #[serde(default)]
    pub lookup: Lookup,
    /// What monitors were to take; none for scenarios without monitors.
    #[serde(default)]
    pub load: Option<Load>,
    /// The IOCs that have the PVs together; none where it is one.
    #[serde(default, alias = "fleet")]
    pub many_iocs: Option<ManyIocsShape>,
    /// What was done to the worker or its server, and what came of it; none of other
    /// scenarios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Box<FaultRun>>,
    /// The block, from 0; equal in all records of one block.
    pub block: usize,
    /// Whether it was measured afresh, to confirm what blocks before it had shown:
    /// no decision rests on blocks that raised the suspicion.
    #[serde(default)]
    pub confirms: bool,
    /// Which of two that are compared it was; none in a run.
    #[serde(default)]
    pub side: Option<Side>,
    /// By how much the harness had it slowed, to learn whether that is found.
    #[serde(default, alias = "handicap")]
    pub slowdown: Option<InjectedSlowdown>,
    /// The worker's place in the random order of its block, from 0.
    pub position: usize,
    /// The approach's name.
    pub approach: String,
    /// Versions that the worker reported.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Versions that the server reported; empty of a softIoc, which is the run's.
    #[serde(default)]
    pub server_versions: BTreeMap<String, String>,
    /// Whether `connect` includes `create`, because the library cannot separate
    /// them.
    #[serde(default)]
    pub create_is_joint: bool,
    /// The figures, in the order of the stages.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// What monitors took; none for scenarios without, and where it failed
    /// before.
    #[serde(default)]
    pub monitored: Option<Box<Monitored>>,
    /// What connecting to many IOCs took; none for other scenarios, and where it failed
    /// before.
    #[serde(default, alias = "fleet_use")]
    pub many_iocs_use: Option<Box<ManyIocsUse>>,
    /// The link to the server, and what went over it; none where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Box<LinkUse>>,
    /// What a reader should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it is not complete, if it is not.
    #[serde(default)]
    pub failure: Option<Failure>,
}

/// One of two that are compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What there was before.
    A,
    /// What is new.
    B,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Side {
        match self {
            Side::A => Side::B,
            Side::B => Side::A,
        }
    }
}

/// One figure from one worker: one stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sample {
    /// The stage.
    pub stage: Stage,
    /// One PV at a time or all at once.
    pub mode: Mode,
    /// On how many PVs.
    pub pvs: usize,
    /// Start, on the worker's monotonic clock, counted from the start of its
    /// import.
    pub start_ns: u64,
    /// End, on the same clock.
    pub end_ns: u64,
    /// CPU time that the worker used in between.
    pub cpu_ns: u64,
    /// How long each PV took, in order, where the worker treated them one by one and
    /// timed each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub each_ns: Vec<u64>,
    /// What the harness saw of it; none of `import`, of stages that were asked for
    /// together with a later one, and in files of older versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub witnessed: Option<Witnessed>,
    /// What was seen of an ordinary get; none of other stages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_get: Option<DefaultGet>,
}

impl Record {
    /// The time that the worker took and did not claim in all its stages together, those
    /// of `collect` apart; none where the harness did not look.
    pub fn unclaimed(&self) -> Option<Unclaimed> {
        let judged = self.samples.iter().filter(|sample| sample.stage != Stage::Collect);
        judged.filter_map(|sample| sample.witnessed).map(|seen| seen.unclaimed()).reduce(
            |mut sum, one| {
                sum += one;
                sum
            },
        )
    }

    /// CPU time that the kernel counted in all stages and the worker did not claim, s;
    /// none where it is not known.
    pub fn unclaimed_cpu_s(&self) -> Option<f64> {
        let seen = self.samples.iter().filter_map(|sample| sample.witnessed);
        let unclaimed = seen.filter_map(|seen| seen.unclaimed_cpu_ns());
        unclaimed.map(|ns| ns as f64 / 1e9).reduce(|sum, one| sum + one)
    }
}

/// Why a worker's record is not complete.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// In which stage; none before the first.
    #[serde(default)]
    pub stage: Option<Stage>,
    /// The whole story, several lines perhaps.
    pub message: String,
}

named! {
    /// The kinds of failure.
    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum FailureKind {
        /// The approach is not installed or cannot be started.
        Missing = "missing",
        /// The worker ended before it was done.
        Crashed = "crashed",
        /// The worker did not answer in time.
        TimedOut = "timed out",
        /// The worker answered what the protocol does not know.
        Garbage = "garbage",
        /// The time or the CPU time that the worker claims of a stage cannot be all that it
        /// took.
        WrongClaim = "wrong claim",
        /// The worker reported that it could not do a stage.
        StageFailed = "stage failed",
        /// A value, or the number of values, was not what the server held.
        WrongValue = "wrong value",
        /// An update arrived that the server never made so: torn, twice or out of
        /// order.
        WrongUpdate = "wrong update",
        /// The server did not make updates at the rate that was asked.
        RateNotHeld = "rate not held",
        /// The client held more memory than it may.
        TooMuchMemory = "too much memory",
        /// The IOC failed, not the worker.
        Ioc = "IOC failed",
        /// The approach is known to be unable to do this, and was not tried.
        Unable = "unable",
        /// It was not tried, because it would take too long.
        LeftOut = "left out",
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// When, UTC, RFC 3339.
    pub ended_utc: String,
    /// Whether the user stopped it.
    pub interrupted: bool,
    /// Processes of the run that were still there when it was over; none when that
    /// cannot be known on this system.
    #[serde(default)]
    pub processes_left: Option<usize>,
    /// The clock of the servers' host after the run, where that was another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_clock: Option<HostClock>,
}

/// A whole run, as read from a record file.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecords {
    /// The first line.
    pub run: Run,
    /// The records, in the order of the file.
    pub records: Vec<Record>,
    /// The last line; none when the run was cut off.
    pub end: Option<End>,
}

/// Why text is not a record file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A line is not of the format.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// There is no run.
    #[error("it does not begin with a run")]
    NoRun,
}

impl RunRecords {
    /// Reads the text of a record file. A last line that was cut off (a full
    /// disk, a kill) is left out.
    ///
    /// # Errors
    /// Where a line is not of the format, or of another version of it.
    pub fn parse(text: &str) -> Result<RunRecords, ReadError> {
        let (mut run, mut records, mut end) = (None, Vec::new(), None);
        let mut format = RECORD_FORMAT;
        let complete = text.rfind('\n').map_or("", |at| &text[..at]);
        for (index, line) in complete.lines().enumerate() {
            let wrong = |reason: String| ReadError::Line { line: index + 1, reason };
            if index == 0 {
                format = check_format(line)?;
            }
            let read = migrated::line(line, format, run.as_ref());
            match read.map_err(|error| wrong(reason(&error)))? {
                Line::Run(_) if run.is_some() => return Err(wrong("a second run".to_owned())),
                Line::Run(first) => run = Some(*first),
                Line::Record(record) => match check::impossible(&record) {
                    Some(impossible) => return Err(wrong(impossible)),
                    None => records.push(*record),
                },
                Line::End(last) => end = Some(last),
            }
        }
        let run = run.ok_or(ReadError::NoRun)?;
        Ok(RunRecords { run, records, end })
    }
}

/// Another version may have other fields, so its number is read first.
fn check_format(first_line: &str) -> Result<u32, ReadError> {
    #[derive(Deserialize)]
    struct First {
        line: String,
        format: u32,
    }
    match serde_json::from_str(first_line) {
        Ok(First { line, format })
            if line == "run" && !(OLDEST_RECORD_FORMAT..=RECORD_FORMAT).contains(&format) =>
        {
            let reason = format!(
                "it has format {format}, this build reads formats {OLDEST_RECORD_FORMAT} to \
                 {RECORD_FORMAT}"
            );
            Err(ReadError::Line { line: 1, reason })
        }
        Ok(First { line, format }) if line == "run" => Ok(format),
        _ => Err(ReadError::NoRun),
    }
}

/// What is wrong with a line; the parser counts lines from the start of this
/// one, which would only confuse.
fn reason(error: &serde_json::Error) -> String {
    let position = format!(" at line {} column {}", error.line(), error.column());
    match error.to_string().strip_suffix(&position) {
        Some(what) => format!("{what} (column {})", error.column()),
        None => error.to_string(),
    }
}
