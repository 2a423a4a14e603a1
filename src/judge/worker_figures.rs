//! Every figure of one worker, each with its unit: what statistics begin with.

use std::collections::BTreeMap;

use crate::metric::{Metric, Row, Unit, rows, trusted};
use crate::record::{Record, Sample};
use crate::worker_protocol::{Mode, Stage};

/// One figure.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerFigure {
    /// What it is, such as `connect bulk`, `elapsed` or `updates lost`.
    pub metric: String,
    /// The stage that it is of; none for figures of monitors and many IOCs.
    pub stage: Option<Stage>,
    /// The mode of that stage.
    pub stage_mode: Option<Mode>,
    /// The figure.
    pub value: f64,
    /// What it is counted in.
    pub unit: Unit,
}

/// Wall time of one stage as the worker timed it, for all its PVs together.
pub const ELAPSED: &str = "elapsed";

/// CPU time of the worker in one stage.
pub const CPU_TIME: &str = "cpu time";

/// All figures of a worker. Of one that failed these are the stages before, and
/// nothing of monitors where an update was wrong: then nothing was counted.
pub fn worker_figures(record: &Record) -> Vec<WorkerFigure> {
    let mut figures: Vec<WorkerFigure> = record.samples.iter().flat_map(of_sample).collect();
    figures.extend(rows().iter().filter_map(|row| of_row(row, record)));
    if let Some(monitored) = trusted(record) {
        let server = &monitored.server_counters;
        figures.extend(of_counters("server overload", &server.overloads));
        figures.extend(of_counters("library", &monitored.library_counters));
    }
    figures
}

fn of_sample(sample: &Sample) -> Vec<WorkerFigure> {
    let figure = |metric: &str, ns: u64| WorkerFigure {
        metric: metric.to_owned(),
        stage: Some(sample.stage),
        stage_mode: Some(sample.mode),
        value: ns as f64 / 1e9,
        unit: Unit::Seconds,
    };
    let elapsed_ns = sample.end_ns.saturating_sub(sample.start_ns);
    vec![figure(ELAPSED, elapsed_ns), figure(CPU_TIME, sample.cpu_ns)]
}

/// The figure of this row, where the worker has it. Whether a worker failed stands in a
/// column of its own.
fn of_row(row: &Row, record: &Record) -> Option<WorkerFigure> {
    if row.metric.is_of_failures() {
        return None;
    }
    let timed = match row.metric {
        Metric::Time(timed) | Metric::Cpu(timed) | Metric::Each(timed, _) => Some(timed),
        _ => None,
    };
    Some(WorkerFigure {
        metric: row.name.clone(),
        stage: timed.map(|timed| timed.stage),
        stage_mode: timed.map(|timed| timed.mode),
        value: row.metric.of(record)?,
        unit: row.unit,
    })
}

/// Counters that a library or a log names itself.
fn of_counters(prefix: &str, counters: &BTreeMap<String, u64>) -> Vec<WorkerFigure> {
    let counted = |(name, count): (&String, &u64)| WorkerFigure {
        metric: format!("{prefix}: {name}"),
        stage: None,
        stage_mode: None,
        value: *count as f64,
        unit: Unit::Count,
    };
    counters.iter().map(counted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Load, Monitored, Usage};

    fn of(figures: &[WorkerFigure], metric: &str) -> f64 {
        figures.iter().find(|figure| figure.metric == metric).expect(metric).value
    }

    #[test]
    fn stages_are_reported_as_timed_and_as_judged() {
        let sample = |stage, start_ns, end_ns| Sample {
            stage,
            mode: Mode::Bulk,
            pvs: 10,
            start_ns,
            end_ns,
            cpu_ns: 500_000_000,
            each_ns: Vec::new(),
            witnessed: None,
            default_get: None,
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
    fn single_pvs_are_reported_by_their_spread_where_they_were_timed() {
        let sample = |stage, each_ns| Sample {
            stage,
            mode: Mode::Serial,
            pvs: 4,
            start_ns: 0,
            end_ns: 9_000_000_000,
            cpu_ns: 0,
            each_ns,
            witnessed: None,
            default_get: None,
        };
        let each_ns = [1, 2, 1, 5].map(|s| s * 1_000_000_000).to_vec();
        let samples = vec![sample(Stage::Get, each_ns), sample(Stage::Put, Vec::new())];
        let figures = worker_figures(&Record { pvs: 4, samples, ..Record::default() });
        assert_eq!((of(&figures, "get serial min"), of(&figures, "get serial max")), (1.0, 5.0));
        let points = figures.iter().filter(|one| one.metric.ends_with(" p99")).count();
        assert_eq!(points, 1, "the puts were not timed each");
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
            silent: 0,
            latencies: vec![(1_000_000, 93)],
            server_counters: Default::default(),
            library_counters: [("dropped".to_owned(), 4)].into(),
            client: Usage::default(),
            server: Usage::default(),
            sampler_cpu_ns: 0,
            machine: None,
            network: None,
            recovery: None,
            losses: None,
            latency_over_time: None,
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
