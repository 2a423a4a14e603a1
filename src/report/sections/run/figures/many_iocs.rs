//! What a PV costs as the count of IOCs grows.

use super::super::many_iocs::{found_by, kind_of, kinds};
use super::command::Command;
use super::styles::Styles;
use crate::judge::{Judgement, ManyIocsRow};
use crate::lookup::Lookup;
use crate::record::{RunRecords, Scenario};
use crate::report::document::{
    Chart, Columns, Figure, Line, LineChart, Point, Quantity, Spread, Table, slug,
};
use crate::report::words::interval_in_full;
use crate::stats::Interval;
use crate::units::{counted, duration, grouped, microseconds};

/// An approach that connected all PVs.
struct Connected<'a> {
    row: &'a ManyIocsRow,
    cost_s: &'a Interval,
}

/// One figure for each way to find PVs and each server.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let of_kind = |kind: (Lookup, &str)| {
        let own = judgement.many_iocs.iter().filter(|row| kind_of(row) == kind);
        let connected: Vec<Connected<'_>> =
            own.filter_map(|row| Some(Connected { row, cost_s: row.cost_s.as_ref()? })).collect();
        (!connected.is_empty()).then(|| figure(run, styles, &found_by(kind), &connected))
    };
    kinds(&judgement.many_iocs).into_iter().filter_map(of_kind).collect()
}

fn figure(
    run: &RunRecords,
    styles: &Styles<'_>,
    found_by: &str,
    connected: &[Connected<'_>],
) -> Figure {
    let mut names: Vec<&str> = Vec::new();
    for one in connected {
        if !names.contains(&one.row.approach.as_str()) {
            names.push(&one.row.approach);
        }
    }
    let most = connected.iter().map(|one| one.row.pvs).max().unwrap_or(0);
    let each: Vec<String> = connected
        .iter()
        .filter(|one| one.row.pvs == most)
        .map(|one| format!("{} {}", one.row.approach, duration(one.cost_s.median)))
        .collect();
    let counts = connected.iter().map(|one| one.row.pvs).collect();
    Figure {
        id: format!("many-iocs-{}", slug(found_by)),
        title: format!("What a PV costs on many IOCs, found by {found_by}"),
        summary: format!(
            "Time to connect over PVs. With {}: {}.",
            counted(most, "PV"),
            each.join(", ")
        ),
        chart: Chart::Lines(LineChart {
            x: Quantity::count("PVs of all IOCs", Spread::Log),
            y: Quantity::seconds("time per PV", Spread::Log),
            lines: names.iter().map(|name| line(styles, name, connected)).collect(),
            height: 260.0,
        }),
        table: table(connected),
        command: Some(Command::of(run, Scenario::ManyIocs).pvs(counts).to_string()),
    }
}

fn line(styles: &Styles<'_>, name: &str, connected: &[Connected<'_>]) -> Line {
    let points = connected.iter().filter(|one| one.row.approach == name).map(|one| Point {
        x: one.row.pvs as f64,
        y: one.cost_s.median,
        interval: Some((one.cost_s.low, one.cost_s.high)),
        tip: format!(
            "{name}, {} on {}\n{}",
            counted(one.row.pvs, "PV"),
            counted(one.row.many_iocs.iocs, "IOC"),
            interval_in_full(one.cost_s, " per PV")
        ),
    });
    Line::through_points(name, styles.style(name), points.collect())
}

fn table(connected: &[Connected<'_>]) -> Table {
    Columns::of(connected)
        .words("approach", |one| one.row.approach.clone())
        .number("PVs", |one| grouped(one.row.pvs))
        .number("IOCs", |one| grouped(one.row.many_iocs.iocs))
        .number("µs/PV", |one| microseconds(one.cost_s.median))
        .number("from", |one| microseconds(one.cost_s.low))
        .number("to", |one| microseconds(one.cost_s.high))
        .number("blocks", |one| one.cost_s.samples.to_string())
        .table()
}
