//! The tables of a server and a client.

use super::updates::{arrived, arrived_as_published};
use crate::judge::{Flow, Published, Scale, ScaleFigures, ScaleRow};
use crate::report::document::{Columns, Table};
use crate::report::words::{or_dash, scale_pvs};
use crate::stats::{CpuLoad, Percentiles};
use crate::units::{milliseconds, percent};

/// Columns that identify the load of a row.
fn loads(pair: &Scale) -> Columns<&ScaleRow> {
    Columns::of(&pair.rows)
        .key("PVs", |row| scale_pvs(row))
        .key("Hz", |row| row.load.rate_hz.to_string())
        .key("mon.", |row| row.load.monitors.to_string())
}

pub(super) fn arrivals(pair: &Scale) -> Table {
    let figure = |of: fn(&ScaleFigures) -> Option<String>| {
        move |row: &&ScaleRow| or_dash(row.figures.as_ref().and_then(of), |text| text)
    };
    loads(pair)
        .number("expected", figure(|one| Some(one.row.updates.expected.to_string())))
        .number("lost", figure(|one| Some(one.row.updates.lost.to_string())))
        .number("merged", figure(|one| Some(one.row.updates.server.merged_updates?.to_string())))
        .number("arr. %", figure(|one| Some(arrived(one))))
        .number("pub. %", |row| arrived_as_published(row))
        .number("p50 ms", figure(|one| latency(one, |latency| latency.p50_ns)))
        .number("p99", figure(|one| latency(one, |latency| latency.p99_ns)))
        .number("subs", figure(|one| Some(one.row.updates.server.subscriptions?.to_string())))
        .table()
}

fn latency(figures: &ScaleFigures, of: fn(&Percentiles) -> u64) -> Option<String> {
    Some(milliseconds(of(figures.row.latency.as_ref()?)))
}

pub(super) fn costs(pair: &Scale) -> Table {
    COSTS
        .into_iter()
        .fold(loads(pair), |columns, Cost { heading, here, published }| {
            columns
                .number(heading, |row| or_dash(row.figures.as_ref().and_then(here), |text| text))
                .number("pub.", |row| {
                    let text = row.published.as_ref().map(published);
                    or_dash(text.filter(|text| !text.is_empty()), str::to_owned)
                })
        })
        .table()
}

/// A figure of one side, measured here and as it was published.
struct Cost {
    heading: &'static str,
    here: fn(&ScaleFigures) -> Option<String>,
    published: fn(&Published) -> &'static str,
}

const COSTS: [Cost; 6] = [
    Cost {
        heading: "server CPU",
        here: |figures| cpu(figures.row.server_cpu.as_ref()),
        published: |published| published.server[0],
    },
    Cost {
        heading: "sent",
        here: |figures| kilobytes(figures.server_bytes, |flow| flow.sent_hz),
        published: |published| published.server[1],
    },
    Cost {
        heading: "recv",
        here: |figures| kilobytes(figures.server_bytes, |flow| flow.received_hz),
        published: |published| published.server[2],
    },
    Cost {
        heading: "client CPU",
        here: |figures| cpu(figures.row.client_cpu.as_ref()),
        published: |published| published.client[0],
    },
    Cost {
        heading: "sent",
        here: |figures| kilobytes(figures.client_bytes, |flow| flow.sent_hz),
        published: |published| published.client[1],
    },
    Cost {
        heading: "recv",
        here: |figures| kilobytes(figures.client_bytes, |flow| flow.received_hz),
        published: |published| published.client[2],
    },
];

fn cpu(load: Option<&CpuLoad>) -> Option<String> {
    Some(percent(load?.mean_percent))
}

fn kilobytes(flow: Option<Flow>, of: fn(Flow) -> f64) -> Option<String> {
    Some(format!("{:.0}", of(flow?) / 1e3))
}
