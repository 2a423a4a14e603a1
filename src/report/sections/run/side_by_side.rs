//! Channel Access and pvAccess beside each other: the same records, one table.

use crate::judge::{Figures, Judgement, MonitorFigures, MonitorRow};
use crate::record::{ApproachFacts, RunRecords};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::or_dash;
use crate::units::{counted, microseconds, milliseconds, percent};
use crate::worker_protocol::{Mode, Stage};

/// One line for each approach; nothing where one protocol alone was measured.
pub(super) fn section(run: &RunRecords, judgement: &Judgement) -> Vec<Part> {
    let Some(pvs) = most_pvs_of_all(judgement) else { return Vec::new() };
    let frames =
        judgement.monitors.iter().find(|configuration| configuration.load.pixels.is_some());
    let lines: Vec<Line<'_>> =
        run.run.approaches.iter().filter_map(|facts| line(judgement, facts, pvs, frames)).collect();
    let mut protocols: Vec<_> = lines.iter().map(|line| line.facts.protocol).collect();
    protocols.dedup();
    if protocols.len() < 2 {
        return Vec::new();
    }
    let text = format!(
        "The same records over Channel Access and over pvAccess, {} in bulk; and a camera's \
         frames, where those were measured. Channel Access finds PVs by UDP, pvAccess asks the \
         server over TCP.",
        counted(pvs, "PV")
    );
    vec![
        Part::Heading(2, "Channel Access and pvAccess side by side".to_owned()),
        Part::Text(text),
        Part::Table(table(&lines)),
    ]
}

/// What one approach did.
struct Line<'a> {
    facts: &'a ApproachFacts,
    connect_s: f64,
    get_s: Option<f64>,
    single_get_s: Option<f64>,
    camera: Option<&'a MonitorRow>,
}

fn table(lines: &[Line<'_>]) -> Table {
    Columns::of(lines)
        .words("approach", |line| line.facts.name.clone())
        .words("", |line| line.facts.protocol.to_string())
        .number("connect µs/PV", |line| microseconds(line.connect_s))
        .number("get µs/PV", |line| or_dash(line.get_s, microseconds))
        .number("one get µs", |line| or_dash(line.single_get_s, microseconds))
        .number("frames CPU %", |line| {
            let cpu = line.camera.and_then(|row| row.client_cpu.as_ref());
            or_dash(cpu, |cpu| percent(cpu.mean_percent))
        })
        .number("p50 ms", |line| {
            let latency = line.camera.and_then(|row| row.latency.as_ref());
            or_dash(latency, |latency| milliseconds(latency.p50_ns))
        })
        .number("lost", |line| or_dash(line.camera, |row| row.updates.lost.to_string()))
        .table()
}

/// The most PVs that were connected on every server.
fn most_pvs_of_all(judgement: &Judgement) -> Option<usize> {
    let is_bulk = |figures: &&Figures| is_metric(figures, Stage::Connect, Mode::Bulk);
    let servers: Vec<&str> =
        judgement.figures.iter().filter(is_bulk).map(|figures| figures.server.as_str()).collect();
    let is_everywhere = |pvs: usize| {
        servers.iter().all(|server| {
            judgement
                .figures
                .iter()
                .filter(is_bulk)
                .any(|own| own.server == *server && own.pvs == pvs)
        })
    };
    let counts = judgement.figures.iter().filter(is_bulk).map(|figures| figures.pvs);
    counts.filter(|pvs| is_everywhere(*pvs)).max()
}

fn is_metric(figures: &Figures, stage: Stage, mode: Mode) -> bool {
    figures.connected == Mode::Bulk && (figures.metric.stage, figures.metric.mode) == (stage, mode)
}

fn line<'a>(
    judgement: &'a Judgement,
    facts: &'a ApproachFacts,
    pvs: usize,
    frames: Option<&MonitorFigures>,
) -> Option<Line<'a>> {
    let figure = |stage, mode| {
        judgement
            .figures
            .iter()
            .filter(|figures| figures.pvs == pvs && is_metric(figures, stage, mode))
            .find_map(|figures| figures.rows.iter().find(|row| row.approach == facts.name))
            .map(|row| row.figure_s.median)
    };
    Some(Line {
        facts,
        connect_s: figure(Stage::Connect, Mode::Bulk)?,
        get_s: figure(Stage::Get, Mode::Bulk),
        single_get_s: figure(Stage::Get, Mode::Serial),
        camera: frames.and_then(|frames| camera(judgement, &facts.name, frames)),
    })
}

/// The same camera, on whichever server the approach was measured with.
fn camera<'a>(
    judgement: &'a Judgement,
    approach: &str,
    frames: &MonitorFigures,
) -> Option<&'a MonitorRow> {
    let is_same = |configuration: &&MonitorFigures| {
        (configuration.scenario, configuration.load) == (frames.scenario, frames.load)
    };
    let configurations = judgement.monitors.iter().filter(is_same);
    configurations
        .flat_map(|configuration| &configuration.rows)
        .find(|row| row.approach == approach)
}
