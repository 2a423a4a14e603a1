//! The records as one long table, for pandas and spreadsheets.
//!
//! The columns are in `docs/data.md`.

use serde::Serialize;

use crate::judge::worker_figures::{WorkerFigure, worker_figures};
use crate::metric::{Unit, trusted};
use crate::record::{FailureKind, Record, RunRecords, Side, Timeline};
use crate::worker_protocol::{LatencySlice, Mode, Stage};

/// One figure of one worker. The names of the fields are the columns.
#[derive(Default, Serialize)]
struct Row<'a> {
    started_utc: &'a str,
    machine: &'a str,
    cores: usize,
    scenario: &'static str,
    server: &'a str,
    approach: &'a str,
    floor: bool,
    side: Option<Side>,
    slowed_fraction: Option<f64>,
    slowed_per_pv_s: Option<f64>,
    pvs: usize,
    mode: Option<Mode>,
    lookup: Option<&'static str>,
    iocs: Option<usize>,
    rate_hz: Option<f64>,
    seconds: Option<f64>,
    monitors: Option<usize>,
    idle_pvs: Option<usize>,
    pixels: Option<String>,
    array_bytes: Option<u64>,
    disturbance: Option<&'static str>,
    fault: Option<&'a str>,
    block: usize,
    position: usize,
    confirms: bool,
    metric: String,
    stage: Option<Stage>,
    stage_mode: Option<Mode>,
    value: Option<f64>,
    unit: Option<&'static str>,
    at_s: Option<f64>,
    failure: Option<FailureKind>,
    failure_stage: Option<Stage>,
    failure_message: Option<&'a str>,
    versions: String,
}

/// The metric of the row that each failed worker has, beside those of what it did
/// before.
pub const FAILED: &str = "failed";

/// The metric of the rows with the longest latency in a slice of a monitor run.
const LONGEST_LATENCY: &str = "longest latency";

/// The metric of the rows with the updates in a slice of a fault.
const UPDATES_IN_SLICE: &str = "updates in slice";

/// Writes all records of these runs: a heading, one row per figure of a worker, and
/// one per failure.
pub fn render_csv(runs: &[RunRecords]) -> String {
    let records = runs.iter().flat_map(|run| run.records.iter().map(move |one| (run, one)));
    let rows = records.flat_map(|(run, record)| rows(run, record));
    heading() + &written(false, rows)
}

/// The columns, also of runs without a record.
fn heading() -> String {
    let with_a_row = written(true, [Row::default()]);
    with_a_row.split_inclusive('\n').take(1).collect()
}

/// Rows as CSV, the names of their fields in the first line where that is wanted.
pub(super) fn written<Row: Serialize>(
    has_heading: bool,
    rows: impl IntoIterator<Item = Row>,
) -> String {
    let mut writer = ::csv::WriterBuilder::new().has_headers(has_heading).from_writer(Vec::new());
    let written = rows.into_iter().try_for_each(|row| writer.serialize(row));
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
    rows.extend(latencies_over_time(run, record));
    rows.extend(updates_over_time(run, record));
    if record.failure.is_some() {
        rows.push(Row { metric: FAILED.to_owned(), ..without_figure(run, record) });
    }
    rows
}

/// A row for each slice of time of a monitor run.
fn latencies_over_time<'a>(run: &'a RunRecords, record: &'a Record) -> Vec<Row<'a>> {
    let Some(monitored) = trusted(record) else { return Vec::new() };
    let slices = monitored.latency_over_time.iter().flat_map(|series| &series.slices);
    let row = |slice: &LatencySlice| Row {
        metric: LONGEST_LATENCY.to_owned(),
        value: Some(slice.max_ns as f64 / 1e9),
        unit: Some(Unit::Seconds.name()),
        at_s: Some((slice.start_ns as f64 - monitored.start_ns as f64) / 1e9),
        ..without_figure(run, record)
    };
    slices.map(row).collect()
}

/// A row for each slice of time of a fault.
fn updates_over_time<'a>(run: &'a RunRecords, record: &'a Record) -> Vec<Row<'a>> {
    let timeline = record.fault.as_deref().and_then(|fault| fault.timeline.as_ref());
    let row = |(slice, updates): (usize, &u64), slice_s: f64| Row {
        metric: UPDATES_IN_SLICE.to_owned(),
        value: Some(*updates as f64),
        unit: Some(Unit::Count.name()),
        at_s: Some(slice as f64 * slice_s),
        ..without_figure(run, record)
    };
    let rows = |timeline: &'a Timeline| {
        timeline.updates.iter().enumerate().map(|one| row(one, timeline.slice_s))
    };
    timeline.into_iter().flat_map(rows).collect()
}

fn without_figure<'a>(run: &'a RunRecords, record: &'a Record) -> Row<'a> {
    let load = record.load.as_ref();
    let failure = record.failure.as_ref();
    let reported = record.versions.iter().chain(&record.server_versions);
    let versions: Vec<String> =
        reported.map(|(name, version)| format!("{name} {version}")).collect();
    Row {
        started_utc: &run.run.started_utc,
        machine: &run.run.machine.model,
        cores: run.run.machine.cores,
        scenario: record.scenario.name(),
        server: &record.server,
        approach: &record.approach,
        floor: run.run.approaches.iter().any(|one| one.floor && one.name == record.approach),
        side: record.side,
        slowed_fraction: record.slowdown.map(|slowdown| slowdown.fraction),
        slowed_per_pv_s: record.slowdown.map(|slowdown| slowdown.per_pv_s),
        pvs: record.pvs,
        mode: Some(record.mode),
        lookup: Some(record.lookup.option()),
        iocs: record.many_iocs.map(|many_iocs| many_iocs.iocs),
        rate_hz: load.map(|load| load.rate_hz),
        seconds: load.map(|load| load.seconds),
        monitors: load.map(|load| load.monitors),
        idle_pvs: load.map(|load| load.idle_pvs),
        pixels: load.and_then(|load| load.pixels).map(|pixels| pixels.to_string()),
        array_bytes: load.and_then(|load| load.array_bytes),
        disturbance: load.and_then(|load| load.disturbance).map(|what| what.name()),
        fault: record.fault.as_ref().map(|fault| fault.name.as_str()),
        block: record.block,
        position: record.position,
        confirms: record.confirms,
        metric: String::new(),
        stage: None,
        stage_mode: None,
        value: None,
        unit: None,
        at_s: None,
        failure: failure.map(|failure| failure.kind),
        failure_stage: failure.and_then(|failure| failure.stage),
        failure_message: failure.map(|failure| failure.message.as_str()),
        versions: versions.join("; "),
    }
}
