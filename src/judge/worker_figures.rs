//! Every figure of one worker, each with its unit: what statistics begin with.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::Metric;
use super::monitors::{mean_cpu_percent, trusted, watched_memory};
use crate::record::{FleetUse, Monitored, Record, Sample, Usage};
use crate::stats::{Percentiles, counted_once, percentiles};
use crate::worker_protocol::{Mode, Stage};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerFigure {
    /// What it is, such as `connect bulk`, `elapsed` or `updates lost`.
    pub metric: String,
    /// The stage that it is of; none for figures of monitors and fleets.
    pub stage: Option<Stage>,
    /// The mode of that stage.
    pub stage_mode: Option<Mode>,
    /// The figure.
    pub value: f64,
    /// What it is counted in.
    pub unit: FigureUnit,
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FigureUnit {
    /// Seconds.
    Seconds,
    /// Seconds per PV.
    SecondsPerPv,
    /// CPU time over wall time, in % of one core.
    PercentOfACore,
    /// Bytes.
    Bytes,
    /// Bytes per PV.
    BytesPerPv,
    /// Per second.
    Hertz,
    /// A count.
    Count,
    /// A count per PV.
    CountPerPv,
}

impl FigureUnit {
    /// The name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            FigureUnit::Seconds => "s",
            FigureUnit::SecondsPerPv => "s/PV",
            FigureUnit::PercentOfACore => "% of a core",
            FigureUnit::Bytes => "bytes",
            FigureUnit::BytesPerPv => "bytes/PV",
            FigureUnit::Hertz => "Hz",
            FigureUnit::Count => "count",
            FigureUnit::CountPerPv => "count/PV",
        }
    }
}

/// Wall time of one stage as the worker timed it, for all its PVs together.
pub const ELAPSED: &str = "elapsed";

/// CPU time of the worker in one stage.
pub const CPU_TIME: &str = "cpu time";

/// All figures of a worker. Of one that failed these are the stages before, and
/// nothing of monitors where an update was wrong: then nothing was counted.
pub fn worker_figures(record: &Record) -> Vec<WorkerFigure> {
    let mut figures: Vec<WorkerFigure> = record.samples.iter().flat_map(of_sample).collect();
    figures.extend(judged(record));
    if let Some(monitored) = trusted(record) {
        figures.extend(of_monitors(monitored));
    }
    if let Some(used) = &record.fleet_use {
        figures.extend(of_fleet(record, used));
    }
    figures
}

fn of_sample(sample: &Sample) -> Vec<WorkerFigure> {
    let figure = |metric: &str, ns: u64| WorkerFigure {
        stage: Some(sample.stage),
        stage_mode: Some(sample.mode),
        ..plain(metric, ns as f64 / 1e9, FigureUnit::Seconds)
    };
    let elapsed_ns = sample.end_ns.saturating_sub(sample.start_ns);
    let mut figures = vec![figure(ELAPSED, elapsed_ns), figure(CPU_TIME, sample.cpu_ns)];
    let told = percentiles_of("single", percentiles(&counted_once(&sample.each_ns)));
    figures.extend(told.iter().map(|(metric, ns)| figure(metric, *ns)));
    figures
}

/// What the judge makes of the stages.
fn judged(record: &Record) -> Vec<WorkerFigure> {
    let figure = |metric: Metric| {
        Some(WorkerFigure {
            metric: metric.name(),
            stage: Some(metric.stage),
            stage_mode: Some(metric.mode),
            value: metric.of(record)?,
            unit: match metric.is_per_pv() {
                true => FigureUnit::SecondsPerPv,
                false => FigureUnit::Seconds,
            },
        })
    };
    Metric::all().into_iter().filter_map(figure).collect()
}

fn counted(metric: &str, value: u64) -> WorkerFigure {
    plain(metric, value as f64, FigureUnit::Count)
}

fn plain(metric: &str, value: f64, unit: FigureUnit) -> WorkerFigure {
    WorkerFigure { metric: metric.to_owned(), stage: None, stage_mode: None, value, unit }
}

