//! Percentiles of the time from the server's time stamp to the callback.

use super::command::Command;
use super::percentiles;
use super::styles::Styles;
use crate::judge::{Judgement, MonitorFigures, MonitorRow};
use crate::record::RunRecords;
use crate::report::document::{Chart, Columns, Figure, Quantity, RowChart, Spread, Table, slug};
use crate::report::words::{UPDATE_LATENCIES, two_percentiles};
use crate::scenario::has_one_server;
use crate::stats::Percentiles;
use crate::units::milliseconds;

/// One figure for each configuration with monitors whose time stamps mean something: an
/// IOC that was restarted sends values with time stamps of long ago first.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let has_latency = |configuration: &&MonitorFigures| {
        has_one_server(&configuration.load)
            && configuration.rows.iter().any(|row| row.latency.is_some())
    };
    judgement
        .monitors
        .iter()
        .filter(has_latency)
        .map(|configuration| figure(run, styles, configuration))
        .collect()
}

/// An approach with its latencies.
type Measured<'a> = (&'a MonitorRow, &'a Percentiles);

fn figure(run: &RunRecords, styles: &Styles<'_>, configuration: &MonitorFigures) -> Figure {
    let measured: Vec<Measured<'_>> =
        configuration.rows.iter().filter_map(|row| Some((row, row.latency.as_ref()?))).collect();
    let rows = measured.iter().map(|(row, latency)| {
        let (name, style) = (&row.approach, styles.style(&row.approach));
        percentiles::row(name, style, latency, &UPDATE_LATENCIES, "updates")
    });
    let two = [UPDATE_LATENCIES[0], UPDATE_LATENCIES[2]];
    let each: Vec<String> = measured
        .iter()
        .map(|(row, latency)| two_percentiles(&row.approach, latency, two))
        .collect();
    let command = Command::of_monitors(run, configuration);
    Figure {
        id: format!("latency-{}", slug(&configuration.heading())),
        title: format!("Latency of updates, {}", configuration.heading()),
        summary: format!(
            "From the server's time stamp to the callback. The marker is the median, strokes are \
             90 %, 99 %, 99.9 % and the longest. Median and 99 %: {}.",
            each.join(", ")
        ),
        chart: Chart::Rows(RowChart {
            x: Quantity::seconds("latency", Spread::Log),
            rows: rows.collect(),
        }),
        table: table(&measured),
        command: Some(command.to_string()),
    }
}

fn table(measured: &[Measured<'_>]) -> Table {
    let headings =
        UPDATE_LATENCIES.map(|(name, of)| (if name == "median" { "median ms" } else { name }, of));
    Columns::of(measured)
        .words("approach", |(row, _)| row.approach.clone())
        .number("updates", |(_, latency)| latency.count.to_string())
        .numbers(headings, |(_, latency), of| milliseconds(of(latency)))
        .table()
}
