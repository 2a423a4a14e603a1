//! The scale matrix: what part of the updates was lost at each load.

use super::command::Command;
use crate::judge::{Judgement, Scale, ScaleRow, UpdateCounts};
use crate::record::{RunRecords, Scenario};
use crate::report::document::{Chart, Columns, Figure, HeatCell, HeatMap, Table, slug};
use crate::report::words::{found_by, or_dash, pair_name};
use crate::stats::CpuLoad;
use crate::units::{counted, counted_of, grouped};

/// One map for each server and client with several loads.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement) -> Vec<Figure> {
    let has_rows = |pair: &&Scale| !pair.rows.is_empty();
    judgement.scale.iter().filter(has_rows).map(|pair| figure(run, pair)).collect()
}

fn figure(run: &RunRecords, pair: &Scale) -> Figure {
    let rates = distinct(pair.rows.iter().map(|row| row.load.rate_hz.to_string()));
    let sizes = distinct(pair.rows.iter().map(size));
    let place = |names: &[String], name: &str| names.iter().position(|one| one == name);
    let cells = pair.rows.iter().filter_map(|row| {
        Some(HeatCell {
            column: place(&rates, &row.load.rate_hz.to_string())?,
            row: place(&sizes, &size(row))?,
            part: lost_part(row),
            words: cell_words(row),
            tip: tip(row),
        })
    });
    let map = HeatMap {
        across: "updates of each PV per second, Hz",
        down: "PVs × monitors",
        cells: cells.collect(),
        columns: rates,
        rows: sizes,
    };
    let pvs = distinct(pair.rows.iter().map(|row| row.pvs.to_string()));
    let command = Command::of(run, Scenario::Scale)
        .server(&pair.server)
        .approach(&pair.approach)
        .option("--pvs", &pvs.join(","));
    Figure {
        id: format!("scale-{}", figure_id(pair)),
        title: format!("Updates lost: {}", pair_name(pair)),
        summary: summary(pair),
        chart: Chart::Heat(map),
        table: table(pair),
        command: Some(command.to_string()),
    }
}

/// The pair in the name of a figure.
pub(super) fn figure_id(pair: &Scale) -> String {
    let approach = format!("{}{}", pair.approach, found_by(pair.lookup));
    format!("{}-{}", slug(&pair.server), slug(&approach))
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut distinct: Vec<String> = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct.sort_by_key(|name| {
        let numbers: Vec<u64> = name
            .split(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .filter_map(|number| number.parse::<f64>().ok())
            .map(|number| (number * 1e3) as u64)
            .collect();
        numbers
    });
    distinct
}

fn size(row: &ScaleRow) -> String {
    match row.load.idle_pvs {
        0 => format!("{} × {}", row.pvs, row.load.monitors),
        idle => format!("{} of {} × {}", row.pvs, row.pvs + idle, row.load.monitors),
    }
}

/// The part of the updates that did not arrive; all of them where it came to nothing.
fn lost_part(row: &ScaleRow) -> Option<f64> {
    match &row.figures {
        Some(figures) => {
            let updates = &figures.row.updates;
            Some(updates.lost as f64 / updates.expected.max(1) as f64)
        }
        None => row.failure.as_ref().map(|_| 1.0),
    }
}

/// Never "0 %" where something was lost, nor "100 %" where something arrived.
fn cell_words(row: &ScaleRow) -> String {
    if row.figures.is_none() {
        return "failed".to_owned();
    }
    match lost_part(row) {
        None => "-".to_owned(),
        Some(0.0) => "none".to_owned(),
        Some(part) if part < 0.001 => "<0.1 %".to_owned(),
        Some(part) if part < 0.0995 => format!("{:.1} %", 100.0 * part),
        Some(part) => format!("{:.0} %", (100.0 * part).min(99.0)),
    }
}

fn tip(row: &ScaleRow) -> String {
    let load = format!(
        "{} at {} Hz, {} each: {} updates/s",
        counted(row.pvs, "PV"),
        row.load.rate_hz,
        counted(row.load.monitors, "monitor"),
        grouped(row.load.updates_hz(row.pvs) as usize)
    );
    let what = match (&row.figures, &row.failure) {
        (Some(figures), _) => {
            let updates = &figures.row.updates;
            let cpu = |load: &Option<CpuLoad>| {
                or_dash(load.as_ref(), |load| format!("{:.0} %", load.mean_percent))
            };
            format!(
                "{} lost\nCPU: server {}, client {}",
                counted_of(updates.lost as usize, updates.expected as usize, "update"),
                cpu(&figures.row.server_cpu),
                cpu(&figures.row.client_cpu)
            )
        }
        (None, Some(failure)) => format!("failed: {failure}"),
        (None, None) => "not measured".to_owned(),
    };
    let who = row.bottleneck.map_or(String::new(), |who| format!("\nlimited by: {}", who.name()));
    format!("{load}\n{what}{who}")
}

fn summary(pair: &Scale) -> String {
    let lossless = pair.rows.iter().filter(|row| lost_part(row) == Some(0.0)).count();
    let worst = pair
        .rows
        .iter()
        .filter_map(|row| Some((lost_part(row)?, row)))
        .max_by(|(a, _), (b, _)| a.total_cmp(b));
    let mut summary = format!(
        "Each cell is a load and says what part of the updates did not arrive. {} lost none.",
        counted_of(lossless, pair.rows.len(), "load")
    );
    if let Some((part, row)) = worst.filter(|(part, _)| *part > 0.0) {
        summary += &format!(
            " The most, {}, was lost with {} PVs and monitors at {} Hz ({:.1} % arrived).",
            cell_words(row),
            size(row),
            row.load.rate_hz,
            100.0 * (1.0 - part)
        );
    }
    summary
}

fn table(pair: &Scale) -> Table {
    let count = |of: fn(&UpdateCounts) -> u64| {
        move |row: &&ScaleRow| {
            or_dash(row.figures.as_ref(), |figures| of(&figures.row.updates).to_string())
        }
    };
    Columns::of(&pair.rows)
        .words("PVs × monitors", |row| size(row))
        .number("Hz", |row| row.load.rate_hz.to_string())
        .number("expected", count(|updates| updates.expected))
        .number("lost", count(|updates| updates.lost))
        .number("part lost", |row| cell_words(row))
        .words("limited by", |row| row.bottleneck.map_or("", |who| who.name()).to_owned())
        .table()
}
