//! Figures of monitor runs: CPU, memory, losses, latency and bytes per configuration and
//! approach.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use super::failed::FailedApproaches;
use super::figures::difference;
use super::latency_series::{LatencySeries, latency_series};
use super::losses::{LossCauses, UpdateCounts, causes};
use super::verdict::Verdict;
use crate::lookup::Lookup;
use crate::metric::{CPU_WINDOW_NS, memory_of_run, trusted};
use crate::protocol::Protocol;
use crate::record::{
    Disturbance, Load, Losses, Monitored, Record, Recovery, RunRecords, Scenario, ServerCounters,
    Usage,
};
use crate::scenario::{Configuration, Words, definition};
use crate::stats::{
    CpuLoad, Interval, Percentiles, between, cpu_load, growth, median, median_interval, percentiles,
};
use crate::worker_protocol::Mode;

/// One configuration of a scenario with monitors.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MonitorFigures {
    /// The scenario's name.
    pub scenario: Scenario,
    /// The server's name.
    pub server: String,
    /// How many PVs were monitored.
    pub pvs: usize,
    /// How they were found.
    pub lookup: Lookup,
    /// What the monitors were to take.
    pub load: Load,
    /// One row per approach, in the order of the catalogue.
    pub rows: Vec<MonitorRow>,
}

impl MonitorFigures {
    /// What was measured.
    pub fn configuration(&self) -> Configuration {
        Configuration {
            scenario: self.scenario,
            server: self.server.clone(),
            pvs: self.pvs,
            mode: Mode::Bulk,
            lookup: self.lookup,
            load: Some(self.load),
            many_iocs: None,
            fault: None,
        }
    }

    /// Whether a verdict is on this configuration.
    pub fn has(&self, verdict: &Verdict) -> bool {
        verdict.configuration() == Some(self.configuration())
    }

    /// The same as a heading: `waveform: 680x480 at 120 Hz`.
    pub fn heading(&self) -> String {
        self.configuration().in_words(Words::Heading)
    }
}

/// One approach's figures: sums of counts and pooled samples over all blocks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct MonitorRow {
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// Whether it failed here, or brought a wrong value anywhere: then it is compared with
    /// nobody.
    pub failed: bool,
    /// How many blocks.
    pub blocks: usize,
    /// Updates of one PV per second that the server made.
    pub made_hz: f64,
    /// The client's CPU use over windows of a second, and over the whole run.
    pub client_cpu: Option<CpuLoad>,
    /// The server's.
    pub server_cpu: Option<CpuLoad>,
    /// The client's CPU use less the floor's, within blocks, in % of a core.
    pub over_floor_percent: Option<Interval>,
    /// The client's memory.
    pub client_memory: Memory,
    /// The server's memory.
    pub server_memory: Memory,
    /// How the updates fared.
    pub updates: UpdateCounts,
    /// Where the lost ones were lost.
    pub causes: LossCauses,
    /// Time from the server's time stamp to the callback.
    pub latency: Option<Percentiles>,
    /// The same over time; none where the worker does not report it.
    pub latency_series: Option<LatencySeries>,
    /// Bytes that the client received, and the least that it could.
    pub received_bytes: Option<u64>,
    /// The least bytes that the updates received can take.
    pub least_bytes: Option<u64>,
    /// CPU use of the harness's own sampling thread, in % of a core.
    pub sampler_percent: f64,
    /// How it came back, for each block of a recovery configuration.
    pub recoveries: Vec<Recovery>,
    /// Which PVs lost updates and when, in the block that lost most.
    pub losses: Option<Losses>,
}

/// Memory in bytes; medians over blocks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Memory {
    /// When the figures begin.
    pub start_bytes: f64,
    /// The most.
    pub peak_bytes: f64,
    /// When the server stopped making updates.
    pub end_bytes: f64,
    /// Growth in bytes per minute after the warm-up.
    pub growth_bytes_per_minute: Option<Interval>,
}

