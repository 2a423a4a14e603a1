//! Time to connect against the count of PVs: every block, the medians, the line through
//! them, what the limit allows, and from how many PVs on it matters.

mod numbers;
mod yardsticks;

use super::command::Command;
use super::styles::Styles;
use crate::judge::{Figures, Judgement, Matters, Row, Scaling, matters};
use crate::metric::Timed;
use crate::record::{Record, RunRecords, Scenario};
use crate::report::document::{
    Chart, Figure, Line, LineChart, Point, Quantity, Spread, Style, slug,
};
use crate::report::words::{interval_in_full, place};
use crate::units::{counted, duration};
use crate::worker_protocol::Mode;

const CONNECT: Timed = Timed::CONNECT_BULK;

/// Points of a fitted line for each tenfold, so that it looks as bent as it is.
const STEPS_PER_DECADE: f64 = 12.0;

/// What is drawn of one server.
struct Drawn<'a> {
    judgement: &'a Judgement,
    server: &'a str,
    /// By count of PVs.
    configurations: Vec<&'a Figures>,
    /// Fitted to them.
    lines: Vec<&'a Scaling>,
    /// From how many PVs on an approach takes the budget longer than the fastest.
    matters: Vec<Matters>,
    budget_s: f64,
    /// The figures of blocks, in seconds per PV: what was measured for everybody.
    blocks: Vec<Block<'a>>,
}

struct Block<'a> {
    approach: &'a str,
    pvs: usize,
    per_pv_s: f64,
}

/// One figure for each server with two counts of PVs or more.
pub(super) fn figures(
    run: &RunRecords,
    judgement: &Judgement,
    budget_s: f64,
    styles: &Styles<'_>,
) -> Vec<Figure> {
    let is_bulk = |configuration: &&Figures| {
        configuration.metric == CONNECT && configuration.connected == Mode::Bulk
    };
    let configurations: Vec<&Figures> = judgement.figures.iter().filter(is_bulk).collect();
    let mut servers: Vec<&str> =
        configurations.iter().map(|configuration| configuration.server.as_str()).collect();
    servers.dedup();
    servers
        .into_iter()
        .filter_map(|server| {
            let configurations = configurations
                .iter()
                .filter(|configuration| configuration.server == server)
                .copied()
                .collect();
            let drawn = Drawn::of(run, judgement, server, configurations, budget_s);
            (drawn.configurations.len() > 1).then(|| figure(run, &drawn, styles))
        })
        .collect()
}

impl<'a> Drawn<'a> {
    fn of(
        run: &'a RunRecords,
        judgement: &'a Judgement,
        server: &'a str,
        configurations: Vec<&'a Figures>,
        budget_s: f64,
    ) -> Drawn<'a> {
        let is_own = |one: &Matters| one.server == server;
        Drawn {
            judgement,
            server,
            configurations,
            lines: judgement.scaling.iter().filter(|line| line.server == server).collect(),
            matters: matters(&judgement.figures, budget_s).into_iter().filter(is_own).collect(),
            budget_s,
            blocks: blocks(run, server),
        }
    }

    fn approaches(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = Vec::new();
        for row in self.configurations.iter().flat_map(|configuration| &configuration.rows) {
            if !names.contains(&row.approach.as_str()) {
                names.push(&row.approach);
            }
        }
        names
    }

    fn fitted(&self, approach: &str) -> Option<&'a Scaling> {
        self.lines.iter().find(|line| line.approach == approach).copied()
    }

    /// The counts of PVs between which anything was measured.
    fn span(&self) -> Option<(f64, f64)> {
        Some((self.configurations.first()?.pvs as f64, self.configurations.last()?.pvs as f64))
    }
}

fn blocks<'a>(run: &'a RunRecords, server: &str) -> Vec<Block<'a>> {
    let is_own = |record: &&Record| {
        (record.scenario, record.server.as_str(), record.mode)
            == (Scenario::Connect, server, Mode::Bulk)
            && !record.confirms
    };
    let block = |record: &'a Record| {
        let per_pv_s = CONNECT.of(record)?;
        Some(Block { approach: &record.approach, pvs: record.pvs, per_pv_s })
    };
    run.records.iter().filter(is_own).filter_map(block).collect()
}

fn figure(run: &RunRecords, drawn: &Drawn<'_>, styles: &Styles<'_>) -> Figure {
    let approaches = drawn.approaches();
    let mut lines: Vec<Line> =
        approaches.iter().map(|name| line(drawn, name, styles.style(name))).collect();
    lines.extend(yardsticks::limit(drawn));
    lines.extend(yardsticks::budget(drawn));
    let counts: Vec<usize> =
        drawn.configurations.iter().map(|configuration| configuration.pvs).collect();
    let server = drawn.server;
    let command = Command::of(run, Scenario::Connect).server(server).pvs(counts).mode(Mode::Bulk);
    Figure {
        id: format!("connect-cost-{}", slug(server)),
        title: format!("Time to connect against the count of PVs{}", place(server)),
        summary: numbers::summary(drawn),
        chart: Chart::Lines(LineChart {
            x: Quantity::count("PVs", Spread::Log),
            y: Quantity::seconds("time to connect all", Spread::Log),
            lines,
            height: 320.0,
        }),
        table: numbers::table(drawn),
        command: Some(command.to_string()),
    }
}

fn row<'a>(configuration: &'a Figures, approach: &str) -> Option<&'a Row> {
    configuration.rows.iter().find(|row| row.approach == approach)
}

fn line(drawn: &Drawn<'_>, approach: &str, style: Style) -> Line {
    let points: Vec<Point> = drawn
        .configurations
        .iter()
        .filter_map(|configuration| point(configuration, row(configuration, approach)?))
        .collect();
    let through = match drawn.fitted(approach) {
        Some(fitted) => fitted_line(fitted, &points),
        None => points.iter().map(|point| (point.x, point.y)).collect(),
    };
    let own = drawn.blocks.iter().filter(|block| block.approach == approach);
    Line {
        through,
        single: own.map(|block| (block.pvs as f64, block.per_pv_s * block.pvs as f64)).collect(),
        crossing: yardsticks::crossing(drawn, approach),
        ..Line::through_points(approach, style, points)
    }
}

fn point(configuration: &Figures, row: &Row) -> Option<Point> {
    let (per_pv, pvs) = (&row.figure_s, configuration.pvs as f64);
    let tip = format!(
        "{}, {}: {} for all\n{}",
        row.approach,
        counted(configuration.pvs, "PV"),
        duration(per_pv.median * pvs),
        interval_in_full(per_pv, " per PV"),
    );
    let interval = Some((per_pv.low * pvs, per_pv.high * pvs));
    Some(Point { x: pvs, y: per_pv.median * pvs, interval, tip })
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
