//! Tables of times: each stage in each configuration, and how connecting grows.

use crate::judge::{Figures, Judgement, Outcome, Row, Scaling, Verdict};
use crate::metric::{Metric, Timed};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{difference, place, range, worst};
use crate::units::{counted, grouped, microseconds, quantity};
use crate::worker_protocol::{Mode, Stage};

const CONNECT_BULK: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };

pub(super) fn of_cell(figures: &Figures, verdicts: &[Verdict]) -> [Part; 2] {
    let pvs = counted(figures.pvs, "PV");
    let how = match figures.connected {
        Mode::Bulk => "connected in bulk",
        Mode::Serial => "connected one by one",
    };
    let place = place(&figures.server) + &figures.lookup.unless_usual();
    let heading = if figures.metric.stage == Stage::Connect {
        format!("{}: {pvs}{place}", figures.metric.name())
    } else {
        format!("{}: of {pvs}{place} {how}", figures.metric.name())
    };
    [Part::Heading(2, heading), Part::Table(table(figures, verdicts))]
}

fn table(figures: &Figures, verdicts: &[Verdict]) -> Table {
    let is_fastest = |row: &Row| figures.fastest.as_ref() == Some(&row.approach);
    let is_marked = |row: &Row| row.joint && figures.metric == CONNECT_BULK && !row.floor;
    Columns::of(&figures.rows)
        .words("approach", |row| {
            let mark = if is_marked(row) { " *" } else { "" };
            format!("{}{mark}", row.approach)
        })
        .number(if figures.metric.is_per_pv() { "µs/PV" } else { "µs" }, |row| {
            microseconds(row.figure_s.median)
        })
        .number("interval", |row| range(&row.figure_s))
        .number("over floor", |row| difference(row.over_floor_s.as_ref().filter(|_| !row.floor)))
        .number("over fastest", |row| match is_fastest(row) {
            true => "fastest".to_owned(),
            false => difference(row.over_fastest_s.as_ref().filter(|_| !row.floor)),
        })
        .words("verdict", |row| match row.floor {
            true => "floor".to_owned(),
            false => worst(of_row(figures, row, verdicts)),
        })
        .table()
}

fn of_row<'a>(
    figures: &'a Figures,
    row: &'a Row,
    verdicts: &'a [Verdict],
) -> impl Iterator<Item = &'a Verdict> {
    verdicts.iter().filter(|verdict| {
        (&verdict.approach, &verdict.server, verdict.scenario)
            == (&row.approach, &figures.server, Some(figures.scenario))
            && (verdict.pvs, verdict.connected, verdict.lookup)
                == (figures.pvs, figures.connected, figures.lookup)
            && (verdict.metric == Metric::Time(figures.metric)
                || verdict.outcome == Outcome::Failed)
    })
}

/// Slope and intercept of connecting.
pub(super) fn scaling(judgement: &Judgement) -> Vec<Part> {
    let Some(first) = judgement.scaling.first() else { return Vec::new() };
    let text = format!(
        "Time to connect against the count of PVs, up to {}: the slope is what each additional PV \
         costs, the intercept what no count of PVs explains (libca sends its first search up to 32 ms \
         late).",
        grouped(first.most_pvs)
    );
    let verdicts_of = |row: &Scaling| {
        let (approach, server, lookup) = (row.approach.clone(), row.server.clone(), row.lookup);
        judgement.verdicts.iter().filter(move |verdict| {
            (&verdict.approach, &verdict.server, verdict.lookup) == (&approach, &server, lookup)
                && verdict.metric == Metric::ConnectSlope
        })
    };
    let table = Columns::of(&judgement.scaling)
        .words("approach", |row| {
            format!("{}{}{}", row.approach, place(&row.server), row.lookup.unless_usual())
        })
        .number("µs/PV", |row| microseconds(row.slope_s.median))
        .number("interval", |row| range(&row.slope_s))
        .number("over floor", |row| difference(row.over_floor_s.as_ref().filter(|_| !row.floor)))
        .number("intercept ms", |row| quantity(1e3 * row.intercept_s.median))
        .words("verdict", |row| match row.floor {
            true => "floor".to_owned(),
            false => worst(verdicts_of(row)),
        })
        .table();
    vec![
        Part::Heading(2, "connect: slope and intercept".to_owned()),
        Part::Text(text),
        Part::Table(table),
    ]
}
