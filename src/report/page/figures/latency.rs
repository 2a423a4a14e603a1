//! Percentiles of the time from the server's time stamp to the callback.

use super::percentiles;
use super::{Figure, Styles, axes, drawn, slug};
use crate::judge::{Judgement, MonitorFigures, MonitorRow};
use crate::record::{Disturbance, RunRecords};
use crate::report::cells::Percentile;
use crate::report::document::{Table, number, words};
use crate::report::monitors::title as title_of;
use crate::report::page::chart::{RowChart, Spread};
use crate::report::page::command::Command;
use crate::stats::Percentiles;
use crate::units::milliseconds;

/// What of the latencies is drawn.
const DRAWN: [Percentile; 5] = [
    ("median", |latency| latency.p50_ns),
    ("90 %", |latency| latency.p90_ns),
    ("99 %", |latency| latency.p99_ns),
    ("99.9 %", |latency| latency.p99_9_ns),
    ("longest", |latency| latency.max_ns),
];

/// One figure for each cell with monitors whose time stamps mean something: an IOC
/// that was restarted sends values with time stamps of long ago first.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let has_latency = |cell: &&MonitorFigures| {
        cell.load.disturbance.is_none_or(|disturbance| disturbance == Disturbance::Stall)
            && cell.rows.iter().any(|row| row.latency.is_some())
    };
    judgement.monitors.iter().filter(has_latency).map(|cell| figure(run, styles, cell)).collect()
}

fn figure(run: &RunRecords, styles: &Styles<'_>, cell: &MonitorFigures) -> Figure {
    let measured: Vec<(&MonitorRow, &Percentiles)> =
        cell.rows.iter().filter_map(|row| Some((row, row.latency.as_ref()?))).collect();
    let drawn_row = |(row, latency): &(&MonitorRow, &Percentiles)| {
        percentiles::row(&row.approach, styles.style(&row.approach), latency, &DRAWN, "updates")
    };
    let rows = measured.iter().map(drawn_row).collect();
    let chart = RowChart { x: axes::seconds("latency", Spread::Log), rows };
    let title = format!("Latency of updates, {}", title_of(cell));
    let each: Vec<String> = measured
        .iter()
        .map(|(row, latency)| percentiles::told(&row.approach, latency, [DRAWN[0], DRAWN[2]]))
        .collect();
    let says = format!(
        "From the server's time stamp to the callback. The marker is the median, strokes are \
         90 %, 99 %, 99.9 % and the longest. Median and 99 %: {}.",
        each.join(", ")
    );
    Figure {
        id: format!("latency-{}", slug(&title_of(cell))),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(&measured),
        command: Some(Command::of_load(run, cell.scenario, &cell.server, cell.pvs, &cell.load)),
        title,
        says,
    }
}

fn table(measured: &[(&MonitorRow, &Percentiles)]) -> Table {
    let rows = measured.iter().map(|(row, latency)| {
        let mut cells = vec![row.approach.clone(), latency.count.to_string()];
        cells.extend(DRAWN.iter().map(|(_, of)| milliseconds(of(latency))));
        cells
    });
    Table {
        columns: vec![
            words("approach"),
            number("updates"),
            number("median ms"),
            number("90 %"),
            number("99 %"),
            number("99.9 %"),
            number("longest"),
        ],
        rows: rows.collect(),
    }
}
