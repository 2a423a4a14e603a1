//! Which PVs lost updates, and when: one bar for each of those that lost most.

use super::command::Command;
use super::styles::Styles;
use crate::judge::{Judgement, MonitorFigures, MonitorRow};
use crate::record::{PvLosses, RunRecords};
use crate::report::document::{
    Chart, Columns, Figure, Mark, Quantity, Row, RowChart, Spread, Table, slug,
};
use crate::units::{counted, grouped, quantity};

/// A PV of an approach that lost updates, in the block that lost most.
struct Lossy<'a> {
    row: &'a MonitorRow,
    /// How many PVs lost any.
    pvs: u64,
    pv: &'a PvLosses,
}

/// One figure for each configuration with several PVs of which any lost updates. With one PV
/// the losses over time say it all.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let several = judgement.monitors.iter().filter(|configuration| configuration.pvs > 1);
    several.filter_map(|configuration| figure(run, styles, configuration)).collect()
}

fn figure(run: &RunRecords, styles: &Styles<'_>, configuration: &MonitorFigures) -> Option<Figure> {
    let lossy: Vec<Lossy<'_>> = configuration.rows.iter().flat_map(of_approach).collect();
    if lossy.is_empty() {
        return None;
    }
    let rows = lossy.iter().map(|one| row(one, styles));
    let command = Command::of_monitors(run, configuration);
    Some(Figure {
        id: format!("lossy-pvs-{}", slug(&configuration.heading())),
        title: format!("PVs that lost most updates, {}", configuration.heading()),
        summary: format!(
            "From the first loss seen to the last, in the block that lost most, five PVs of each \
             approach at most. {}.",
            spread_over_pvs(configuration)
        ),
        chart: Chart::Rows(RowChart {
            x: Quantity::count("seconds", Spread::Linear),
            rows: rows.collect(),
        }),
        table: table(&lossy),
        command: Some(command.to_string()),
    })
}

fn of_approach(row: &MonitorRow) -> Vec<Lossy<'_>> {
    let Some(losses) = &row.losses else { return Vec::new() };
    losses.most.iter().map(|pv| Lossy { row, pvs: losses.pvs, pv }).collect()
}

fn row(one: &Lossy<'_>, styles: &Styles<'_>) -> Row {
    let Lossy { row, pv, .. } = one;
    let tip = format!(
        "{}, {}: {} lost\nfrom {} s to {} s",
        row.approach,
        pv.pv,
        counted(pv.lost as usize, "update"),
        quantity(pv.first_s),
        quantity(pv.last_s)
    );
    Row {
        name: format!("{}, {}", row.approach, pv.pv),
        style: styles.style(&row.approach),
        marks: vec![Mark::marker(pv.first_s, tip.clone()), Mark::stroke(pv.last_s, tip.clone())],
        bar: Some((pv.first_s, pv.last_s, tip)),
    }
}

/// Such as `caproto lost updates of 12 PVs`.
fn spread_over_pvs(configuration: &MonitorFigures) -> String {
    let each = configuration.rows.iter().filter_map(|row| {
        let pvs = row.losses.as_ref()?.pvs as usize;
        Some(format!("{} lost updates of {}", row.approach, counted(pvs, "PV")))
    });
    each.collect::<Vec<String>>().join(", ")
}

fn table(lossy: &[Lossy<'_>]) -> Table {
    Columns::of(lossy)
        .words("approach", |one| one.row.approach.clone())
        .words("PV", |one| one.pv.pv.clone())
        .number("lost", |one| grouped(one.pv.lost as usize))
        .number("first s", |one| quantity(one.pv.first_s))
        .number("last s", |one| quantity(one.pv.last_s))
        .number("PVs with loss", |one| grouped(one.pvs as usize))
        .table()
}