/// All configurations with monitors, by scenario, rate and count of PVs; without searches and
/// without loads that may overload a side.
pub(super) fn monitors(run: &RunRecords, failed: &FailedApproaches) -> Vec<MonitorFigures> {
    let mut configurations: Vec<(usize, &Record)> = Vec::new();
    for record in run.records.iter().filter(|record| trusted(record).is_some()) {
        let order = Scenario::ALL.iter().position(|one| *one == record.scenario);
        let known = configurations.iter().any(|(_, other)| is_same_configuration(record, other));
        let is_own = !definition(record.scenario).may_be_overloaded();
        if is_own && !known {
            configurations.push((order.unwrap_or(usize::MAX), record));
        }
    }
    let rate = |record: &Record| record.load.map_or(0.0, |load| load.rate_hz);
    configurations.sort_by(|(order, a), (other_order, b)| {
        order
            .cmp(other_order)
            .then(rate(a).total_cmp(&rate(b)))
            .then(a.pvs.cmp(&b.pvs))
            .then(a.server.cmp(&b.server))
            .then(disturbance(a).cmp(&disturbance(b)))
            .then(a.lookup.cmp(&b.lookup))
    });
    configurations.into_iter().filter_map(|(_, first)| configuration(run, first, failed)).collect()
}

fn disturbance(record: &Record) -> Option<Disturbance> {
    record.load.and_then(|load| load.disturbance)
}

pub(super) fn is_same_configuration(record: &Record, other: &Record) -> bool {
    (&record.scenario, &record.server, record.pvs, record.lookup, record.load)
        == (&other.scenario, &other.server, other.pvs, other.lookup, other.load)
}

fn configuration(
    run: &RunRecords,
    first: &Record,
    failed: &FailedApproaches,
) -> Option<MonitorFigures> {
    let load = first.load?;
    let mut by_approach: BTreeMap<&str, BTreeMap<usize, &Monitored>> = BTreeMap::new();
    for record in run.records.iter().filter(|record| is_same_configuration(record, first)) {
        if let Some(monitored) = trusted(record) {
            by_approach.entry(&record.approach).or_default().insert(record.block, monitored);
        }
    }
    let facts = &run.run.approaches;
    let has_failed = |name: &str| {
        let mut own = run.records.iter().filter(|record| is_same_configuration(record, first));
        own.any(|record| record.approach == name && failed.holds(record))
    };
    let floor_of = |protocol| {
        let floor = run.run.floor_of(protocol).filter(|floor| !has_failed(&floor.name))?;
        by_approach.get(floor.name.as_str()).map(cpu_by_block)
    };
    let rows = facts
        .iter()
        .filter_map(|facts| {
            let blocks = by_approach.get(facts.name.as_str())?;
            let own = cpu_by_block(blocks);
            let over_floor_percent =
                floor_of(facts.protocol).and_then(|floor| difference(&own, &floor));
            let failed = has_failed(&facts.name);
            Some(MonitorRow {
                approach: facts.name.clone(),
                floor: facts.floor,
                failed,
                over_floor_percent: over_floor_percent.filter(|_| !facts.floor && !failed),
                ..row(&blocks.values().copied().collect::<Vec<_>>(), facts.protocol, &load)
            })
        })
        .collect();
    Some(MonitorFigures {
        scenario: first.scenario,
        server: first.server.clone(),
        pvs: first.pvs,
        lookup: first.lookup,
        load,
        rows,
    })
}

fn cpu_by_block(blocks: &BTreeMap<usize, &Monitored>) -> BTreeMap<usize, f64> {
    let percent = |monitored: &Monitored| Some(cpu(&[monitored], |one| &one.client)?.mean_percent);
    blocks.iter().filter_map(|(block, one)| Some((*block, percent(one)?))).collect()
}

/// The figures of one approach in one configuration, its name left out.
pub(super) fn row(blocks: &[&Monitored], protocol: Protocol, load: &Load) -> MonitorRow {
    let medians =
        |of: fn(&Monitored) -> f64| median(&blocks.iter().map(|one| of(one)).collect::<Vec<f64>>());
    let sum = |of: fn(&crate::record::Network) -> u64| {
        blocks.iter().map(|one| one.network.as_ref().map(of)).sum::<Option<u64>>()
    };
    let latencies: Vec<(i64, u64)> =
        blocks.iter().flat_map(|one| one.latencies.iter().copied()).collect();
    let updates = update_counts(blocks);
    let received_bytes = sum(|network| network.received_bytes);
    let least_bytes =
        blocks.iter().map(|one| one.network.as_ref()?.least_bytes).sum::<Option<u64>>();
    MonitorRow {
        approach: String::new(),
        floor: false,
        failed: false,
        blocks: blocks.len(),
        made_hz: medians(|one| one.made_hz),
        client_cpu: cpu(blocks, |one| &one.client),
        server_cpu: cpu(blocks, |one| &one.server),
        over_floor_percent: None,
        client_memory: memory(blocks, |one| &one.client),
        server_memory: memory(blocks, |one| &one.server),
        causes: causes(&updates, (protocol, load), received_bytes, least_bytes),
        updates,
        latency: percentiles(&latencies),
        latency_series: latency_series(blocks),
        received_bytes,
        least_bytes,
        sampler_percent: medians(sampler_percent),
        recoveries: blocks.iter().filter_map(|one| one.recovery).collect(),
        losses: blocks.iter().max_by_key(|one| one.lost()).and_then(|one| one.losses.clone()),
    }
}

