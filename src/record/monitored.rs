//! What a worker's monitors were to take, and what they took.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::worker_protocol::{Content, LatencySlice};

/// What monitors were to take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// Updates per second of each PV.
    pub rate_hz: f64,
    /// For how long, after the warm-up.
    pub seconds: f64,
    /// The size of frames; none for scalars.
    #[serde(default)]
    pub pixels: Option<Pixels>,
    /// `EPICS_CA_MAX_ARRAY_BYTES` of server and client, when the user set it.
    #[serde(default)]
    pub array_bytes: Option<u64>,
    /// What was done to client or server in the middle.
    #[serde(default)]
    pub disturbance: Option<Disturbance>,
    /// Subscriptions to each PV.
    #[serde(default = "one")]
    pub monitors: usize,
    /// PVs that the server updates beside those that are monitored.
    #[serde(default)]
    pub idle_pvs: usize,
}

fn one() -> usize {
    1
}

impl Load {
    /// One monitor on each scalar, and nothing beside.
    pub fn of_scalars(rate_hz: f64, seconds: f64) -> Load {
        let (pixels, array_bytes, disturbance) = (None, None, None);
        Load { rate_hz, seconds, pixels, array_bytes, disturbance, monitors: 1, idle_pvs: 0 }
    }

    /// What one update holds.
    pub fn content(&self) -> Content {
        match self.pixels {
            Some(_) => Content::Frames,
            None => Content::Scalars,
        }
    }

    /// Updates per second that the subscriptions to `pvs` PVs bring together.
    pub fn updates_hz(&self, pvs: usize) -> f64 {
        self.rate_hz * (pvs * self.monitors) as f64
    }
}

/// The size of a frame.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct Pixels {
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

impl Pixels {
    /// How many there are in a frame.
    pub fn count(self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Bytes of a frame: 16 bits for each pixel.
    pub fn bytes(self) -> u64 {
        2 * self.count() as u64
    }
}

impl fmt::Display for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl FromStr for Pixels {
    type Err = String;

    fn from_str(text: &str) -> Result<Pixels, String> {
        let wrong = || format!("`{text}` is no size; give width and height such as 680x480");
        let (width, height) = text.trim().split_once('x').ok_or_else(wrong)?;
        let width = width.parse().map_err(|_| wrong())?;
        let height = height.parse().map_err(|_| wrong())?;
        Ok(Pixels { width, height })
    }
}

named! {
    /// What is done to client or server during a monitor run.
    pub enum Disturbance("fault") {
        /// The client's process is stopped for five seconds, so that it reads
        /// nothing.
        Stall = "stall",
        /// The IOC is killed, and started again a second later.
        Restart = "restart",
        /// The same, but the first PV does not come back.
        MissingPv = "missing-pv" | "vanish",
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What monitors took, and what that cost both sides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Monitored {
    /// When the figures of usage begin (after the warm-up), on the system's
    /// monotonic clock.
    pub start_ns: u64,
    /// When the server stopped making updates, on the same clock.
    pub end_ns: u64,
    /// Updates of one PV per second that the server made, on average.
    pub made_hz: f64,
    /// Whether CPU use was steady when the figures of usage begin; none where that
    /// was not waited for.
    #[serde(default)]
    pub steady: Option<Steady>,
    /// The processor cores that client and server were kept on; none where both
    /// had all.
    #[serde(default)]
    pub cores: Option<Cores>,
    /// Updates that were to arrive: each subscription's first one and all that the
    /// server made since, by its own count.
    pub expected: u64,
    /// Different updates that arrived.
    pub received: u64,
    /// Frames that arrived once more right after themselves: the server sends an
    /// array as it is when its turn comes.
    #[serde(default)]
    pub repeated: u64,
    /// Of those that did not arrive, how many came after the last that did, so
    /// that they may only have been late.
    pub late: u64,
    /// Subscriptions that were made and have brought nothing, where that is no failure.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub silent: u64,
    /// Time from the server's time stamp to the callback in ns, with counts.
    pub latencies: Vec<(i64, u64)>,
    /// What the server counted.
    pub server_counters: ServerCounters,
    /// What the library counted, by its own names.
    #[serde(default)]
    pub library_counters: BTreeMap<String, u64>,
    /// The client's process and its descendants.
    pub client: Usage,
    /// The server's process and its descendants.
    pub server: Usage,
    /// CPU time of the thread that took the samples of usage, from the first to
    /// the last.
    pub sampler_cpu_ns: u64,
    /// What all cores of the machine did meanwhile; none where the system does not report it.
    #[serde(default)]
    pub machine: Option<MachineUse>,
    /// Bytes over the client's own TCP connections; none where the system does
    /// not report it.
    #[serde(default)]
    pub network: Option<Network>,
    /// How the approach came back after a disturbance.
    #[serde(default)]
    pub recovery: Option<Recovery>,
    /// Which PVs lost updates, and when; none where nothing was lost.
    #[serde(default)]
    pub losses: Option<Losses>,
    /// The same latencies over time, the warm-up before `start_ns` among them; none where
    /// the worker does not report it.
    #[serde(default)]
    pub latency_over_time: Option<LatencyOverTime>,
}

/// Latencies of updates over time, and the PVs with the longest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LatencyOverTime {
    /// How long each slice of time is.
    pub slice_ns: u64,
    /// The slices in which updates arrived, in order.
    pub slices: Vec<LatencySlice>,
    /// At least half of the PVs never had a longer latency.
    pub median_pv_ns: i64,
    /// The PVs with the longest latency, in this order; none where there is one PV.
    pub slowest_pvs: Vec<SlowestPv>,
}

/// One of the PVs with the longest latency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SlowestPv {
    /// The name of the PV.
    pub pv: String,
    /// When each slice begins in which an update of it arrived, on the system's monotonic
    /// clock, and its longest latency there.
    pub longest_ns: Vec<(u64, i64)>,
}

/// Which PVs lost updates, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Losses {
    /// How many PVs lost any.
    pub pvs: u64,
    /// Those that lost most, five at most.
    pub most: Vec<PvLosses>,
    /// For each tenth of a second in which losses were seen: its start, in ns after
    /// `start_ns`, and the lost updates. A loss is seen when the update after it arrives,
    /// or at the end.
    pub course_ns: Vec<(u64, u64)>,
}

