//! Connecting the same PVs by both lookups.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::figures::interval;
use crate::lookup::Lookup;
use crate::metric::Timed;
use crate::record::{Failure, FailureKind, Record, RunRecords, Scenario};
use crate::stats::Interval;
use crate::worker_protocol::Mode;

/// The same PVs of one server, connected at once by both lookups.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Lookups {
    /// The server.
    pub server: String,
    /// How many PVs.
    pub pvs: usize,
    /// One row per approach, in the order of the catalogue.
    pub rows: Vec<LookupRow>,
}

/// What connecting cost one approach.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct LookupRow {
    /// The approach.
    pub approach: String,
    /// Seconds per PV by UDP; none when no worker came to its end.
    pub udp_s: Option<Interval>,
    /// The same by name server.
    pub name_server_s: Option<Interval>,
    /// How many times as much it is by name server as by UDP, within blocks.
    pub ratio: Option<Interval>,
    /// Whether it is known to find no PVs by name server.
    pub is_unable: bool,
}

/// A figure by block.
type ByBlock = BTreeMap<usize, f64>;

/// Where both lookups were measured, by server and count of PVs.
pub(super) fn lookups(run: &RunRecords) -> Vec<Lookups> {
    let mut places: BTreeMap<(&str, usize), Vec<&Record>> = BTreeMap::new();
    for record in run.records.iter().filter(|record| is_bulk(record)) {
        places.entry((&record.server, record.pvs)).or_default().push(record);
    }
    places.retain(|_, records| {
        Lookup::ALL.iter().all(|lookup| records.iter().any(|one| one.lookup == *lookup))
    });
    let of_place = |((server, pvs), records): ((&str, usize), Vec<&Record>)| {
        let approaches = run.run.approaches.iter().map(|facts| facts.name.as_str());
        let rows = approaches.filter_map(|approach| row(&records, approach)).collect();
        Lookups { server: server.to_owned(), pvs, rows }
    };
    places.into_iter().map(of_place).collect()
}

fn is_bulk(record: &Record) -> bool {
    (record.scenario, record.mode) == (Scenario::Connect, Mode::Bulk)
}

/// None for an approach that was not measured there.
fn row(records: &[&Record], approach: &str) -> Option<LookupRow> {
    let own: Vec<&Record> =
        records.iter().filter(|record| record.approach == approach).copied().collect();
    if own.is_empty() {
        return None;
    }
    let [udp, name_server] = Lookup::ALL.map(|lookup| by(&own, lookup));
    let ratios = name_server.iter().filter_map(|(block, cost)| Some(cost / udp.get(block)?));
    let is_unable = |failure: &Failure| failure.kind == FailureKind::Unable;
    Some(LookupRow {
        approach: approach.to_owned(),
        ratio: interval(ratios),
        udp_s: interval(udp.values().copied()),
        name_server_s: interval(name_server.values().copied()),
        is_unable: own.iter().any(|record| record.failure.as_ref().is_some_and(is_unable)),
    })
}

/// Seconds per PV of the workers that came to their end.
fn by(records: &[&Record], lookup: Lookup) -> ByBlock {
    records
        .iter()
        .filter(|record| record.lookup == lookup && record.failure.is_none())
        .filter_map(|record| Some((record.block, Timed::CONNECT_BULK.of(record)?)))
        .collect()
}

/// Leaves out what is by name server where the same is by UDP, which is the headline.
/// `key` says what is the same, and by which lookup it is.
pub(super) fn headline<T, K: PartialEq>(all: &mut Vec<T>, key: impl Fn(&T) -> (K, Lookup)) {
    let usual: Vec<K> =
        all.iter().map(&key).filter(|(_, lookup)| lookup.is_usual()).map(|(key, _)| key).collect();
    all.retain(|one| {
        let (key, lookup) = key(one);
        lookup.is_usual() || !usual.contains(&key)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Sample;
    use crate::worker_protocol::Stage;

    fn connected(lookup: Lookup, block: usize, ms: u64) -> Record {
        let sample = Sample {
            stage: Stage::Connect,
            mode: Mode::Bulk,
            pvs: 10,
            start_ns: 0,
            end_ns: ms * 1_000_000,
            cpu_ns: 0,
            each_ns: Vec::new(),
            witnessed: None,
            default_get: None,
        };
        let approach = "mine".to_owned();
        Record { lookup, block, approach, samples: vec![sample], ..Record::default() }
    }

    #[test]
    fn lookups_are_compared_within_blocks_that_have_both() {
        let of = |block, udp, name_server| {
            let by = |lookup, ms| connected(lookup, block, ms);
            [by(Lookup::Udp, udp), by(Lookup::NameServer, name_server)]
        };
        let mut all = [of(0, 20, 10), of(1, 40, 20), of(2, 80, 40)].concat();
        // Its other half failed.
        all.push(connected(Lookup::NameServer, 3, 900));
        let found = row(&all.iter().collect::<Vec<_>>(), "mine").unwrap();
        let ratio = found.ratio.unwrap();
        assert_eq!((ratio.low, ratio.high, ratio.samples), (0.5, 0.5, 3));
        assert_eq!((found.udp_s.unwrap().samples, found.name_server_s.unwrap().samples), (3, 4));
        assert!((found.udp_s.unwrap().median - 0.004).abs() < 1e-9);
    }

    #[test]
    fn what_is_by_name_server_is_the_headline_only_where_nothing_is_by_udp() {
        let mut all = vec![(1, Lookup::Udp), (1, Lookup::NameServer), (2, Lookup::NameServer)];
        headline(&mut all, |one| *one);
        assert_eq!(all, [(1, Lookup::Udp), (2, Lookup::NameServer)]);
    }

    #[test]
    fn only_connecting_all_pvs_at_once_is_compared_by_lookup() {
        let record = |scenario, mode| Record { scenario, mode, ..Record::default() };
        assert!(is_bulk(&record(Scenario::Connect, Mode::Bulk)));
        assert!(!is_bulk(&record(Scenario::Connect, Mode::Serial)));
        assert!(!is_bulk(&record(Scenario::ManyIocs, Mode::Bulk)));
    }
}
