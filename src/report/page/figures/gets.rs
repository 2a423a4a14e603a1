//! How the times of gets are spread: percentiles of single gets; every worker a stroke
//! where all PVs are asked at once, or where nobody timed each.

use super::percentiles;
use super::{Figure, Styles, axes, drawn, slug, told};
use crate::judge::{Figures, Judgement, Metric, Row, of_most_pvs};
use crate::record::{Record, RunRecords};
use crate::report::cells::place;
use crate::report::document::{Table, number, words};
use crate::report::page::chart::{self, Mark, RowChart, Spread};
use crate::report::page::command::Command;
use crate::report::single_gets::{self, TOLD};
use crate::units::{duration, grouped, scientific};
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
        judgement.figures.iter().map(|cell| cell.server.as_str()).collect();
    servers.sort_unstable();
    servers.dedup();
    let pairs = servers.into_iter().flat_map(|server| {
        METRICS.into_iter().map(move |(stage, mode)| (server, Metric { stage, mode }))
    });
    pairs
        .filter_map(|(server, metric)| {
            let cell = of_most_pvs(&judgement.figures, server, metric)?;
            Some(figure(run, styles, cell))
        })
        .collect()
}

fn figure(run: &RunRecords, styles: &Styles<'_>, cell: &Figures) -> Figure {
    let rows = cell.rows.iter().map(|row| drawn_row(run, styles, cell, row)).collect();
    let chart = RowChart { x: axes::seconds("time per PV", Spread::Log), rows };
    let how = match cell.metric.mode {
        Mode::Serial => "one by one",
        Mode::Bulk => "all at once",
    };
    let stage = match cell.metric.stage {
        Stage::GetAgain => "Getting again",
        _ => "Getting",
    };
    let title =
        format!("{stage} {how}: {} PVs connected{}", grouped(cell.pvs), place(&cell.server));
    let (says, table) = match cell.rows.iter().any(|row| row.each.is_some()) {
        true => (says_of_gets(cell), single_gets::table(cell)),
        false => (says_of_workers(cell), table_of_workers(run, cell)),
    };
    Figure {
        id: format!("{}-{}", slug(&cell.metric.name()), slug(&cell.server)),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table,
        command: Some(
            Command::of(run, cell.scenario)
                .server(&cell.server)
                .pvs(vec![cell.pvs])
                .mode(cell.connected),
        ),
        title,
        says,
    }
}

fn drawn_row(run: &RunRecords, styles: &Styles<'_>, cell: &Figures, row: &Row) -> chart::Row {
    match &row.each {
        Some(each) => {
            percentiles::row(&row.approach, styles.style(&row.approach), each, &TOLD, "gets")
        }
        None => row_of_workers(run, styles, cell, row),
    }
}

/// The figure of each worker with its block.
fn values(run: &RunRecords, cell: &Figures, approach: &str) -> Vec<(usize, f64)> {
    let is_own = |record: &&Record| {
        (record.scenario, &record.server, record.pvs, record.mode)
            == (cell.scenario, &cell.server, cell.pvs, cell.connected)
            && record.approach == approach
            && !record.confirms
    };
    let own = run.records.iter().filter(is_own);
    own.filter_map(|record| Some((record.block, cell.metric.of(record)?))).collect()
}

fn row_of_workers(run: &RunRecords, styles: &Styles<'_>, cell: &Figures, row: &Row) -> chart::Row {
    let approach = &row.approach;
    let strokes = values(run, cell, approach).into_iter().map(|(block, seconds)| Mark {
        at: seconds,
        slight: true,
        hollow: false,
        tip: format!("{approach}, block {block}: {} per PV", duration(seconds)),
    });
    let summary = format!("{approach}: {}", told(&row.figure_s, " per PV"));
    let median =
        Mark { at: row.figure_s.median, slight: false, hollow: false, tip: summary.clone() };
    chart::Row {
        name: approach.clone(),
        style: styles.style(approach),
        marks: strokes.chain([median]).collect(),
        bar: Some((row.figure_s.low, row.figure_s.high, summary)),
    }
}

/// From the fastest.
fn sorted(cell: &Figures) -> Vec<&Row> {
    let mut rows: Vec<&Row> = cell.rows.iter().collect();
    rows.sort_by(|a, b| a.figure_s.median.total_cmp(&b.figure_s.median));
    rows
}

fn says_of_workers(cell: &Figures) -> String {
    let told = |row: &&Row| format!("{} {}", row.approach, duration(row.figure_s.median));
    let each: Vec<String> = sorted(cell).iter().map(told).collect();
    format!(
        "Every worker is a stroke, the marker their median, the bar its interval. From the \
         fastest: {}.",
        each.join(", ")
    )
}

fn says_of_gets(cell: &Figures) -> String {
    let rows = sorted(cell);
    let each: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let spread = row.each.as_ref()?;
            Some(percentiles::told(&row.approach, spread, [TOLD[0], TOLD[2]]))
        })
        .collect();
    let mut says = format!(
        "Single gets of all workers: the marker is the median, strokes are 90 %, 99 % and the \
         longest. Median and 99 %, from the fastest: {}.",
        each.join(", ")
    );
    if rows.iter().any(|row| row.each.is_none()) {
        says += " Who does not time each get has a stroke for each worker.";
    }
    says
}

fn table_of_workers(run: &RunRecords, cell: &Figures) -> Table {
    let rows = cell.rows.iter().map(|row| {
        let values = values(run, cell, &row.approach);
        let least = values.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
        let most = values.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
        vec![
            row.approach.clone(),
            scientific(row.figure_s.median),
            scientific(row.figure_s.low),
            scientific(row.figure_s.high),
            scientific(least),
            scientific(most),
            values.len().to_string(),
        ]
    });
    Table {
        columns: vec![
            words("approach"),
            number("s per PV"),
            number("from"),
            number("to"),
            number("fastest worker"),
            number("slowest worker"),
            number("workers"),
        ],
        rows: rows.collect(),
    }
}
