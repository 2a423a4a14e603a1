//! What was done to a worker or its server, and what came of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fault, and what a worker made of it. What was not looked at is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultRun {
    /// The fault, by its name in the table of faults.
    pub name: String,
    /// When the server could not answer, in seconds from the start of the figures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<Away>,
    /// What the library reported of connections; none where it reports nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<Reports>,
    /// Gets that were made meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gets: Option<GetsSeen>,
    /// How PVs came back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<Recovered>,
    /// What arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<FaultUpdates>,
    /// Updates over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeline: Option<Timeline>,
    /// What client and server held after each round.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Held>,
    /// How long each round took to disconnect, in seconds per PV.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disconnect_s: Vec<f64>,
    /// What the server still had of the client when all was disconnected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<LeftOnServer>,
    /// How the process ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed: Option<Closed>,
    /// What came of puts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puts: Option<PutsSeen>,
    /// How it went beside PVs that do not exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead: Option<DeadSeen>,
    /// Circuits that were left open when the link carried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuits_left: Option<CircuitsLeft>,
    /// How many clients connected at the same moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storm: Option<StormSeen>,
    /// What came of sharing the client with a forked process or with threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared: Option<SharedUse>,
    /// What arrived of each kind of PVs, where there were several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<MixedSeen>,
}

/// What came of a client that a forked process or several threads used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedUse {
    /// Values that were not what the server held.
    pub wrong: usize,
    /// Whether it did not end in time.
    pub hangs: bool,
    /// Whether a signal ended it.
    pub crashes: bool,
    /// The error that it reported instead of values, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What arrived of a camera, of slow and of fast PVs in one client.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MixedSeen {
    /// Of the camera.
    pub frames: KindSeen,
    /// Of the slow PVs.
    pub slow: KindSeen,
    /// Of the fast PVs.
    pub fast: KindSeen,
}

/// What arrived of one kind of PVs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KindSeen {
    /// Updates that arrived.
    pub received: u64,
    /// Updates between the first that arrived and the last of the server that did not.
    pub lost: u64,
    /// 99 of 100 updates were not longer on their way from the server's time stamp to the
    /// callback, s; none where none arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_s: Option<f64>,
}

/// A time in which the server could not answer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Away {
    /// Its start, s.
    pub from_s: f64,
    /// Its end, s.
    pub until_s: f64,
}

/// What a library reported of connections while the server could not answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reports {
    /// PVs that it reported as disconnected.
    pub disconnected: usize,
    /// PVs that it was to report as disconnected: none where the server was back before
    /// the protocol's own timeouts.
    pub wanted: usize,
    /// PVs that it was to report, and did not.
    pub missing: usize,
    /// From the moment when the server stopped to the report of the last PV, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest_s: Option<f64>,
    /// PVs that it reported as connected to a server that could not answer.
    pub falsely_connected: usize,
}

/// Gets that were asked while a fault lasted, and those around it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GetsSeen {
    /// Asked while the server could not answer, and answered when it could.
    pub answered: usize,
    /// Asked then, and given up within the timeout.
    pub failed: usize,
    /// Ended later than the timeout and a margin allow.
    pub late: usize,
    /// Returned a value that the server had replaced before, or that no server can have sent.
    pub stale: usize,
    /// The first of the stale ones, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_stale: Option<String>,
}

/// How PVs came back when the server could answer again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovered {
    /// PVs that were to come back.
    pub wanted: usize,
    /// PVs that did.
    pub recovered: usize,
    /// Until the newest value of a PV arrived: of half the PVs that came back, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_s: Option<f64>,
    /// Of the last PV that came back, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest_s: Option<f64>,
}

