//! The most updates that an approach takes without loss, from the probes of a
//! search.

use serde::Serialize;

use crate::record::{Record, RunRecords};
use crate::scenario::{self, is_answer_of_a_search};

/// A server that makes fewer than this part of its updates did not hold its
/// rate.
const RATE_HELD: f64 = 0.98;

/// One approach at one rate.
#[derive(Debug, Clone, Serialize)]
pub struct Capacity {
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// Updates of one PV per second.
    pub rate_hz: f64,
    /// The most PVs that were tried.
    pub tried_pvs: usize,
    /// The most PVs of which no update was lost, each time that it was tried;
    /// none when there is no such count.
    pub lossless_pvs: Option<usize>,
    /// How often that was measured.
    pub confirmed: usize,
    /// The least PVs of which an update was lost; none when all arrived.
    pub lossy_pvs: Option<usize>,
    /// Who gave way there.
    pub gave_way: Option<GaveWay>,
    /// Updates per second at the most PVs without loss.
    pub lossless_updates_hz: f64,
}

/// Where the first update was lost, as far as counters tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum GaveWay {
    /// The server did not make its updates in time.
    ServerScan,
    /// The server replaced updates in a subscription's queue, because the client
    /// did not take them.
    ServerQueue,
    /// The library dropped or merged them, by its own counters.
    Library,
    /// They were on their way still when the time was over.
    Late,
    /// The client took up so much memory that it was stopped.
    Memory,
    /// No counter tells.
    Unknown,
}

impl GaveWay {
    /// The words in tables.
    pub fn name(self) -> &'static str {
        match self {
            GaveWay::ServerScan => "the server's scan",
            GaveWay::ServerQueue => "the server's queue: slow client",
            GaveWay::Library => "the library's own queue",
            GaveWay::Late => "not in time",
            GaveWay::Memory => "the client's memory",
            GaveWay::Unknown => "no counter tells",
        }
    }
}

/// All capacities, by rate and then in the order of the catalogue.
pub fn capacities(run: &RunRecords) -> Vec<Capacity> {
    let probes: Vec<&Record> = run
        .records
        .iter()
        .filter(|record| record.scenario == scenario::CAPACITY)
        .filter(|record| record.monitored.is_some() || is_answer_of_a_search(record))
        .collect();
    let mut rates: Vec<f64> =
        probes.iter().filter_map(|record| Some(record.load?.rate_hz)).collect();
    rates.sort_by(f64::total_cmp);
    rates.dedup();
    let mut capacities = Vec::new();
    for rate_hz in rates {
        for facts in &run.run.approaches {
            let own: Vec<&&Record> = probes
                .iter()
                .filter(|record| record.approach == facts.name)
                .filter(|record| record.load.is_some_and(|load| load.rate_hz == rate_hz))
                .collect();
            if !own.is_empty() {
                capacities.push(capacity(&facts.name, facts.floor, rate_hz, &own));
            }
        }
    }
    capacities
}

fn capacity(approach: &str, floor: bool, rate_hz: f64, probes: &[&&Record]) -> Capacity {
    let lossy = probes.iter().filter(|record| gave_way(record).is_some());
    let least_lossy = lossy.min_by_key(|record| record.pvs);
    let lossy_pvs = least_lossy.map(|record| record.pvs);
    let lossless_pvs = probes
        .iter()
        .filter(|record| gave_way(record).is_none())
        .map(|record| record.pvs)
        .filter(|pvs| lossy_pvs.is_none_or(|lossy| *pvs < lossy))
        .max();
    let confirmed = probes.iter().filter(|record| Some(record.pvs) == lossless_pvs).count();
    Capacity {
        approach: approach.to_owned(),
        floor,
        rate_hz,
        tried_pvs: probes.iter().map(|record| record.pvs).max().unwrap_or(0),
        lossless_pvs,
        confirmed,
        lossy_pvs,
        gave_way: least_lossy.and_then(|record| gave_way(record)),
        lossless_updates_hz: lossless_pvs.unwrap_or(0) as f64 * rate_hz,
    }
}

/// Who gave way in a probe; none when every update was made and arrived.
fn gave_way(record: &Record) -> Option<GaveWay> {
    if is_answer_of_a_search(record) {
        return Some(GaveWay::Memory);
    }
    let (monitored, load) = (record.monitored.as_ref()?, record.load?);
    if monitored.made_hz < RATE_HELD * load.rate_hz {
        return Some(GaveWay::ServerScan);
    }
    let lost = monitored.lost();
    let dropped = monitored.library_counters.values().any(|count| *count > 0);
    match lost {
        0 => None,
        _ if monitored.server_counters.merged_updates > 0 => Some(GaveWay::ServerQueue),
        _ if dropped => Some(GaveWay::Library),
        lost if monitored.late == lost => Some(GaveWay::Late),
        _ => Some(GaveWay::Unknown),
    }
}
