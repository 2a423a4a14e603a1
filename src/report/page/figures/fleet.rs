//! What a PV costs as the fleet of IOCs grows.

use super::{Figure, Styles, axes, drawn, slug, told};
use crate::judge::{FleetRow, Judgement};
use crate::record::{Lookup, RunRecords, Scenario};
use crate::report::document::{Table, number, words};
use crate::report::page::chart::{Line, LineChart, Point, Spread};
use crate::report::page::command::Command;
use crate::units::{duration, grouped, scientific};

/// One figure for each way to find PVs.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let of_lookup = |lookup: Lookup| {
        let is_own = |row: &&FleetRow| row.fleet.lookup == lookup && row.cost_s.is_some();
        let own: Vec<&FleetRow> = judgement.fleets.iter().filter(is_own).collect();
        (!own.is_empty()).then(|| figure(run, styles, lookup, &own))
    };
    Lookup::ALL.into_iter().filter_map(of_lookup).collect()
}

fn figure(run: &RunRecords, styles: &Styles<'_>, lookup: Lookup, rows: &[&FleetRow]) -> Figure {
    let mut names: Vec<&str> = Vec::new();
    for row in rows {
        if !names.contains(&row.approach.as_str()) {
            names.push(&row.approach);
        }
    }
    let lines = names.iter().map(|name| line(styles, name, rows)).collect();
    let chart = LineChart {
        x: axes::count("PVs of all IOCs", Spread::Log),
        y: axes::seconds("time per PV", Spread::Log),
        lines,
        height: 260.0,
    };
    let title = format!("What a PV costs in fleets of IOCs, found by {lookup}");
    let most = rows.iter().map(|row| row.pvs).max().unwrap_or(0);
    let each: Vec<String> = rows
        .iter()
        .filter(|row| row.pvs == most)
        .filter_map(|row| Some(format!("{} {}", row.approach, duration(row.cost_s?.median))))
        .collect();
    let says =
        format!("Time to connect over PVs. With {} PVs: {}.", grouped(most), each.join(", "));
    Figure {
        id: format!("fleet-{}", slug(lookup.name())),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(rows),
        command: Some(
            Command::of(run, Scenario::Fleet).pvs(rows.iter().map(|row| row.pvs).collect()),
        ),
        title,
        says,
    }
}

fn line(styles: &Styles<'_>, name: &str, rows: &[&FleetRow]) -> Line {
    let points: Vec<Point> = rows
        .iter()
        .filter(|row| row.approach == name)
        .filter_map(|row| {
            let cost = row.cost_s.as_ref()?;
            Some(Point {
                x: row.pvs as f64,
                y: cost.median,
                interval: Some((cost.low, cost.high)),
                tip: format!(
                    "{name}, {} PVs on {} IOCs\n{}",
                    grouped(row.pvs),
                    grouped(row.fleet.iocs),
                    told(cost, " per PV")
                ),
            })
        })
        .collect();
    Line {
        name: name.to_owned(),
        style: styles.style(name),
        through: points.iter().map(|point| (point.x, point.y)).collect(),
        points,
        dashed: false,
    }
}

fn table(rows: &[&FleetRow]) -> Table {
    let cells = |row: &&FleetRow| {
        let cost = row.cost_s.as_ref()?;
        Some(vec![
            row.approach.clone(),
            grouped(row.pvs),
            grouped(row.fleet.iocs),
            scientific(cost.median),
            scientific(cost.low),
            scientific(cost.high),
            cost.samples.to_string(),
        ])
    };
    Table {
        columns: vec![
            words("approach"),
            number("PVs"),
            number("IOCs"),
            number("s per PV"),
            number("from"),
            number("to"),
            number("blocks"),
        ],
        rows: rows.iter().filter_map(cells).collect(),
    }
}