fn of_monitors(monitored: &Monitored) -> Vec<WorkerFigure> {
    let mut figures = vec![
        plain("updates made", monitored.made_hz, FigureUnit::Hertz),
        counted("updates expected", monitored.expected),
        counted("updates received", monitored.received),
        counted("updates lost", monitored.lost()),
        counted("updates late", monitored.late),
        counted("updates repeated", monitored.repeated),
    ];
    figures.extend(of_usage("client", monitored, &monitored.client));
    figures.extend(of_usage("server", monitored, &monitored.server));
    figures.extend(of_latencies(monitored));
    if let Some(network) = &monitored.network {
        let bytes = |metric, value: u64| plain(metric, value as f64, FigureUnit::Bytes);
        figures.push(bytes("client bytes received", network.received_bytes));
        figures.push(bytes("client bytes sent", network.sent_bytes));
        figures.extend(network.least_bytes.map(|least| bytes("least bytes", least)));
    }
    let server = &monitored.server_counters;
    let counters = [
        ("server subscriptions", server.subscriptions),
        ("server scan overruns", server.scan_overruns),
        ("server merged updates", server.merged_updates),
        ("server callback overflows", server.callback_overflows),
    ];
    figures.extend(counters.iter().filter_map(|(name, count)| Some(counted(name, (*count)?))));
    figures.extend(of_counters("server overload", &server.overloads));
    figures.extend(of_counters("library", &monitored.library_counters));
    if let Some(recovery) = &monitored.recovery {
        figures.push(counted("PVs wanted back", recovery.wanted as u64));
        figures.push(counted("PVs recovered", recovery.recovered as u64));
        let slowest = |s| plain("slowest recovery", s, FigureUnit::Seconds);
        figures.extend(recovery.slowest_s.map(slowest));
    }
    figures
}

fn of_counters(prefix: &str, counters: &BTreeMap<String, u64>) -> Vec<WorkerFigure> {
    counters.iter().map(|(name, count)| counted(&format!("{prefix}: {name}"), *count)).collect()
}

fn of_usage(side: &str, monitored: &Monitored, usage: &Usage) -> Vec<WorkerFigure> {
    let mut figures = Vec::new();
    let cpu = mean_cpu_percent(monitored, usage);
    figures.extend(
        cpu.map(|percent| plain(&format!("{side} cpu"), percent, FigureUnit::PercentOfACore)),
    );
    let watched = watched_memory(monitored, usage);
    let bytes =
        |what: &str, value: u64| plain(&format!("{side} {what}"), value as f64, FigureUnit::Bytes);
    figures.extend(watched.first().map(|(_, held)| bytes("memory at start", *held)));
    let most = watched.iter().map(|(_, held)| *held).max();
    // The samples have its descendants too, its own peak is exact.
    figures.extend(most.map(|most| bytes("memory peak", most.max(usage.peak_rss_bytes))));
    figures.extend(watched.last().map(|(_, held)| bytes("memory at end", *held)));
    if let (Some(first), Some(last)) = (usage.network.first(), usage.network.last()) {
        let sent = last.sent_bytes.saturating_sub(first.sent_bytes);
        let received = last.received_bytes.saturating_sub(first.received_bytes);
        figures.push(bytes("network sent", sent));
        figures.push(bytes("network received", received));
    }
    figures
}

fn of_latencies(monitored: &Monitored) -> Vec<WorkerFigure> {
    percentiles_of("latency", percentiles(&monitored.latencies))
        .into_iter()
        .map(|(name, ns)| plain(&name, ns as f64 / 1e9, FigureUnit::Seconds))
        .collect()
}

/// What is spread, by its name and in ns.
fn percentiles_of(what: &str, spread: Option<Percentiles>) -> Vec<(String, u64)> {
    let Some(spread) = spread else { return Vec::new() };
    let named = [
        ("min", spread.min_ns),
        ("p50", spread.p50_ns),
        ("p90", spread.p90_ns),
        ("p99", spread.p99_ns),
        ("p99.9", spread.p99_9_ns),
        ("max", spread.max_ns),
    ];
    named.map(|(name, ns)| (format!("{what} {name}"), ns)).to_vec()
}

