//! Figures of monitors, from what was sampled of both sides.

use super::Party;
use crate::record::{Failure, FailureKind, Monitored, Record, Usage};
use crate::stats::{between, cpu_load};

/// The windows of CPU use, as of `top`.
pub(crate) const CPU_WINDOW_NS: u64 = 1_000_000_000;

/// What monitors took, unless an update was wrong: then nothing was counted.
pub fn trusted(record: &Record) -> Option<&Monitored> {
    let is_wrong = |failure: &Failure| failure.kind == FailureKind::WrongUpdate;
    record.monitored.as_deref().filter(|_| !record.failure.as_ref().is_some_and(is_wrong))
}

/// The CPU use of one side while the figures were taken, in % of a core.
pub fn mean_cpu_percent(monitored: &Monitored, usage: &Usage) -> Option<f64> {
    cpu_percent(usage, monitored.start_ns, monitored.end_ns)
}

/// The CPU use between two moments, in % of a core.
pub fn cpu_percent(usage: &Usage, start_ns: u64, end_ns: u64) -> Option<f64> {
    let samples: Vec<(u64, u64)> =
        usage.samples.iter().map(|sample| (sample.at_ns, sample.cpu_ns)).collect();
    Some(cpu_load(&between(&samples, start_ns, end_ns), CPU_WINDOW_NS)?.mean_percent)
}

/// Resident memory of one side while the figures were taken, with the time of each
/// sample.
pub fn memory_of_run(monitored: &Monitored, usage: &Usage) -> Vec<(u64, u64)> {
    let within = monitored.start_ns..=monitored.end_ns;
    let samples = usage.samples.iter().filter(|sample| within.contains(&sample.at_ns));
    samples.map(|sample| (sample.at_ns, sample.rss_bytes)).collect()
}

impl Party {
    /// What this side used.
    pub fn usage(self, monitored: &Monitored) -> &Usage {
        match self {
            Party::Client => &monitored.client,
            Party::Server => &monitored.server,
        }
    }
}
