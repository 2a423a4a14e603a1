//! The most updates that an approach takes without loss, from the probes of a
//! search.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::record::{Record, RunRecords};
use crate::scenario::{self, RATE_HELD_IN_SEARCH, is_answer_of_a_search};

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
    /// The most PVs of which no update was lost, more often than not and below the
    /// least with a loss; none when there is no such count.
    pub lossless_pvs: Option<usize>,
    /// How often that was seen.
    pub confirmed: usize,
    /// The least PVs of which an update was lost more often than not; none when
    /// there is no such count.
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
    /// The server replaced updates in a subscription's queue: client or server
    /// paused for longer than the queue holds.
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
            GaveWay::ServerQueue => "the server's queue",
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
    let mut counts: BTreeMap<usize, Outcomes> = BTreeMap::new();
    for record in probes {
        let outcomes = counts.entry(record.pvs).or_default();
        match gave_way(record) {
            None => outcomes.lossless += 1,
            Some(who) => outcomes.lossy.push(who),
        }
    }
    let least_lossy = counts.iter().find(|(_, outcomes)| outcomes.is_lossy());
    let lossy_pvs = least_lossy.map(|(pvs, _)| *pvs);
    let most_lossless = counts
        .range(..lossy_pvs.unwrap_or(usize::MAX))
        .rfind(|(_, outcomes)| outcomes.lossless > outcomes.lossy.len());
    let lossless_pvs = most_lossless.map(|(pvs, _)| *pvs);
    Capacity {
        approach: approach.to_owned(),
        floor,
        rate_hz,
        tried_pvs: counts.keys().copied().max().unwrap_or(0),
        lossless_pvs,
        confirmed: most_lossless.map_or(0, |(_, outcomes)| outcomes.lossless),
        lossy_pvs,
        gave_way: least_lossy.and_then(|(_, outcomes)| outcomes.lossy.first().copied()),
        lossless_updates_hz: lossless_pvs.unwrap_or(0) as f64 * rate_hz,
    }
}

/// What came of one count of PVs, each time that it was tried.
#[derive(Default)]
struct Outcomes {
    lossless: usize,
    lossy: Vec<GaveWay>,
}

impl Outcomes {
    /// One loss among successes may be a pause of the machine.
    fn is_lossy(&self) -> bool {
        self.lossy.len() > self.lossless || (self.lossy.len() > 1 && self.lossless < 2)
    }
}

/// Who gave way in a probe; none when every update was made and arrived.
fn gave_way(record: &Record) -> Option<GaveWay> {
    if is_answer_of_a_search(record) {
        return Some(GaveWay::Memory);
    }
    let (monitored, load) = (record.monitored.as_ref()?, record.load?);
    if monitored.made_hz < RATE_HELD_IN_SEARCH * load.rate_hz {
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