fn of_fleet(record: &Record, used: &FleetUse) -> Vec<WorkerFigure> {
    let pvs = record.pvs.max(1) as f64;
    let grown = |(before, after): (u64, u64)| after.saturating_sub(before) as f64 / pvs;
    let per_pv = |metric, value| plain(metric, value, FigureUnit::BytesPerPv);
    let mut figures = Vec::new();
    figures.extend(used.client_bytes.map(|bytes| per_pv("client memory per PV", grown(bytes))));
    // Later clients are served from memory that the first one made the IOCs take.
    let servers = used.servers_bytes.filter(|_| used.is_first_client);
    figures.extend(servers.map(|bytes| per_pv("servers memory per PV", grown(bytes))));
    let searches = used.searches.map(|searches| searches.sent / pvs);
    figures.extend(searches.map(|sent| plain("searches per PV", sent, FigureUnit::CountPerPv)));
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Load;

    fn of(figures: &[WorkerFigure], metric: &str) -> f64 {
        figures.iter().find(|figure| figure.metric == metric).expect(metric).value
    }

    #[test]
    fn stages_are_told_as_timed_and_as_judged() {
        let sample = |stage, start_ns, end_ns| Sample {
            stage,
            mode: Mode::Bulk,
            pvs: 10,
            start_ns,
            end_ns,
            cpu_ns: 500_000_000,
            each_ns: Vec::new(),
            witnessed: None,
        };
        let record = Record {
            pvs: 10,
            samples: vec![
                sample(Stage::Create, 0, 1_000_000_000),
                sample(Stage::Connect, 1_000_000_000, 3_000_000_000),
            ],
            ..Record::default()
        };
        let figures = worker_figures(&record);
        let elapsed: Vec<f64> =
            figures.iter().filter(|one| one.metric == ELAPSED).map(|one| one.value).collect();
        assert_eq!(elapsed, [1.0, 2.0]);
        assert!((of(&figures, "connect bulk") - 0.3).abs() < 1e-9, "create is part of it");
    }

    #[test]
    fn single_pvs_are_told_by_their_spread_where_they_were_timed() {
        let sample = |stage, each_ns| Sample {
            stage,
            mode: Mode::Serial,
            pvs: 4,
            start_ns: 0,
            end_ns: 9_000_000_000,
            cpu_ns: 0,
            each_ns,
            witnessed: None,
        };
        let each_ns = [1, 2, 1, 5].map(|s| s * 1_000_000_000).to_vec();
        let samples = vec![sample(Stage::Get, each_ns), sample(Stage::Put, Vec::new())];
        let figures = worker_figures(&Record { pvs: 4, samples, ..Record::default() });
        assert_eq!((of(&figures, "single min"), of(&figures, "single max")), (1.0, 5.0));
        let single = figures.iter().filter(|one| one.metric.starts_with("single"));
        assert!(
            single.clone().count() == 6 && single.clone().all(|one| one.stage == Some(Stage::Get))
        );
    }

    #[test]
    fn what_monitors_took_has_its_losses_and_latencies() {
        let monitored = Monitored {
            start_ns: 0,
            end_ns: 1,
            made_hz: 9.5,
            steady: None,
            cores: None,
            expected: 100,
            received: 93,
            repeated: 0,
            late: 2,
            latencies: vec![(1_000_000, 93)],
            server_counters: Default::default(),
            library_counters: [("dropped".to_owned(), 4)].into(),
            client: Usage::default(),
            server: Usage::default(),
            sampler_cpu_ns: 0,
            machine: None,
            network: None,
            recovery: None,
        };
        let load: Load = serde_json::from_str(r#"{"rate_hz":10.0,"seconds":1.0}"#).unwrap();
        let record =
            Record { load: Some(load), monitored: Some(Box::new(monitored)), ..Record::default() };
        let figures = worker_figures(&record);
        assert_eq!((of(&figures, "updates lost"), of(&figures, "updates late")), (7.0, 2.0));
        assert_eq!(of(&figures, "library: dropped"), 4.0);
        assert!((of(&figures, "latency p99") - 1e-3).abs() < 1e-9);
    }
}