fn sampler_percent(monitored: &Monitored) -> f64 {
    let samples = &monitored.client.samples;
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return 0.0 };
    100.0 * monitored.sampler_cpu_ns as f64 / last.at_ns.saturating_sub(first.at_ns).max(1) as f64
}

/// The load over all blocks, set one after the other.
fn cpu(blocks: &[&Monitored], of: fn(&Monitored) -> &Usage) -> Option<CpuLoad> {
    let mut joined: Vec<(u64, u64)> = Vec::new();
    for block in blocks {
        let samples: Vec<(u64, u64)> =
            of(block).samples.iter().map(|sample| (sample.at_ns, sample.cpu_ns)).collect();
        let during = between(&samples, block.start_ns, block.end_ns);
        let Some(first) = during.first().copied() else { continue };
        let end = joined.last().copied().unwrap_or((0, 0));
        let shifted = during
            .iter()
            .map(|(at, cpu)| (at - first.0 + end.0, cpu.saturating_sub(first.1) + end.1));
        joined.extend(shifted);
    }
    cpu_load(&joined, CPU_WINDOW_NS)
}

fn memory(blocks: &[&Monitored], of: fn(&Monitored) -> &Usage) -> Memory {
    let during = |block: &&Monitored| memory_of_run(block, of(block));
    let medians = |bytes: Vec<Option<u64>>| {
        let known: Vec<f64> = bytes.into_iter().flatten().map(|bytes| bytes as f64).collect();
        median(&known)
    };
    let rss = |sample: Option<&(u64, u64)>| sample.map(|(_, bytes)| *bytes);
    Memory {
        start_bytes: medians(blocks.iter().map(|block| rss(during(block).first())).collect()),
        peak_bytes: medians(blocks.iter().map(|block| Some(of(block).peak_rss_bytes)).collect()),
        end_bytes: medians(blocks.iter().map(|block| rss(during(block).last())).collect()),
        growth_bytes_per_minute: growth_over(blocks.iter().map(during).collect()),
    }
}

/// With enough blocks the growths of the blocks make the interval, else each
/// block's own samples do: then the widest of these counts.
pub(super) fn growth_over(blocks: Vec<Vec<(u64, u64)>>) -> Option<Interval> {
    let each: Vec<Interval> =
        blocks.iter().filter_map(|samples| growth(samples, CONFIDENCE_WANTED)).collect();
    let medians: Vec<f64> = each.iter().map(|interval| interval.median).collect();
    let over_blocks = median_interval(&medians, CONFIDENCE_WANTED)?;
    if over_blocks.confidence >= CONFIDENCE_WANTED {
        return Some(over_blocks);
    }
    each.into_iter().max_by(|a, b| (a.high - a.low).total_cmp(&(b.high - b.low)))
}

fn update_counts(blocks: &[&Monitored]) -> UpdateCounts {
    let mut counts = UpdateCounts::default();
    for block in blocks {
        counts.expected += block.expected;
        counts.received += block.received;
        counts.repeated += block.repeated;
        counts.lost += block.lost();
        counts.late += block.late;
        add(&mut counts.server, &block.server_counters);
        for (name, count) in &block.library_counters {
            *counts.library.entry(name.clone()).or_insert(0) += count;
        }
    }
    counts
}

/// Adds up what was counted; subscriptions are those of the last.
fn add(counters: &mut ServerCounters, more: &ServerCounters) {
    let sum = |count: &mut Option<u64>, more: Option<u64>| {
        if let Some(more) = more {
            *count = Some(count.unwrap_or(0) + more);
        }
    };
    counters.subscriptions = more.subscriptions;
    sum(&mut counters.scan_overruns, more.scan_overruns);
    sum(&mut counters.merged_updates, more.merged_updates);
    sum(&mut counters.callback_overflows, more.callback_overflows);
    for (event, count) in &more.overloads {
        *counters.overloads.entry(event.clone()).or_insert(0) += count;
    }
}
