//! A narrow table for each server and client, for a screen.

use super::updates::{arrived, arrived_as_published};
use crate::judge::Scale;
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{or_dash, pair_name, scale_pvs};
use crate::stats::CpuLoad;
use crate::units::grouped;

pub(in crate::report::sections::run) fn summary(scale: &[Scale]) -> Vec<Part> {
    if scale.is_empty() {
        return Vec::new();
    }
    let text = "A load is PVs x Hz x monitors on each; CPU of server and client is in % of a \
                core; `pub. %` is the most of the updates that the published bytes can have held.";
    let mut parts = vec![
        Part::Heading(2, "scale: servers against clients".to_owned()),
        Part::Text(text.to_owned()),
    ];
    for pair in scale {
        parts.push(Part::Text(format!("{}:", pair_name(pair))));
        parts.push(Part::Table(table(pair)));
    }
    parts
}

fn table(pair: &Scale) -> Table {
    let cpu = |load: Option<&CpuLoad>| or_dash(load, |load| format!("{:.0}", load.mean_percent));
    Columns::of(&pair.rows)
        .number("load", |row| {
            format!("{} x {} x {}", scale_pvs(row), row.load.rate_hz, row.load.monitors)
        })
        .number("updates/s", |row| grouped(row.load.updates_hz(row.pvs) as usize))
        .number("arr. %", |row| or_dash(row.figures.as_ref(), arrived))
        .number("pub. %", |row| arrived_as_published(row))
        .number("CPU %", move |row| {
            let figures = row.figures.as_ref();
            let server = cpu(figures.and_then(|figures| figures.row.server_cpu.as_ref()));
            let client = cpu(figures.and_then(|figures| figures.row.client_cpu.as_ref()));
            format!("{server}, {client}")
        })
        .words("limited by", |row| row.bottleneck.map_or("", |who| who.name()).to_owned())
        .table()
}
