//! Time to connect against the count of PVs: points, the line through them, and the
//! most that the limit allows.

use super::command::Command;
use super::styles::Styles;
use crate::judge::{Figures, Judgement, Relative, Row, Scaling, Verdict};
use crate::metric::{Metric, Timed};
use crate::record::{RunRecords, Scenario};
use crate::report::document::{
    Chart, Columns, Figure, Line, LineChart, Point, Quantity, Spread, Style, Table, slug,
};
use crate::report::words::{interval_in_full, or_dash, place};
use crate::units::{duration, grouped, microseconds, quantity};
use crate::worker_protocol::{Mode, Stage};

const CONNECT: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };

/// Points of a fitted line for each tenfold, so that it looks as bent as it is.
const STEPS_PER_DECADE: f64 = 12.0;

/// One figure for each server with two counts of PVs or more.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let is_bulk = |cell: &&Figures| cell.metric == CONNECT && cell.connected == Mode::Bulk;
    let cells: Vec<&Figures> = judgement.figures.iter().filter(is_bulk).collect();
    let mut servers: Vec<&str> = cells.iter().map(|cell| cell.server.as_str()).collect();
    servers.dedup();
    servers
        .into_iter()
        .filter_map(|server| {
            let own: Vec<&Figures> =
                cells.iter().filter(|cell| cell.server == server).copied().collect();
            (own.len() > 1).then(|| figure(run, judgement, styles, server, &own))
        })
        .collect()
}

fn figure(
    run: &RunRecords,
    judgement: &Judgement,
    styles: &Styles<'_>,
    server: &str,
    cells: &[&Figures],
) -> Figure {
    let lines: Vec<&Scaling> =
        judgement.scaling.iter().filter(|line| line.server == server).collect();
    let mut drawn_lines: Vec<Line> = approaches(cells)
        .into_iter()
        .map(|approach| {
            let fitted = lines.iter().find(|line| line.approach == approach);
            line(&approach, styles.style(&approach), cells, fitted.copied())
        })
        .collect();
    drawn_lines.extend(limit_line(judgement, cells, &lines));
    let counts: Vec<usize> = cells.iter().map(|cell| cell.pvs).collect();
    let command = Command::of(run, Scenario::Connect).server(server).pvs(counts).mode(Mode::Bulk);
    Figure {
        id: format!("connect-cost-{}", slug(server)),
        title: format!("Time to connect against the count of PVs{}", place(server)),
        summary: summary(cells, &lines),
        chart: Chart::Lines(LineChart {
            x: Quantity::count("PVs", Spread::Log),
            y: Quantity::seconds("time to connect all", Spread::Log),
            lines: drawn_lines,
            height: 320.0,
        }),
        table: table(cells, &lines),
        command: Some(command.to_string()),
    }
}

fn approaches(cells: &[&Figures]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in cells.iter().flat_map(|cell| &cell.rows) {
        if !names.contains(&row.approach) {
            names.push(row.approach.clone());
        }
    }
    names
}

fn row<'a>(cell: &'a Figures, approach: &str) -> Option<&'a Row> {
    cell.rows.iter().find(|row| row.approach == approach)
}

fn line(approach: &str, style: Style, cells: &[&Figures], fitted: Option<&Scaling>) -> Line {
    let points: Vec<Point> = cells
        .iter()
        .filter_map(|cell| {
            let per_pv = &row(cell, approach)?.figure_s;
            let pvs = cell.pvs as f64;
            let tip = format!(
                "{approach}, {} PVs: {} in all\n{}",
                grouped(cell.pvs),
                duration(per_pv.median * pvs),
                interval_in_full(per_pv, " per PV"),
            );
            let interval = Some((per_pv.low * pvs, per_pv.high * pvs));
            Some(Point { x: pvs, y: per_pv.median * pvs, interval, tip })
        })
        .collect();
    let through = match fitted {
        Some(fitted) => fitted_line(fitted, &points),
        None => points.iter().map(|point| (point.x, point.y)).collect(),
    };
    Line { name: approach.to_owned(), style, points, through, dashed: false }
}

