//! The most updates without loss.

use super::{Figure, Styles, axes, drawn, slug};
use crate::judge::{Capacity, Judgement};
use crate::record::{RunRecords, Scenario};
use crate::report::cells::place;
use crate::report::document::{Table, number, words};
use crate::report::page::chart::{Mark, Row, RowChart, Spread};
use crate::report::page::command::Command;
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
        marks: vec![Mark {
            at: one.lossless_updates_hz,
            slight: false,
            hollow: false,
            tip: format!("{}: {}", name(one), told(one)),
        }],
        bar: None,
    });
    let chart = RowChart {
        x: axes::count("updates per second without loss", Spread::Log),
        rows: rows.collect(),
    };
    let title = format!("The most updates without loss at {rate_hz} Hz");
    let each: Vec<String> = own.iter().map(|one| format!("{} {}", name(one), told(one))).collect();
    let says = format!("Found by search, the most that arrived whole: {}.", each.join("; "));
    let table = Table {
        columns: vec![
            words("approach"),
            number("updates/s without loss"),
            number("PVs"),
            number("PVs with loss"),
            words("gave way"),
        ],
        rows: own.iter().map(|one| table_row(one)).collect(),
    };
    Figure {
        id: format!("capacity-{}", slug(&rate_hz.to_string())),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table,
        command: Some(Command::of(run, Scenario::Capacity).option("--rate", &rate_hz.to_string())),
        title,
        says,
    }
}

fn name(one: &Capacity) -> String {
    format!("{}{}", one.approach, place(&one.server))
}

fn told(one: &Capacity) -> String {
    let least = if one.lossy_pvs.is_none() { "at least " } else { "" };
    format!("{least}{} updates/s", grouped(one.lossless_updates_hz as usize))
}

fn table_row(one: &Capacity) -> Vec<String> {
    let pvs = |pvs: Option<usize>| pvs.map_or("-".to_owned(), grouped);
    vec![
        name(one),
        grouped(one.lossless_updates_hz as usize),
        pvs(one.lossless_pvs),
        pvs(one.lossy_pvs),
        one.gave_way.map_or("", |who| who.name()).to_owned(),
    ]
}
