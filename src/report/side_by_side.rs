//! Channel Access and pvAccess beside each other: the same records, one table.

use super::document::{Part, Table, number, words};
use crate::judge::{Figures, Judgement, MonitorFigures, MonitorRow};
use crate::record::RunRecords;
use crate::units::{grouped, milliseconds, percent, scientific};
use crate::worker_protocol::{Mode, Stage};

/// One line for each approach; nothing where one protocol alone was measured.
pub(super) fn side_by_side_section(run: &RunRecords, judgement: &Judgement) -> Vec<Part> {
    let Some(pvs) = most_pvs_of_all(judgement) else { return Vec::new() };
    let frames = judgement.monitors.iter().find(|cell| cell.load.pixels.is_some());
    let measured: Vec<_> = run
        .run
        .approaches
        .iter()
        .filter_map(|facts| Some((facts, line(judgement, &facts.name, pvs, frames)?)))
        .collect();
    let mut protocols: Vec<_> = measured.iter().map(|(facts, _)| facts.protocol).collect();
    protocols.dedup();
    if protocols.len() < 2 {
        return Vec::new();
    }
    let rows = measured
        .into_iter()
        .map(|(facts, line)| {
            let mut cells = vec![facts.name.clone(), facts.protocol.to_string()];
            cells.extend(line);
            cells
        })
        .collect();
    let table = Table {
        columns: vec![
            words("approach"),
            words(""),
            number("connect s/PV"),
            number("get s/PV"),
            number("one get s"),
            number("frames CPU %"),
            number("p50 ms"),
            number("lost"),
        ],
        rows,
    };
    let text = format!(
        "The same records over Channel Access and over pvAccess, {} PVs in bulk; and a camera's \
         frames, where those were measured. Channel Access finds PVs by UDP, pvAccess asks the \
         server over TCP.",
        grouped(pvs)
    );
    vec![
        Part::Heading(2, "Channel Access and pvAccess side by side".to_owned()),
        Part::Text(text),
        Part::Table(table),
    ]
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

fn line(
    judgement: &Judgement,
    approach: &str,
    pvs: usize,
    frames: Option<&MonitorFigures>,
) -> Option<Vec<String>> {
    let figure = |stage, mode| {
        judgement
            .figures
            .iter()
            .filter(|figures| figures.pvs == pvs && is_metric(figures, stage, mode))
            .find_map(|figures| figures.rows.iter().find(|row| row.approach == approach))
            .map(|row| scientific(row.figure_s.median))
    };
    let connect = figure(Stage::Connect, Mode::Bulk)?;
    let or_none = |cell: Option<String>| cell.unwrap_or("-".to_owned());
    let camera = frames.and_then(|frames| camera(judgement, approach, frames));
    let of = |cell: fn(&MonitorRow) -> Option<String>| or_none(camera.and_then(cell));
    Some(vec![
        connect,
        or_none(figure(Stage::Get, Mode::Bulk)),
        or_none(figure(Stage::Get, Mode::Serial)),
        of(|row| Some(percent(row.client_cpu.as_ref()?.mean_percent))),
        of(|row| Some(milliseconds(row.latency.as_ref()?.p50_ns))),
        of(|row| Some(row.updates.lost.to_string())),
    ])
}

/// The same camera, on whichever server the approach was measured with.
fn camera<'a>(
    judgement: &'a Judgement,
    approach: &str,
    frames: &MonitorFigures,
) -> Option<&'a MonitorRow> {
    let is_same =
        |cell: &&MonitorFigures| (&cell.scenario, cell.load) == (&frames.scenario, frames.load);
    let cells = judgement.monitors.iter().filter(is_same);
    cells.flat_map(|cell| &cell.rows).find(|row| row.approach == approach)
}