/// The losses of one PV.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PvLosses {
    /// The name of the PV.
    pub pv: String,
    /// How many of its updates did not arrive.
    pub lost: u64,
    /// When the first loss was seen, in seconds after `start_ns`.
    pub first_s: f64,
    /// When the last was.
    pub last_s: f64,
}

impl Monitored {
    /// Updates that did not arrive.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }
}

/// What the server counted during a monitor run; none where it does not count.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServerCounters {
    /// Subscriptions to the scenario's PVs, at the end.
    #[serde(default)]
    pub subscriptions: Option<u64>,
    /// Scans that took longer than their period.
    #[serde(default)]
    pub scan_overruns: Option<u64>,
    /// Updates that it put over an older one of the same subscription, or dropped
    /// because a queue was full.
    #[serde(default)]
    pub merged_updates: Option<u64>,
    /// Requests that found a callback queue full.
    #[serde(default)]
    pub callback_overflows: Option<u64>,
    /// Lines of its log that report an overload, by kind.
    #[serde(default)]
    pub overloads: BTreeMap<String, u64>,
}

impl ServerCounters {
    /// Updates that it merged, as far as it counts them.
    pub fn merged(&self) -> u64 {
        self.merged_updates.unwrap_or(0)
    }
}

/// CPU time and memory of a process and its descendants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// In the order of time, from before the first update to after the last.
    pub samples: Vec<UsageSample>,
    /// The most memory that the process itself ever held.
    pub peak_rss_bytes: u64,
    /// Bytes over its own TCP connections, about once a second; empty where the
    /// system does not report it.
    #[serde(default)]
    pub network: Vec<NetworkSample>,
}

/// Bytes over a process's TCP connections up to one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkSample {
    /// When, on the system's monotonic clock.
    pub at_ns: u64,
    /// Bytes that it received so far.
    pub received_bytes: u64,
    /// Bytes that it sent so far.
    pub sent_bytes: u64,
}

/// One moment of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsageSample {
    /// When, on the system's monotonic clock.
    pub at_ns: u64,
    /// CPU time since the process began, user and system.
    pub cpu_ns: u64,
    /// Memory that it holds (resident set).
    pub rss_bytes: u64,
}

/// What all cores of the machine did, in % of all their time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineUse {
    /// Nothing.
    pub idle_percent: f64,
    /// Work for others than this run, time that a host took away counted in.
    pub others_percent: f64,
}

/// Whether, and when, CPU use of client and server was the same for a while.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Steady {
    /// Whether it was; else the wait was given up.
    pub reached: bool,
    /// Seconds from the first update to the start of the figures.
    pub after_s: f64,
}

/// Processor cores by their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cores {
    /// Those of the server.
    pub server: Vec<usize>,
    /// Those of the client.
    pub client: Vec<usize>,
}

/// Bytes of TCP payload from before the first update that the server made after
/// the subscription to after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Bytes that the client received.
    pub received_bytes: u64,
    /// Bytes that the client sent.
    pub sent_bytes: u64,
    /// The least that the updates received can take, those that came twice counted
    /// twice: one message with time stamp each; none where that is not known.
    #[serde(default)]
    pub least_bytes: Option<u64>,
}

/// How an approach came back after a disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recovery {
    /// PVs that were to send updates again.
    pub wanted: usize,
    /// PVs that did, up to the last update that the server made.
    pub recovered: usize,
    /// From the moment when client and server could both work again to the first
    /// update of the last PV that recovered; none when that is not known.
    pub slowest_s: Option<f64>,
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use super::Disturbance;

    #[test]
    fn the_name_of_before_is_read() {
        assert_eq!("vanish".parse(), Ok(Disturbance::MissingPv));
    }
}
