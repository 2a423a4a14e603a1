//! The records as one long table, for pandas and spreadsheets.
//!
//! `docs/data.md` tells the columns.

use serde::Serialize;

use crate::judge::worker_figures::{WorkerFigure, worker_figures};
use crate::record::{FailureKind, Record, RunRecords, Scenario, Side};
use crate::worker_protocol::{Mode, Stage};

/// One figure of one worker.
#[derive(Serialize)]
struct Row<'a> {
    started_utc: &'a str,
    machine: &'a str,
    cores: usize,
    scenario: Scenario,
    server: &'a str,
    approach: &'a str,
    floor: bool,
    side: Option<Side>,
    slowed_fraction: Option<f64>,
    slowed_per_pv_s: Option<f64>,
    pvs: usize,
    mode: Mode,
    lookup: Option<&'static str>,
    iocs: Option<usize>,
    rate_hz: Option<f64>,
    seconds: Option<f64>,
    monitors: Option<usize>,
    idle_pvs: Option<usize>,
    pixels: Option<String>,
    array_bytes: Option<u64>,
    disturbance: Option<&'static str>,
    block: usize,
    position: usize,
    confirms: bool,
    metric: String,
    stage: Option<Stage>,
    stage_mode: Option<Mode>,
    value: Option<f64>,
    unit: Option<&'static str>,
    failure: Option<FailureKind>,
    failure_stage: Option<Stage>,
    failure_message: Option<&'a str>,
    versions: String,
}

/// The columns, in order.
pub const COLUMNS: [&str; 33] = [
    "started_utc",
    "machine",
    "cores",
    "scenario",
    "server",
    "approach",
    "floor",
    "side",
    "slowed_fraction",
    "slowed_per_pv_s",
    "pvs",
    "mode",
    "lookup",
    "iocs",
    "rate_hz",
    "seconds",
    "monitors",
    "idle_pvs",
    "pixels",
    "array_bytes",
    "disturbance",
    "block",
    "position",
    "confirms",
    "metric",
    "stage",
    "stage_mode",
    "value",
    "unit",
    "failure",
    "failure_stage",
    "failure_message",
    "versions",
];

/// The metric of the row that each failed worker has, beside those of what it did
/// before.
pub const FAILED: &str = "failed";

/// Writes all records of these runs: a heading, one row per figure of a worker, and
/// one per failure.
pub fn render_csv(runs: &[RunRecords]) -> String {
    let mut writer = ::csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let mut written = writer.write_record(COLUMNS);
    for run in runs {
        for row in run.records.iter().flat_map(|record| rows(run, record)) {
            written = written.and_then(|()| writer.serialize(row));
        }
    }
    let bytes = written.map_err(|error| error.to_string()).and_then(|()| {
        let whole = writer.into_inner();
        whole.map_err(|error| error.to_string())
    });
    match bytes.map(String::from_utf8) {
        Ok(Ok(text)) => text,
        other => unreachable!("plain fields in memory are always CSV: {other:?}"),
    }
}

fn rows<'a>(run: &'a RunRecords, record: &'a Record) -> Vec<Row<'a>> {
    let with = |figure: WorkerFigure| Row {
        metric: figure.metric,
        stage: figure.stage,
        stage_mode: figure.stage_mode,
        value: Some(figure.value),
        unit: Some(figure.unit.name()),
        ..without_figure(run, record)
    };
    let mut rows: Vec<Row<'a>> = worker_figures(record).into_iter().map(with).collect();
    if record.failure.is_some() {
        rows.push(Row { metric: FAILED.to_owned(), ..without_figure(run, record) });
    }
    rows
}

fn without_figure<'a>(run: &'a RunRecords, record: &'a Record) -> Row<'a> {
    let load = record.load.as_ref();
    let failure = record.failure.as_ref();
    let told = record.versions.iter().chain(&record.server_versions);
    let versions: Vec<String> = told.map(|(name, version)| format!("{name} {version}")).collect();
    Row {
        started_utc: &run.run.started_utc,
        machine: &run.run.machine.model,
        cores: run.run.machine.cores,
        scenario: record.scenario,
        server: &record.server,
        approach: &record.approach,
        floor: run.run.approaches.iter().any(|one| one.floor && one.name == record.approach),
        side: record.side,
        slowed_fraction: record.handicap.map(|handicap| handicap.fraction),
        slowed_per_pv_s: record.handicap.map(|handicap| handicap.per_pv_s),
        pvs: record.pvs,
        mode: record.mode,
        lookup: record.fleet.map(|fleet| fleet.lookup.name()),
        iocs: record.fleet.map(|fleet| fleet.iocs),
        rate_hz: load.map(|load| load.rate_hz),
        seconds: load.map(|load| load.seconds),
        monitors: load.map(|load| load.monitors),
        idle_pvs: load.map(|load| load.idle_pvs),
        pixels: load.and_then(|load| load.pixels).map(|pixels| pixels.to_string()),
        array_bytes: load.and_then(|load| load.array_bytes),
        disturbance: load.and_then(|load| load.disturbance).map(|what| what.name()),
        block: record.block,
        position: record.position,
        confirms: record.confirms,
        metric: String::new(),
        stage: None,
        stage_mode: None,
        value: None,
        unit: None,
        failure: failure.map(|failure| failure.kind),
        failure_stage: failure.and_then(|failure| failure.stage),
        failure_message: failure.map(|failure| failure.message.as_str()),
        versions: versions.join("; "),
    }
}
