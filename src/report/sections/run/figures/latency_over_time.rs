//! Latency of updates over the time of a monitor run: of each approach, and of the slowest
//! PV where PVs differ.

use super::command::Command;
use super::styles::Styles;
use crate::judge::{Judgement, LatencySeries, MonitorFigures, MonitorRow, SlowPv};
use crate::record::RunRecords;
use crate::report::document::{
    Chart, Columns, Figure, Line, LineChart, Point, Quantity, Spread, Table, slug,
};
use crate::scenario::has_one_server;
use crate::units::{counted, duration, milliseconds, quantity};

/// An approach with its latencies over time.
type Measured<'a> = (&'a MonitorRow, &'a LatencySeries);

/// The figures of each configuration with monitors whose time stamps mean something: an
/// IOC that was restarted sends values with time stamps of long ago first.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let configurations =
        judgement.monitors.iter().filter(|configuration| has_one_server(&configuration.load));
    let of_configuration = |configuration: &MonitorFigures| {
        let measured: Vec<Measured<'_>> = configuration
            .rows
            .iter()
            .filter_map(|row| Some((row, row.latency_series.as_ref()?)))
            .collect();
        let command = Command::of_monitors(run, configuration);
        let figures = [
            of_approaches(configuration, &measured, styles),
            of_pvs(configuration, &measured, styles),
        ];
        let with_command = |figure| Figure { command: Some(command.to_string()), ..figure };
        figures.into_iter().flatten().map(with_command).collect::<Vec<Figure>>()
    };
    configurations.flat_map(of_configuration).collect()
}

fn of_approaches(
    configuration: &MonitorFigures,
    measured: &[Measured<'_>],
    styles: &Styles<'_>,
) -> Option<Figure> {
    let slice_s = measured.iter().map(|(_, series)| series.slice_s).reduce(f64::max)?;
    let longest: Vec<String> = measured
        .iter()
        .filter_map(|(row, series)| {
            let slice = series.longest()?;
            Some(format!("{} {}", row.approach, longest(slice.max_ns, slice.at_s)))
        })
        .collect();
    let lines = measured.iter().map(|(row, series)| line_of_approach(row, series, styles));
    Some(Figure {
        id: format!("latency-over-time-{}", slug(&configuration.heading())),
        title: format!("Latency of updates over time, {}", configuration.heading()),
        summary: format!(
            "The longest latency in each slice of {}, in the block with the longest. What lies \
             before 0 s is the warm-up. Longest of all: {}.",
            duration(slice_s),
            longest.join(", ")
        ),
        chart: chart(lines.collect()),
        table: table_of_approaches(measured),
        command: None,
    })
}

/// Such as `4.2 ms at 1.3 s`.
fn longest(max_ns: i64, at_s: f64) -> String {
    format!("{} at {at_s:.1} s", seconds_of(max_ns))
}

fn seconds_of(ns: i64) -> String {
    duration(ns as f64 / 1e9)
}

fn chart(lines: Vec<Line>) -> Chart {
    Chart::Lines(LineChart {
        x: Quantity::count("seconds", Spread::Linear),
        y: Quantity::seconds("longest latency", Spread::Log),
        lines,
        height: 220.0,
    })
}

fn line_of_approach(row: &MonitorRow, series: &LatencySeries, styles: &Styles<'_>) -> Line {
    let points = series.slices.iter().map(|slice| Point {
        x: slice.at_s,
        y: slice.max_ns as f64 / 1e9,
        interval: None,
        tip: format!(
            "{} from {} s on: {}\nmedian {}, 99 % {}, longest {}",
            row.approach,
            quantity(slice.at_s),
            counted(slice.updates as usize, "update"),
            seconds_of(slice.p50_ns),
            seconds_of(slice.p99_ns),
            seconds_of(slice.max_ns)
        ),
    });
    Line::through_points(&row.approach, styles.style(&row.approach), points.collect())
}

fn table_of_approaches(measured: &[Measured<'_>]) -> Table {
    let rows = measured
        .iter()
        .flat_map(|(row, series)| series.slices.iter().map(|slice| (row.approach.as_str(), slice)));
    Columns::of(rows)
        .words("approach", |(approach, _)| (*approach).to_owned())
        .number("s", |(_, slice)| format!("{:.2}", slice.at_s))
        .number("updates", |(_, slice)| slice.updates.to_string())
        .number("median ms", |(_, slice)| in_ms(slice.p50_ns))
        .number("99 % ms", |(_, slice)| in_ms(slice.p99_ns))
        .number("longest ms", |(_, slice)| in_ms(slice.max_ns))
        .table()
}

fn in_ms(ns: i64) -> String {
    let sign = if ns < 0 { "-" } else { "" };
    format!("{sign}{}", milliseconds(ns.unsigned_abs()))
}

/// One figure where the PVs of any approach differ; a line for the slowest PV of each.
fn of_pvs(
    configuration: &MonitorFigures,
    measured: &[Measured<'_>],
    styles: &Styles<'_>,
) -> Option<Figure> {
    let differ: Vec<Measured<'_>> =
        measured.iter().filter(|(_, series)| series.pvs_differ).copied().collect();
    let slowest: Vec<(&Measured<'_>, &SlowPv)> =
        differ.iter().filter_map(|one| Some((one, one.1.slowest_pvs.first()?))).collect();
    if slowest.is_empty() {
        return None;
    }
    let each: Vec<String> = slowest
        .iter()
        .map(|((row, series), pv)| {
            let median = seconds_of(series.median_pv_ns);
            let longest = longest(pv.max_ns, pv.at_s);
            format!("{}, {} {longest} (median PV {median})", row.approach, pv.pv)
        })
        .collect();
    let lines = slowest.iter().map(|((row, _), pv)| line_of_pv(row, pv, styles));
    Some(Figure {
        id: format!("slowest-pvs-{}", slug(&configuration.heading())),
        title: format!("Latency of the slowest PV over time, {}", configuration.heading()),
        summary: format!(
            "Of each approach with a PV whose longest latency is at least twice that of the \
             median PV. The table has up to three of its PVs. Longest: {}.",
            each.join("; ")
        ),
        chart: chart(lines.collect()),
        table: table_of_pvs(&differ),
        command: None,
    })
}

fn line_of_pv(row: &MonitorRow, pv: &SlowPv, styles: &Styles<'_>) -> Line {
    let name = format!("{}, {}", row.approach, pv.pv);
    let points = pv.over_time.iter().map(|(at_s, longest_ns)| Point {
        x: *at_s,
        y: *longest_ns as f64 / 1e9,
        interval: None,
        tip: format!("{name} from {} s on: {}", quantity(*at_s), seconds_of(*longest_ns)),
    });
    Line::through_points(&name, styles.style(&row.approach), points.collect())
}

fn table_of_pvs(differ: &[Measured<'_>]) -> Table {
    let rows = differ.iter().flat_map(|(row, series)| {
        series.slowest_pvs.iter().map(|pv| (row.approach.as_str(), series.median_pv_ns, pv))
    });
    Columns::of(rows)
        .words("approach", |(approach, _, _)| (*approach).to_owned())
        .words("PV", |(_, _, pv)| pv.pv.clone())
        .number("longest ms", |(_, _, pv)| in_ms(pv.max_ns))
        .number("at s", |(_, _, pv)| format!("{:.2}", pv.at_s))
        .number("longest of the median PV ms", |(_, median_ns, _)| in_ms(*median_ns))
        .table()
}
