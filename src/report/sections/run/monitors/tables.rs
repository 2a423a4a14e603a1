//! The tables of one configuration with monitors.

use crate::judge::{MonitorFigures, MonitorRow, Outcome, UpdateCounts, Verdict};
use crate::metric::{Metric, Party};
use crate::report::document::{Columns, Table};
use crate::report::words::{or_dash, worst};
use crate::scenario::has_one_server;
use crate::stats::{CpuLoad, Interval, Percentiles};
use crate::units::{megabytes, milliseconds, percent};

pub(super) fn client_cpu(configuration: &MonitorFigures, verdicts: &[&Verdict]) -> Table {
    let columns = cpu(configuration, "client CPU %", |row| row.client_cpu.as_ref()).number(
        "over floor",
        |row| match row.floor {
            true => "floor".to_owned(),
            false => or_dash(row.over_floor_percent, |over| format!("{:+.1}", over.median)),
        },
    );
    let is_judged = verdicts.iter().any(|verdict| is_of(verdict, Metric::CpuUse(Party::Client)));
    let columns = match is_judged {
        false => columns,
        true => columns.words("verdict", |row| match row.floor {
            true => String::new(),
            false => worst_of(verdicts, row, Metric::CpuUse(Party::Client)),
        }),
    };
    columns.table()
}

pub(super) fn server_cpu(configuration: &MonitorFigures) -> Table {
    cpu(configuration, "server CPU %", |row| row.server_cpu.as_ref()).table()
}

/// CPU of one side.
fn cpu<'a>(
    configuration: &'a MonitorFigures,
    heading: &'static str,
    side: fn(&MonitorRow) -> Option<&CpuLoad>,
) -> Columns<&'a MonitorRow> {
    let figures: [(&str, fn(&CpuLoad) -> f64); 4] = [
        ("exact", |load| load.mean_percent),
        ("median", |load| load.median_percent),
        ("max", |load| load.max_percent),
        ("min", |load| load.min_percent),
    ];
    Columns::of(&configuration.rows)
        .words(heading, |row| row.approach.clone())
        .numbers(figures, |row, of| or_dash(side(row), |load| percent(of(load))))
}

pub(super) fn updates(configuration: &MonitorFigures) -> Table {
    let latencies: [(&str, fn(&Percentiles) -> u64); 5] = [
        ("p50 ms", |latency| latency.p50_ns),
        ("p90", |latency| latency.p90_ns),
        ("p99", |latency| latency.p99_ns),
        ("p99.9", |latency| latency.p99_9_ns),
        ("max", |latency| latency.max_ns),
    ];
    // A restarted IOC sends values with time stamps of long ago first.
    let has_latency = has_one_server(&configuration.load);
    Columns::of(&configuration.rows)
        .words("updates", |row| row.approach.clone())
        .number("made", |row| row.updates.expected.to_string())
        .number("received", |row| row.updates.received.to_string())
        .number("lost", |row| row.updates.lost.to_string())
        .number("merged", |row| merged(&row.updates).to_string())
        .numbers(latencies, |row, of| {
            let known = row.latency.as_ref().filter(|_| has_latency);
            or_dash(known, |latency| milliseconds(of(latency)))
        })
        .table()
}

/// Updates that server or library report as replaced or dropped.
fn merged(updates: &UpdateCounts) -> u64 {
    updates.server.merged() + updates.library.values().sum::<u64>()
}

pub(super) fn memory(configuration: &MonitorFigures, verdicts: &[&Verdict]) -> Table {
    Columns::of(&configuration.rows)
        .words("memory MB", |row| row.approach.clone())
        .number("start", |row| megabytes(row.client_memory.start_bytes))
        .number("peak", |row| megabytes(row.client_memory.peak_bytes))
        .number("end", |row| megabytes(row.client_memory.end_bytes))
        .number("growth MB/min", |row| {
            or_dash(row.client_memory.growth_bytes_per_minute.as_ref(), growth)
        })
        .words("leak", |row| match worst_of(verdicts, row, Metric::Growth(Party::Client)) {
            _ if row.floor => "floor".to_owned(),
            word if word.is_empty() => "too short".to_owned(),
            word => word,
        })
        .number("bytes/least", |row| {
            let least = row.least_bytes.filter(|least| *least > 0);
            or_dash(row.received_bytes.zip(least), |(received, least)| {
                format!("{:.4}", received as f64 / least as f64)
            })
        })
        .table()
}

fn growth(growth: &Interval) -> String {
    format!("{:.2} .. {:.2}", growth.low / 1e6, growth.high / 1e6)
}

pub(super) fn recovery(configuration: &MonitorFigures, verdicts: &[&Verdict]) -> Table {
    Columns::of(&configuration.rows)
        .words("approach", |row| row.approach.clone())
        .number("PVs that came back", |row| {
            let recovered = row.recoveries.iter();
            let each = recovered.map(|one| format!("{} of {}", one.recovered, one.wanted));
            each.collect::<Vec<String>>().join(", ")
        })
        .number("after s, the last", |row| {
            let slowest = row.recoveries.iter().filter_map(|one| one.slowest_s);
            or_dash(slowest.max_by(f64::total_cmp), |slowest| format!("{slowest:.2}"))
        })
        .words("verdict", |row| match row.floor {
            true => "floor".to_owned(),
            false => worst_of(verdicts, row, Metric::PvsNotReconnected),
        })
        .table()
}

/// The word for the verdicts on one metric of an approach, and for those of its failures.
fn worst_of(verdicts: &[&Verdict], row: &MonitorRow, metric: Metric) -> String {
    let own = verdicts.iter().copied().filter(|verdict| verdict.approach == row.approach);
    worst(own.filter(|verdict| is_of(verdict, metric) || verdict.outcome == Outcome::Failed))
}

fn is_of(verdict: &Verdict, metric: Metric) -> bool {
    verdict.metric == metric
}
