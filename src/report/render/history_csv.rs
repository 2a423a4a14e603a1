//! A history as one long table, for pandas and spreadsheets: a row for each figure of each
//! run. `docs/over-time.md` gives the columns.

use serde::Serialize;

use super::csv::written;
use crate::judge::history::{History, MachineHistory, Point, Series};
use crate::worker_protocol::Mode;

/// One figure of one run. The names of the fields are the columns.
#[derive(Default, Serialize)]
struct Row<'a> {
    machine: &'a str,
    cores: usize,
    run: usize,
    name: &'a str,
    started_utc: &'a str,
    commit: &'a str,
    branch: &'a str,
    dirty: Option<bool>,
    scenario: &'static str,
    server: &'a str,
    approach: &'a str,
    pvs: usize,
    mode: Option<Mode>,
    lookup: Option<&'static str>,
    iocs: Option<usize>,
    rate_hz: Option<f64>,
    seconds: Option<f64>,
    monitors: Option<usize>,
    pixels: Option<String>,
    metric: &'static str,
    unit: &'static str,
    value: f64,
    low: f64,
    high: f64,
    confidence: f64,
    blocks: usize,
    change: &'static str,
    change_ratio: Option<f64>,
    change_found_in_run: Option<usize>,
}

/// Writes all figures of a history.
pub fn render_history_csv(history: &History) -> String {
    let rows: Vec<Row<'_>> = history.machines.iter().flat_map(of_machine).collect();
    written(true, rows)
}

fn of_machine(machine: &MachineHistory) -> impl Iterator<Item = Row<'_>> {
    let series = machine.series.iter();
    series.flat_map(move |series| series.points.iter().map(move |at| row(machine, series, at)))
}

fn row<'a>(machine: &'a MachineHistory, series: &'a Series, point: &Point) -> Row<'a> {
    let run = &machine.runs[point.run];
    let revision = run.revision.as_ref();
    let load = series.configuration.load.as_ref();
    let change = series.changes.iter().find(|change| change.first_run == point.run);
    Row {
        machine: &machine.machine.model,
        cores: machine.machine.cores,
        run: point.run + 1,
        name: &run.name,
        started_utc: &run.started_utc,
        commit: revision.map_or("", |revision| &revision.commit),
        branch: revision.and_then(|revision| revision.branch.as_deref()).unwrap_or_default(),
        dirty: revision.and_then(|revision| revision.dirty),
        scenario: series.configuration.scenario.name(),
        server: &series.configuration.server,
        approach: &series.approach,
        pvs: series.configuration.pvs,
        mode: Some(series.configuration.mode),
        lookup: Some(series.configuration.lookup.option()),
        iocs: series.configuration.many_iocs.map(|many_iocs| many_iocs.iocs),
        rate_hz: load.map(|load| load.rate_hz),
        seconds: load.map(|load| load.seconds),
        monitors: load.map(|load| load.monitors),
        pixels: load.and_then(|load| load.pixels).map(|pixels| pixels.to_string()),
        metric: series.metric.name(),
        unit: series.unit.name(),
        value: point.figure.median,
        low: point.figure.low,
        high: point.figure.high,
        confidence: point.figure.confidence,
        blocks: point.figure.samples,
        change: change.map_or("", |change| if change.is_worse { "worse" } else { "better" }),
        change_ratio: change.and_then(|change| Some(change.ratio?.median)),
        change_found_in_run: change.map(|change| change.found_run + 1),
    }
}
