//! Tables of times: each stage in each configuration, and how connecting grows.

use crate::judge::{Figures, Judgement, Outcome, Row, Scaling, Verdict};
use crate::metric::{Metric, Timed};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{difference, joint_explained, place, range, with_joint_mark, worst};
use crate::units::{counted, grouped, microseconds, quantity};
use crate::worker_protocol::{Mode, Stage};

const CONNECT_BULK: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };

/// One metric in one configuration.
pub(super) fn section(figures: &Figures, verdicts: &[Verdict]) -> Vec<Part> {
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
    let mut parts = vec![Part::Heading(2, heading), Part::Table(table(figures, verdicts))];
    let has_joint = figures.rows.iter().any(|row| is_joint(figures, row));
    parts.extend(joint_explained(has_joint).map(Part::Text));
    parts
}

fn table(figures: &Figures, verdicts: &[Verdict]) -> Table {
    let is_fastest = |row: &Row| figures.fastest.as_ref() == Some(&row.approach);
    Columns::of(&figures.rows)
        .words("approach", |row| with_joint_mark(&row.approach, is_joint(figures, row)))
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

/// Whether its connect holds its create too. The floor is nobody's choice.
fn is_joint(figures: &Figures, row: &Row) -> bool {
    row.joint && figures.metric == CONNECT_BULK && !row.floor
}

fn of_row<'a>(
    figures: &'a Figures,
    row: &'a Row,
    verdicts: &'a [Verdict],
) -> impl Iterator<Item = &'a Verdict> {
    verdicts.iter().filter(|verdict| {
        verdict.approach == row.approach
            && figures.has(verdict)
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
