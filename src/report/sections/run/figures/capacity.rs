//! The most updates without loss.

use super::super::capacity::name;
use super::command::Command;
use super::styles::Styles;
use crate::judge::{Capacity, Judgement};
use crate::record::{RunRecords, Scenario};
use crate::report::document::{
    Chart, Columns, Figure, Mark, Quantity, Row, RowChart, Spread, Table, slug,
};
use crate::report::words::or_dash;
use crate::units::grouped;

/// One figure for each rate.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let mut rates: Vec<f64> = judgement.capacities.iter().map(|one| one.rate_hz).collect();
    rates.dedup();
    rates
        .into_iter()
        .map(|rate_hz| {
            let own: Vec<&Capacity> =
                judgement.capacities.iter().filter(|one| one.rate_hz == rate_hz).collect();
            figure(run, styles, rate_hz, &own)
        })
        .collect()
}

fn figure(run: &RunRecords, styles: &Styles<'_>, rate_hz: f64, own: &[&Capacity]) -> Figure {
    let rows = own.iter().map(|one| Row {
        name: name(one),
        style: styles.style(&one.approach),
        marks: vec![Mark::marker(
            one.lossless_updates_hz,
            format!("{}: {}", name(one), lossless(one)),
        )],
        bar: None,
    });
    let each: Vec<String> =
        own.iter().map(|one| format!("{} {}", name(one), lossless(one))).collect();
    let command = Command::of(run, Scenario::Capacity).option("--rate", &rate_hz.to_string());
    Figure {
        id: format!("capacity-{}", slug(&rate_hz.to_string())),
        title: format!("The most updates without loss at {rate_hz} Hz"),
        summary: format!("Found by search, the most that arrived whole: {}.", each.join("; ")),
        chart: Chart::Rows(RowChart {
            x: Quantity::count("updates per second without loss", Spread::Log),
            rows: rows.collect(),
        }),
        table: table(own),
        command: Some(command.to_string()),
    }
}

fn table(own: &[&Capacity]) -> Table {
    Columns::of(own.iter().copied())
        .words("approach", |one| name(one))
        .number("updates/s without loss", |one| grouped(one.lossless_updates_hz as usize))
        .number("PVs", |one| or_dash(one.lossless_pvs, grouped))
        .number("PVs with loss", |one| or_dash(one.lossy_pvs, grouped))
        .words("limited by", |one| one.bottleneck.map_or("", |who| who.name()).to_owned())
        .table()
}

fn lossless(one: &Capacity) -> String {
    let least = if one.lossy_pvs.is_none() { "at least " } else { "" };
    format!("{least}{} updates/s", grouped(one.lossless_updates_hz as usize))
}
