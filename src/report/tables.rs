//! The tables of figures.

use super::cells::{difference, place, range, worst};
use super::document::{Part, Table, number, words};
use crate::judge::{Figures, Judgement, Metric, Outcome, Row, Scaling, Verdict};
use crate::units::{counted, grouped, scientific};
use crate::worker_protocol::{Mode, Stage};

pub(super) fn figures_section(figures: &Figures, verdicts: &[Verdict]) -> [Part; 2] {
    let pvs = counted(figures.pvs, "PV");
    let how = match figures.connected {
        Mode::Bulk => "connected in bulk",
        Mode::Serial => "connected one by one",
    };
    let place = place(&figures.server);
    let heading = if figures.metric.stage == Stage::Connect {
        format!("{}: {pvs}{place}", figures.metric.name())
    } else {
        format!("{}: of {pvs}{place} {how}", figures.metric.name())
    };
    let unit = if figures.metric.is_per_pv() { "s per PV" } else { "s" };
    let table = Table {
        columns: vec![
            words("approach"),
            number(unit),
            number("interval"),
            number("over floor"),
            number("over fastest"),
            words("verdict"),
        ],
        rows: figures.rows.iter().map(|row| figures_row(figures, row, verdicts)).collect(),
    };
    [Part::Heading(2, heading), Part::Table(table)]
}

fn figures_row(figures: &Figures, row: &Row, verdicts: &[Verdict]) -> Vec<String> {
    let is_fastest = figures.fastest.as_ref() == Some(&row.approach);
    let joint = row.joint
        && figures.metric == Metric { stage: Stage::Connect, mode: Mode::Bulk }
        && !row.floor;
    let approach = if joint { format!("{} *", row.approach) } else { row.approach.clone() };
    let verdict = if row.floor {
        "floor".to_owned()
    } else {
        let own = verdicts.iter().filter(|verdict| {
            (&verdict.approach, &verdict.server, verdict.scenario)
                == (&row.approach, &figures.server, Some(figures.scenario))
                && (verdict.pvs, verdict.connected) == (figures.pvs, figures.connected)
                && (verdict.metric == figures.metric.name() || verdict.outcome == Outcome::Failed)
        });
        worst(own)
    };
    vec![
        approach,
        scientific(row.figure_s.median),
        range(&row.figure_s),
        difference(row.over_floor_s.as_ref().filter(|_| !row.floor)),
        if is_fastest {
            "fastest".to_owned()
        } else {
            difference(row.over_fastest_s.as_ref().filter(|_| !row.floor))
        },
        verdict,
    ]
}

pub(super) fn scaling_section(judgement: &Judgement) -> Vec<Part> {
    let Some(first) = judgement.scaling.first() else { return Vec::new() };
    let rows = judgement.scaling.iter().map(|row| scaling_row(row, &judgement.verdicts)).collect();
    let table = Table {
        columns: vec![
            words("approach"),
            number("s per PV"),
            number("interval"),
            number("over floor"),
            number("intercept s"),
            words("verdict"),
        ],
        rows,
    };
    let text = format!(
        "Time to connect against the count of PVs, up to {}: the slope is what one more PV costs, \
         the intercept what no count of PVs explains (libca sends its first search up to 32 ms \
         late).",
        grouped(first.most_pvs)
    );
    vec![
        Part::Heading(2, "connect: slope and intercept".to_owned()),
        Part::Text(text),
        Part::Table(table),
    ]
}

fn scaling_row(row: &Scaling, verdicts: &[Verdict]) -> Vec<String> {
    let own = verdicts.iter().filter(|verdict| {
        (&verdict.approach, &verdict.server) == (&row.approach, &row.server)
            && verdict.metric == "connect slope"
    });
    vec![
        format!("{}{}", row.approach, place(&row.server)),
        scientific(row.slope_s.median),
        range(&row.slope_s),
        difference(row.over_floor_s.as_ref().filter(|_| !row.floor)),
        scientific(row.intercept_s.median),
        if row.floor { "floor".to_owned() } else { worst(own) },
    ]
}
