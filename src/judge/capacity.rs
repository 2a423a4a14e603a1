//! The most updates that an approach takes without loss, from the probes of a
//! search.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::bottleneck::{Bottleneck, bottleneck};
use crate::lookup::Lookup;
use crate::record::{ApproachFacts, Record, RunRecords, Scenario};
use crate::scenario::is_answer;

/// One approach on one server at one rate.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Capacity {
    /// The server.
    pub server: String,
    /// How PVs were found.
    pub lookup: Lookup,
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
    /// What limited it there.
    pub bottleneck: Option<Bottleneck>,
    /// Updates per second at the most PVs without loss.
    pub lossless_updates_hz: f64,
}

/// What was searched, in the order of reports.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Search<'a> {
    rate_hz: f64,
    server: &'a str,
    lookup: Lookup,
}

impl Search<'_> {
    fn of(record: &Record) -> Option<Search<'_>> {
        let rate_hz = record.load?.rate_hz;
        Some(Search { rate_hz, server: &record.server, lookup: record.lookup })
    }
}

/// All capacities, by rate, by server, by lookup, and then in the order of the catalogue.
pub fn capacities(run: &RunRecords) -> Vec<Capacity> {
    let probes: Vec<&Record> = run
        .records
        .iter()
        .filter(|record| record.scenario == Scenario::Capacity)
        .filter(|record| record.monitored.is_some() || is_answer(record))
        .collect();
    let mut searches: Vec<Search<'_>> =
        probes.iter().filter_map(|record| Search::of(record)).collect();
    searches.sort_by(|a, b| {
        let by_rate = a.rate_hz.total_cmp(&b.rate_hz);
        by_rate.then((a.server, a.lookup).cmp(&(b.server, b.lookup)))
    });
    searches.dedup();
    let mut capacities = Vec::new();
    for search in searches {
        for facts in &run.run.approaches {
            let of = |record: &Record| Search::of(record) == Some(search);
            let own: Vec<&Record> = probes
                .iter()
                .copied()
                .filter(|record| record.approach == facts.name && of(record))
                .collect();
            if !own.is_empty() {
                capacities.push(capacity(facts, search, &own));
            }
        }
    }
    capacities
}

fn capacity(facts: &ApproachFacts, search: Search<'_>, probes: &[&Record]) -> Capacity {
    let Search { rate_hz, server, lookup } = search;
    let mut counts: BTreeMap<usize, Outcomes> = BTreeMap::new();
    for record in probes {
        let outcomes = counts.entry(record.pvs).or_default();
        match bottleneck(record) {
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
        server: server.to_owned(),
        lookup,
        approach: facts.name.clone(),
        floor: facts.floor,
        rate_hz,
        tried_pvs: counts.keys().copied().max().unwrap_or(0),
        lossless_pvs,
        confirmed: most_lossless.map_or(0, |(_, outcomes)| outcomes.lossless),
        lossy_pvs,
        bottleneck: least_lossy.and_then(|(_, outcomes)| outcomes.lossy.first().copied()),
        lossless_updates_hz: lossless_pvs.unwrap_or(0) as f64 * rate_hz,
    }
}

/// What came of one count of PVs, each time that it was tried.
#[derive(Default)]
struct Outcomes {
    lossless: usize,
    lossy: Vec<Bottleneck>,
}

impl Outcomes {
    /// One loss among successes may be a pause of the machine.
    fn is_lossy(&self) -> bool {
        self.lossy.len() > self.lossless || (self.lossy.len() > 1 && self.lossless < 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_losses_than_successes_are_a_loss() {
        for (lossless, lossy, expected) in [
            (0, 0, false),
            (0, 1, true),
            (1, 1, false),
            (1, 2, true),
            (2, 2, false),
            (2, 3, true),
            (3, 2, false),
        ] {
            let outcomes = Outcomes { lossless, lossy: vec![Bottleneck::Unknown; lossy] };
            assert_eq!(outcomes.is_lossy(), expected, "{lossless} without loss, {lossy} with");
        }
    }
}