fn fitted_line(fitted: &Scaling, points: &[Point]) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    straight_line(fitted.slope_s.median, fitted.intercept_s.median, (first.x, last.x))
}

/// A straight line is bent on axes that give equal steps to equal ratios.
fn straight_line(slope: f64, intercept: f64, (first, last): (f64, f64)) -> Vec<(f64, f64)> {
    let steps = ((last / first).log10() * STEPS_PER_DECADE).ceil().max(1.0) as usize;
    (0..=steps)
        .map(|step| first * (last / first).powf(step as f64 / steps as f64))
        .map(|pvs| (pvs, intercept + slope * pvs))
        .filter(|(_, seconds)| *seconds > 0.0)
        .collect()
}

/// The floor and what the limit of this server allows over it.
fn limit_line(judgement: &Judgement, cells: &[&Figures], lines: &[&Scaling]) -> Option<Line> {
    let server = &cells.first()?.server;
    let is_own = |verdict: &&Verdict| {
        (&verdict.server, verdict.relative) == (server, Relative::Floor)
            && verdict.metric == Metric::Time(CONNECT)
    };
    let limit = judgement.verdicts.iter().find(is_own)?.limit;
    let floor = lines.iter().find(|line| line.floor)?;
    let (first, last) = (cells.first()?.pvs as f64, cells.last()?.pvs as f64);
    let (slope, intercept) = (floor.slope_s.median + limit, floor.intercept_s.median);
    let through = straight_line(slope, intercept, (first, last));
    (through.len() > 1).then(|| Line {
        name: "limit".to_owned(),
        style: Style::Floor,
        points: Vec::new(),
        through,
        dashed: true,
    })
}

fn summary(cells: &[&Figures], lines: &[&Scaling]) -> String {
    let mut summary = String::new();
    if let Some(cell) = cells.last() {
        let choices = || cell.rows.iter().filter(|row| !row.floor);
        let of = |row: &Row| {
            format!("{} {}", row.approach, duration(row.figure_s.median * cell.pvs as f64))
        };
        let by_time = |a: &&Row, b: &&Row| a.figure_s.median.total_cmp(&b.figure_s.median);
        if let (Some(least), Some(most)) = (choices().min_by(by_time), choices().max_by(by_time)) {
            summary += &format!("To connect {} PVs takes {}", grouped(cell.pvs), of(least));
            if least.approach != most.approach {
                summary += &format!(" and {}", of(most));
            }
            let floor = cell.rows.iter().find(|row| row.floor);
            summary += &floor.map_or(String::new(), |row| format!("; the floor, {}", of(row)));
            summary += ". ";
        }
    }
    let slopes: Vec<String> = lines
        .iter()
        .map(|line| format!("{} {}", line.approach, duration(line.slope_s.median)))
        .collect();
    if !slopes.is_empty() {
        summary += &format!("What each additional PV costs: {}. ", slopes.join(", "));
    }
    summary
        + "Both axes give equal steps to equal ratios; upright strokes are intervals of the \
            median. A dashed line is the floor and what the limit allows over it."
}

/// An approach in one configuration, and the line through all of its counts of PVs.
struct Measured<'a> {
    pvs: usize,
    row: &'a Row,
    fitted: Option<&'a Scaling>,
}

fn table(cells: &[&Figures], lines: &[&Scaling]) -> Table {
    let rows = cells.iter().flat_map(|cell| {
        cell.rows.iter().map(|row| Measured {
            pvs: cell.pvs,
            row,
            fitted: lines.iter().find(|line| line.approach == row.approach).copied(),
        })
    });
    Columns::of(rows)
        .words("approach", |one| one.row.approach.clone())
        .number("PVs", |one| grouped(one.pvs))
        .number("ms in all", |one| quantity(1e3 * one.row.figure_s.median * one.pvs as f64))
        .number("µs/PV", |one| microseconds(one.row.figure_s.median))
        .number("from", |one| microseconds(one.row.figure_s.low))
        .number("to", |one| microseconds(one.row.figure_s.high))
        .number("blocks", |one| one.row.figure_s.samples.to_string())
        .number("slope µs/PV", |one| or_dash(one.fitted, |line| microseconds(line.slope_s.median)))
        .table()
}
