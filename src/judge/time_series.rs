//! CPU, memory and losses over time.

use serde::Serialize;

use super::MonitorFigures;
use crate::metric::trusted;
use crate::record::{Monitored, Record, RunRecords, Usage};
use crate::stats::cpu_windows;

/// The shortest window of CPU use: shorter ones show the ticks of the clock.
const WINDOW_NS: u64 = 500_000_000;

/// About the most windows of a time series.
const MOST_WINDOWS: u64 = 60;

/// One approach in one configuration with monitors, in its first block.
#[derive(Debug, Clone, Serialize)]
pub struct TimeSeries {
    /// The approach.
    pub approach: String,
    /// Seconds since the figures began, and the client's CPU use from then to the next
    /// in % of a core.
    pub client_cpu: Vec<(f64, f64)>,
    /// The same of the server.
    pub server_cpu: Vec<(f64, f64)>,
    /// Seconds since the figures began, and bytes that the client held.
    pub client_bytes: Vec<(f64, f64)>,
    /// Seconds since the figures began, and the updates that were lost until then; nothing
    /// where none was lost.
    pub lost: Vec<(f64, f64)>,
}

/// The time series of one configuration, in the order of its rows.
pub fn time_series(run: &RunRecords, configuration: &MonitorFigures) -> Vec<TimeSeries> {
    let is_of_configuration = |record: &&Record| {
        (&record.scenario, &record.server, record.pvs, record.lookup, record.load)
            == (
                &configuration.scenario,
                &configuration.server,
                configuration.pvs,
                configuration.lookup,
                Some(configuration.load),
            )
            && !record.confirms
    };
    let course = |approach: &str| {
        let own =
            run.records.iter().filter(is_of_configuration).filter(|one| one.approach == approach);
        let first = own.min_by_key(|record| record.block)?;
        let monitored = trusted(first)?;
        let start_ns = monitored.start_ns;
        let width_ns = (monitored.end_ns.saturating_sub(start_ns) / MOST_WINDOWS).max(WINDOW_NS);
        let span = (start_ns, monitored.end_ns);
        Some(TimeSeries {
            approach: approach.to_owned(),
            client_cpu: cpu(&monitored.client, span, width_ns),
            server_cpu: cpu(&monitored.server, span, width_ns),
            client_bytes: bytes(&monitored.client, span, width_ns),
            lost: lost(monitored),
        })
    };
    configuration.rows.iter().filter_map(|row| course(&row.approach)).collect()
}

/// From no loss at the start to all of them at the end.
fn lost(monitored: &Monitored) -> Vec<(f64, f64)> {
    let Some(losses) = &monitored.losses else { return Vec::new() };
    let mut so_far = 0;
    let mut course = vec![(0.0, 0.0)];
    for (at_ns, lost) in &losses.course_ns {
        so_far += lost;
        course.push((*at_ns as f64 / 1e9, so_far as f64));
    }
    course.push((since(monitored.end_ns, monitored.start_ns), so_far as f64));
    course
}

/// Seconds since `start_ns`; a moment just before it is negative.
fn since(at_ns: u64, start_ns: u64) -> f64 {
    (at_ns as f64 - start_ns as f64) / 1e9
}

fn cpu(usage: &Usage, (start_ns, end_ns): (u64, u64), width_ns: u64) -> Vec<(f64, f64)> {
    let samples: Vec<(u64, u64)> =
        usage.samples.iter().map(|sample| (sample.at_ns, sample.cpu_ns)).collect();
    let during = crate::stats::between(&samples, start_ns, end_ns);
    let windows = cpu_windows(&during, width_ns);
    windows.into_iter().map(|(at_ns, percent)| (since(at_ns, start_ns), percent)).collect()
}

/// The first sample of each window: memory changes slowly, and a page holds many.
fn bytes(usage: &Usage, (start_ns, end_ns): (u64, u64), width_ns: u64) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    let mut due_ns = start_ns;
    for sample in usage.samples.iter().filter(|one| (start_ns..=end_ns).contains(&one.at_ns)) {
        if sample.at_ns >= due_ns {
            kept.push((since(sample.at_ns, start_ns), sample.rss_bytes as f64));
            due_ns = sample.at_ns + width_ns;
        }
    }
    kept
}
