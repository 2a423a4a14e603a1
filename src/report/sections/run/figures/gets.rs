//! How the times of gets are spread: percentiles of single gets; every worker a stroke
//! where all PVs are asked at once, or where nobody timed each.

use super::command::Command;
use super::percentiles;
use super::styles::Styles;
use crate::judge::{Figures, Judgement, Row, of_most_pvs};
use crate::metric::Timed;
use crate::record::{Record, RunRecords};
use crate::report::document::{
    self, Chart, Columns, Figure, Mark, Quantity, RowChart, Spread, Table, slug,
};
use crate::report::sections::run::single_gets;
use crate::report::words::{SINGLE_GETS, interval_in_full, place, two_percentiles};
use crate::units::{counted, duration, microseconds};
use crate::worker_protocol::{Mode, Stage};

/// What is drawn: reading one by one, and all at once, the first time and again.
const METRICS: [(Stage, Mode); 4] = [
    (Stage::Get, Mode::Serial),
    (Stage::GetAgain, Mode::Serial),
    (Stage::Get, Mode::Bulk),
    (Stage::GetAgain, Mode::Bulk),
];

/// One figure for each server and way to get, of the most PVs connected in bulk.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let mut servers: Vec<&str> =
        judgement.figures.iter().map(|configuration| configuration.server.as_str()).collect();
    servers.sort_unstable();
    servers.dedup();
    let pairs = servers.into_iter().flat_map(|server| {
        METRICS.into_iter().map(move |(stage, mode)| (server, Timed { stage, mode }))
    });
    pairs
        .filter_map(|(server, metric)| {
            let configuration = of_most_pvs(&judgement.figures, server, metric)?;
            Some(figure(run, styles, configuration))
        })
        .collect()
}

fn figure(run: &RunRecords, styles: &Styles<'_>, configuration: &Figures) -> Figure {
    let rows =
        configuration.rows.iter().map(|row| drawn_row(run, styles, configuration, row)).collect();
    let how = match configuration.metric.mode {
        Mode::Serial => "one by one",
        Mode::Bulk => "all at once",
    };
    let stage = match configuration.metric.stage {
        Stage::GetAgain => "Getting again",
        _ => "Getting",
    };
    let (summary, table) = match configuration.rows.iter().any(|row| row.each.is_some()) {
        true => (summary_of_gets(configuration), single_gets::table(configuration)),
        false => (summary_of_workers(configuration), table_of_workers(run, configuration)),
    };
    let command = Command::of(run, configuration.scenario)
        .server(&configuration.server)
        .pvs(vec![configuration.pvs])
        .mode(configuration.connected);
    Figure {
        id: format!("{}-{}", slug(&configuration.metric.name()), slug(&configuration.server)),
        title: format!(
            "{stage} {how}: {} connected{}",
            counted(configuration.pvs, "PV"),
            place(&configuration.server)
        ),
        summary,
        chart: Chart::Rows(RowChart { x: Quantity::seconds("time per PV", Spread::Log), rows }),
        table,
        command: Some(command.to_string()),
    }
}

fn drawn_row(
    run: &RunRecords,
    styles: &Styles<'_>,
    configuration: &Figures,
    row: &Row,
) -> document::Row {
    match &row.each {
        Some(each) => {
            percentiles::row(&row.approach, styles.style(&row.approach), each, &SINGLE_GETS, "gets")
        }
        None => row_of_workers(run, styles, configuration, row),
    }
}

/// The figure of each worker with its block.
fn values(run: &RunRecords, configuration: &Figures, approach: &str) -> Vec<(usize, f64)> {
    let is_own = |record: &&Record| {
        (record.scenario, &record.server, record.pvs, record.mode, record.lookup)
            == (
                configuration.scenario,
                &configuration.server,
                configuration.pvs,
                configuration.connected,
                configuration.lookup,
            )
            && record.approach == approach
            && !record.confirms
    };
    let own = run.records.iter().filter(is_own);
    own.filter_map(|record| Some((record.block, configuration.metric.of(record)?))).collect()
}

fn row_of_workers(
    run: &RunRecords,
    styles: &Styles<'_>,
    configuration: &Figures,
    row: &Row,
) -> document::Row {
    let approach = &row.approach;
    let strokes = values(run, configuration, approach).into_iter().map(|(block, seconds)| {
        Mark::stroke(seconds, format!("{approach}, block {block}: {} per PV", duration(seconds)))
    });
    let summary = format!("{approach}: {}", interval_in_full(&row.figure_s, " per PV"));
    let median = Mark::marker(row.figure_s.median, summary.clone());
    document::Row {
        name: approach.clone(),
        style: styles.style(approach),
        marks: strokes.chain([median]).collect(),
        bar: Some((row.figure_s.low, row.figure_s.high, summary)),
    }
}

/// From the fastest.
fn sorted(configuration: &Figures) -> Vec<&Row> {
    let mut rows: Vec<&Row> = configuration.rows.iter().collect();
    rows.sort_by(|a, b| a.figure_s.median.total_cmp(&b.figure_s.median));
    rows
}

fn summary_of_workers(configuration: &Figures) -> String {
    let written = |row: &&Row| format!("{} {}", row.approach, duration(row.figure_s.median));
    let each: Vec<String> = sorted(configuration).iter().map(written).collect();
    format!(
        "Every worker is a stroke, the marker their median, the bar its interval. From the \
         fastest: {}.",
        each.join(", ")
    )
}

fn summary_of_gets(configuration: &Figures) -> String {
    let rows = sorted(configuration);
    let each: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let spread = row.each.as_ref()?;
            Some(two_percentiles(&row.approach, spread, [SINGLE_GETS[0], SINGLE_GETS[2]]))
        })
        .collect();
    let mut summary = format!(
        "Single gets of all workers: the marker is the median, strokes are 90 %, 99 % and the \
         longest. Median and 99 %, from the fastest: {}.",
        each.join(", ")
    );
    if rows.iter().any(|row| row.each.is_none()) {
        summary += " Who does not time each get has a stroke for each worker.";
    }
    summary
}

fn table_of_workers(run: &RunRecords, configuration: &Figures) -> Table {
    let rows = configuration.rows.iter().map(|row| {
        let values = values(run, configuration, &row.approach);
        (row, values.into_iter().map(|(_, value)| value).collect::<Vec<f64>>())
    });
    Columns::of(rows)
        .words("approach", |(row, _)| row.approach.clone())
        .number("µs/PV", |(row, _)| microseconds(row.figure_s.median))
        .number("from", |(row, _)| microseconds(row.figure_s.low))
        .number("to", |(row, _)| microseconds(row.figure_s.high))
        .number("fastest worker", |(_, values)| {
            microseconds(values.iter().copied().fold(f64::INFINITY, f64::min))
        })
        .number("slowest worker", |(_, values)| {
            microseconds(values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        })
        .number("workers", |(_, values)| values.len().to_string())
        .table()
}
