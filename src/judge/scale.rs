//! The scale matrix: what each server and client did at each load, and what the
//! published row of that load must have lost.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::bottleneck::{Bottleneck, bottleneck};
use super::monitors::{MonitorRow, is_same_configuration, row};
use crate::lookup::Lookup;
use crate::metric::trusted;
use crate::protocol::Protocol;
use crate::record::{Cores, Load, Monitored, Record, RunRecords, Scenario, Steady, Usage};
use crate::scenario::published::{PublishedRow, TABLES};
use crate::stats::{between, median};

/// One server against one client.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Scale {
    /// The server.
    pub server: String,
    /// How PVs were found.
    pub lookup: Lookup,
    /// The approach.
    pub approach: String,
    /// One row for each load, in the order of PVs, rate and monitors.
    pub rows: Vec<ScaleRow>,
}

/// One load.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ScaleRow {
    /// How many PVs were monitored.
    pub pvs: usize,
    /// At what rate, with how many monitors each.
    pub load: Load,
    /// What was measured; none when it did not come to that.
    pub figures: Option<ScaleFigures>,
    /// Why not, in the words of the first worker.
    pub failure: Option<String>,
    /// What limited it first, when not every update was made or arrived.
    pub bottleneck: Option<Bottleneck>,
    /// What was published of this load.
    pub published: Option<Published>,
}

impl ScaleRow {
    /// Whether the load could not be sustained.
    pub fn is_overloaded(&self) -> bool {
        self.bottleneck.is_some()
    }
}

/// What was measured at one load; medians, and sums of counts, over blocks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ScaleFigures {
    /// CPU, memory, updates and latency.
    #[serde(flatten)]
    pub row: MonitorRow,
    /// Bytes per second over the server's TCP connections.
    pub server_bytes: Option<Flow>,
    /// The same of the client's.
    pub client_bytes: Option<Flow>,
    /// Subscriptions that were asked for.
    pub asked_subscriptions: usize,
    /// Whether CPU use was steady in the window of the figures.
    pub steady: Option<Steady>,
    /// The cores of server and client.
    pub cores: Option<Cores>,
}

/// Bytes per second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Flow {
    /// Sent.
    pub sent_hz: f64,
    /// Received.
    pub received_hz: f64,
}