/// Updates that arrived, against those that the server made.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FaultUpdates {
    /// Different updates that arrived.
    pub received: u64,
    /// Updates between the first and the last of the server that did not arrive, those while
    /// a PV was away left out.
    pub lost: u64,
    /// Of those, updates that the server merged or dropped, over all clients; none where it
    /// does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_merged: Option<u64>,
    /// Updates that arrived twice, out of order, or that the server never made.
    pub wrong: u64,
    /// The first of those, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_wrong: Option<String>,
    /// PVs that came back, or never were away, whose last update did not arrive.
    pub last_missing: usize,
}

/// Updates of all PVs over time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timeline {
    /// How long each slice is, s.
    pub slice_s: f64,
    /// Updates in each slice, from the start of the figures.
    pub updates: Vec<u64>,
    /// When the library reported a first PV as disconnected, s; none where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disconnected_s: Option<f64>,
    /// When the last PV that came back was back, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_s: Option<f64>,
}

/// What client and server held at one moment; none where the system does not report it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Resident memory of the client.
    pub client_bytes: u64,
    /// Its open descriptors.
    pub client_descriptors: u64,
    /// Its threads.
    pub client_threads: u64,
    /// Resident memory of the server.
    pub server_bytes: u64,
    /// Its open descriptors.
    pub server_descriptors: u64,
    /// Its threads.
    pub server_threads: u64,
}

/// What a server still had of clients that had disconnected; none where it does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeftOnServer {
    /// Channels.
    pub channels: Option<u64>,
    /// Subscriptions.
    pub subscriptions: Option<u64>,
}

/// How a process ended after the context was closed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// From the request to close to the end of the process, s; none of one that never ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_s: Option<f64>,
    /// Its exit status or signal, in words.
    pub status: String,
    /// Whether it ended with exit status 0.
    pub is_clean: bool,
    /// Whether it had to be killed.
    pub hangs: bool,
}

/// What came of puts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutsSeen {
    /// Puts that were asked.
    pub asked: usize,
    /// Confirmed before the record had completed.
    pub early: usize,
    /// Refused by the server, and reported as done.
    pub swallowed: usize,
    /// Values that were not in the record in the end.
    pub missing: usize,
    /// Puts that had not ended long after they could have.
    #[serde(default)]
    pub deadlocks: usize,
    /// How long the put took, s; none where it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_s: Option<f64>,
}

/// How a client fared beside PVs that do not exist.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeadSeen {
    /// PVs that do not exist.
    pub dead: usize,
    /// Those of them that the library reported as connected.
    pub falsely_connected: usize,
    /// How long the others took to connect without them, in a process before, s.
    pub alone_s: f64,
    /// How long the others took beside them, s.
    pub connect_s: f64,
    /// Searches per second in the first seconds after that; none where they are not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searches_first_hz: Option<f64>,
    /// Searches per second in the seconds that followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub searches_later_hz: Option<f64>,
    /// CPU time in those over their length, in % of one core.
    pub idle_cpu_percent: f64,
}

/// Circuits that a cut of the link left open; none where the system does not report them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CircuitsLeft {
    /// Circuits that the client has beyond those of before the cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<usize>,
    /// Circuits of before the cut that the client has closed and the server still has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<usize>,
}

/// How many clients connected at the same moment, and came back after a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StormSeen {
    /// Client processes.
    pub clients: usize,
    /// Those that failed or did not connect all PVs in time.
    pub lost: usize,
    /// How long one of them took alone, s.
    pub alone_s: f64,
    /// Resident memory of one of them when it was connected.
    pub client_bytes: u64,
    /// From the request to connect until the last was connected, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_s: Option<f64>,
    /// From the moment when the first was connected until the last was, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread_s: Option<f64>,
    /// CPU time of the server meanwhile, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_cpu_s: Option<f64>,
    /// By how much the server's resident memory grew meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_bytes: Option<u64>,
    /// Searches of all clients meanwhile.
    pub searches: u64,
    /// From the moment when the restarted server serves until it has all subscriptions, s; none
    /// where it never had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_s: Option<f64>,
    /// Subscriptions that were missing in the end; none where the server does not count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions_missing: Option<u64>,
}
