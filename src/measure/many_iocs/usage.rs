//! Memory, CPU time and bytes of the processes of many IOCs and of their client.

use std::time::{Duration, Instant};

use crate::process::{NetworkBytes, NetworkCounter, SubjectUsage, UsageSampler};

/// How often the client's memory is read while it connects.
const PERIOD: Duration = Duration::from_millis(100);

/// A sampler with this period takes a sample at its start and one at its end.
const NEVER: Duration = Duration::from_secs(86_400);

/// IOCs that use fewer cores than this together are idle: twenty idle ones with 10 000 PVs each
/// used 0.014.
const QUIET_CORES: f64 = 0.2;

/// How long they must stay idle.
const LOOK: Duration = Duration::from_millis(250);

/// How long IOCs may take to close a client's circuits.
const MOST_TO_SETTLE: Duration = Duration::from_secs(60);

/// Records what a client uses while it connects.
pub(super) struct ClientUsage {
    sampler: UsageSampler,
    network: NetworkCounter,
    pids: Vec<u32>,
    before: Option<NetworkBytes>,
}

impl ClientUsage {
    /// Begins to sample `started`, the process that the harness started, with its descendants.
    /// `pid` is the process that sent hello.
    pub(super) fn start(started: u32, pid: u32) -> ClientUsage {
        let sampler = UsageSampler::start(vec![("the client".to_owned(), started)], PERIOD);
        let mut pids = vec![started, pid];
        pids.dedup();
        let mut network = NetworkCounter::new();
        let before = network.read(&pids).ok();
        ClientUsage { sampler, network, pids, before }
    }

    /// The client's memory at the latest sample.
    pub(super) fn client_bytes(&self) -> u64 {
        self.sampler.rss_bytes(0)
    }

    /// The bytes that its circuits have sent since the start, and the number of new circuits.
    pub(super) fn circuits(&mut self) -> Option<(u64, usize)> {
        let (before, after) = (self.before?, self.network.read(&self.pids).ok()?);
        let sent_bytes = after.sent_bytes.checked_sub(before.sent_bytes)?;
        Some((sent_bytes, after.connections.checked_sub(before.connections)?))
    }

    /// The client's memory at the first and the last sample.
    pub(super) fn finish(self) -> Option<(u64, u64)> {
        let usage = self.sampler.finish().subjects.pop()?;
        if usage.ended.is_some() {
            return None;
        }
        Some((usage.samples.first()?.rss_bytes, usage.samples.last()?.rss_bytes))
    }
}

/// The resident memory of all these processes; none when one has ended.
pub(super) fn rss_bytes(pids: &[u32]) -> Option<u64> {
    let sampler = sampler(pids);
    let last = |subject: SubjectUsage| match subject.ended {
        None => subject.samples.last().map(|sample| sample.rss_bytes),
        Some(_) => None,
    };
    sampler.finish().subjects.into_iter().map(last).sum()
}

/// Waits until these processes are idle; false when that takes too long.
pub(super) fn settle(pids: &[u32]) -> bool {
    let start = Instant::now();
    while start.elapsed() < MOST_TO_SETTLE {
        let sampler = sampler(pids);
        std::thread::sleep(LOOK);
        let usage = sampler.finish();
        let used_ns: u64 = usage.subjects.iter().map(used_ns).sum();
        if (used_ns as f64) < QUIET_CORES * usage.sampler_wall_ns as f64 {
            return true;
        }
    }
    false
}

fn sampler(pids: &[u32]) -> UsageSampler {
    let subjects = pids.iter().map(|pid| (format!("IOC {pid}"), *pid)).collect();
    UsageSampler::start(subjects, NEVER)
}

fn used_ns(subject: &SubjectUsage) -> u64 {
    let (first, last) = (subject.samples.first(), subject.samples.last());
    first.zip(last).map_or(0, |(first, last)| last.cpu_ns.saturating_sub(first.cpu_ns))
}