/// The published row of a load.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(rename = "PublishedScale")]
pub struct Published {
    /// The table's name.
    pub table: &'static str,
    /// CPU %, sent kB/s and received kB/s of the server, as written.
    pub server: [&'static str; 3],
    /// The same of the client.
    pub client: [&'static str; 3],
    /// The most of the updates that it can have received, as a part of 1, by the
    /// table's own bytes per update.
    pub delivered: Option<f64>,
}

/// All pairs of server and client, in the order of the published tables, then by
/// name.
pub fn scale(run: &RunRecords) -> Vec<Scale> {
    let records: Vec<&Record> =
        run.records.iter().filter(|record| record.scenario == Scenario::Scale).collect();
    let pairs: BTreeSet<(usize, &str, &str, Lookup)> = records
        .iter()
        .map(|record| {
            let (server, approach) = (record.server.as_str(), record.approach.as_str());
            let order = TABLES
                .iter()
                .position(|table| (table.server, table.approach) == (server, approach));
            (order.unwrap_or(usize::MAX), server, approach, record.lookup)
        })
        .collect();
    pairs
        .into_iter()
        .map(|(_, server, approach, lookup)| {
            let is_own = |record: &&&Record| {
                (record.server.as_str(), record.approach.as_str(), record.lookup)
                    == (server, approach, lookup)
            };
            let own: Vec<&Record> = records.iter().filter(is_own).copied().collect();
            let facts = run.run.approaches.iter().find(|facts| facts.name == approach);
            let protocol = facts.map_or(Protocol::Ca, |facts| facts.protocol);
            let rows = rows(&own, protocol);
            Scale { server: server.to_owned(), lookup, approach: approach.to_owned(), rows }
        })
        .collect()
}

fn rows(records: &[&Record], protocol: Protocol) -> Vec<ScaleRow> {
    let mut firsts: Vec<(&Record, Load)> = Vec::new();
    for record in records {
        let Some(load) = record.load else { continue };
        if !firsts.iter().any(|(other, _)| is_same_configuration(record, other)) {
            firsts.push((record, load));
        }
    }
    firsts.sort_by(|(a, load), (b, other)| {
        let served = |record: &Record, load: &Load| record.pvs + load.idle_pvs;
        served(a, load)
            .cmp(&served(b, other))
            .then(load.rate_hz.total_cmp(&other.rate_hz))
            .then(load.monitors.cmp(&other.monitors))
            .then(a.pvs.cmp(&b.pvs))
    });
    let row = |(first, load): (&Record, Load)| {
        let blocks: Vec<&Record> =
            records.iter().filter(|record| is_same_configuration(record, first)).copied().collect();
        row_of(&blocks, protocol, load)
    };
    firsts.into_iter().map(row).collect()
}

fn row_of(blocks: &[&Record], protocol: Protocol, load: Load) -> ScaleRow {
    let first = blocks[0];
    let monitored: Vec<&Monitored> = blocks.iter().filter_map(|record| trusted(record)).collect();
    ScaleRow {
        pvs: first.pvs,
        load,
        figures: monitored.first().map(|latest| ScaleFigures {
            row: MonitorRow {
                approach: first.approach.clone(),
                ..row(&monitored, protocol, &load)
            },
            server_bytes: flow(&monitored, |one| &one.server),
            client_bytes: flow(&monitored, |one| &one.client),
            asked_subscriptions: first.pvs * load.monitors,
            steady: latest.steady,
            cores: latest.cores.clone(),
        }),
        failure: blocks
            .iter()
            .find_map(|record| record.failure.as_ref())
            .map(|failure| failure.message.lines().next().unwrap_or_default().to_owned()),
        bottleneck: blocks.iter().find_map(|record| bottleneck(record)),
        published: published(first, load),
    }
}

/// Bytes per second in the window of the figures, medians over blocks.
fn flow(blocks: &[&Monitored], of: fn(&Monitored) -> &Usage) -> Option<Flow> {
    let rates = |bytes: fn(&crate::record::NetworkSample) -> u64| {
        let rates: Option<Vec<f64>> = blocks.iter().map(|one| rate(one, of(one), bytes)).collect();
        Some(median(&rates?))
    };
    Some(Flow {
        sent_hz: rates(|sample| sample.sent_bytes)?,
        received_hz: rates(|sample| sample.received_bytes)?,
    })
}

fn rate(
    monitored: &Monitored,
    usage: &Usage,
    bytes: fn(&crate::record::NetworkSample) -> u64,
) -> Option<f64> {
    let samples: Vec<(u64, u64)> =
        usage.network.iter().map(|sample| (sample.at_ns, bytes(sample))).collect();
    let window = between(&samples, monitored.start_ns, monitored.end_ns);
    let (first, last) = (window.first()?, window.last()?);
    let wall_ns = last.0.checked_sub(first.0).filter(|ns| *ns > 0)?;
    Some(last.1.saturating_sub(first.1) as f64 / (wall_ns as f64 / 1e9))
}

fn published(record: &Record, load: Load) -> Option<Published> {
    let is_pair = |server: &str, approach: &str| {
        (server, approach) == (record.server.as_str(), record.approach.as_str())
    };
    let table = TABLES.iter().find(|table| is_pair(table.server, table.approach))?;
    let is_load = |row: &&PublishedRow| {
        (row.served_pvs, row.pvs, row.monitors)
            == (record.pvs + load.idle_pvs, record.pvs, load.monitors)
            && f64::from(row.rate_hz) == load.rate_hz
    };
    table.rows.iter().find(is_load).map(|row| Published {
        table: table.name,
        server: row.server,
        client: row.client,
        delivered: table.delivered(row),
    })
}
