//! What connecting to many IOCs cost, and how that grows.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::figures::{difference, interval};
use crate::lookup::Lookup;
use crate::metric::Timed;
use crate::record::{
    ApproachFacts, Failure, ManyIocsShape, ManyIocsUse, Record, RunRecords, Scenario,
    SearchesCounted,
};
use crate::stats::{Interval, median};
use crate::worker_protocol::{Mode, Stage};

/// One approach that connected all PVs of IOCs of one shape, or failed to.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ManyIocsRow {
    /// How PVs are found.
    pub lookup: Lookup,
    /// Of which server the IOCs are.
    pub server: String,
    /// How many IOCs there are.
    pub many_iocs: ManyIocsShape,
    /// How many PVs all IOCs have together.
    pub pvs: usize,
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// Whether create and connect are one call of its API.
    pub joint: bool,
    /// Seconds per PV, from the start of create to the end of connect; none when no
    /// worker came to its end.
    pub cost_s: Option<Interval>,
    /// The cost over the floor's, within blocks.
    pub over_floor_s: Option<Interval>,
    /// Memory that the client took per PV, median.
    pub client_bytes_per_pv: Option<f64>,
    /// Memory that the IOCs took per connected PV, median; known of clients that
    /// were the first of their IOCs only.
    pub servers_bytes_per_pv: Option<f64>,
    /// Memory of all IOCs per PV before any client came, median; like the above.
    pub loaded_bytes_per_pv: Option<f64>,
    /// Search messages per PV, to all IOCs together, median.
    pub searches_per_pv: Option<f64>,
    /// How those were counted.
    pub searches_counted: Option<SearchesCounted>,
    /// Whether there were more searches than could be counted.
    pub searches_are_more: bool,
    /// The first failure.
    pub failure: Option<Failure>,
}

/// How the cost per PV of one approach grows with the count of IOCs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ManyIocsGrowth {
    /// How PVs are found in both.
    pub lookup: Lookup,
    /// Of which server the IOCs of both are.
    pub server: String,
    /// The larger size.
    pub many_iocs: ManyIocsShape,
    /// Its PVs.
    pub pvs: usize,
    /// The fewest IOCs of the run by this lookup.
    pub smallest: ManyIocsShape,
    /// Its PVs.
    pub smallest_pvs: usize,
    /// The approach.
    pub approach: String,
    /// Cost per PV of the larger over that of the smallest, within blocks.
    pub ratio: Interval,
}

const CONNECT: Timed = Timed { stage: Stage::Connect, mode: Mode::Bulk };

/// How a count of PVs on IOCs of a server and a shape is found; in the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Size<'a> {
    lookup: Lookup,
    server: &'a str,
    pvs: usize,
    many_iocs: ManyIocsShape,
}

/// A figure by block.
type ByBlock = BTreeMap<usize, f64>;

/// All rows, by lookup, IOCs and PVs, then in the order of the catalogue.
pub fn many_iocs_rows(run: &RunRecords) -> Vec<ManyIocsRow> {
    let mut rows = Vec::new();
    for size in sizes(run) {
        let floors = run.run.approaches.iter().filter(|facts| facts.floor);
        let mut floors = floors.map(|facts| costs(&records(run, size, &facts.name)));
        let floor = floors.find(|costs| !costs.is_empty());
        for facts in &run.run.approaches {
            let own = records(run, size, &facts.name);
            if !own.is_empty() {
                rows.push(row(size, facts, &own, floor.as_ref()));
            }
        }
    }
    rows
}

/// The growth of each approach from the smallest size of each lookup and server to every
/// larger one.
pub fn many_iocs_growth(run: &RunRecords) -> Vec<ManyIocsGrowth> {
    let sizes = sizes(run);
    let smallest = |of: &Size<'_>| {
        let is_same = |size: &&Size<'_>| (size.lookup, size.server) == (of.lookup, of.server);
        sizes.iter().find(is_same).copied()
    };
    let mut growths = Vec::new();
    for size in &sizes {
        let Some(from) = smallest(size).filter(|from| from != size) else { continue };
        for facts in &run.run.approaches {
            let large = costs(&records(run, *size, &facts.name));
            let small = costs(&records(run, from, &facts.name));
            let ratios = large.iter().filter_map(|(block, cost)| Some(cost / small.get(block)?));
            growths.extend(interval(ratios).map(|ratio| ManyIocsGrowth {
                lookup: size.lookup,
                server: size.server.to_owned(),
                many_iocs: size.many_iocs,
                pvs: size.pvs,
                smallest: from.many_iocs,
                smallest_pvs: from.pvs,
                approach: facts.name.clone(),
                ratio,
            }));
        }
    }
    growths
}

fn sizes(run: &RunRecords) -> Vec<Size<'_>> {
    let own = run.records.iter().filter(|record| record.scenario == Scenario::ManyIocs);
    let sizes: BTreeSet<Size<'_>> = own.filter_map(size_of).collect();
    sizes.into_iter().collect()
}

fn size_of(record: &Record) -> Option<Size<'_>> {
    let (lookup, server, pvs) = (record.lookup, record.server.as_str(), record.pvs);
    Some(Size { lookup, server, pvs, many_iocs: record.many_iocs? })
}

fn records<'a>(run: &'a RunRecords, size: Size<'_>, approach: &str) -> Vec<&'a Record> {
    let is_own = |record: &&Record| {
        record.scenario == Scenario::ManyIocs
            && size_of(record) == Some(size)
            && record.approach == approach
    };
    run.records.iter().filter(is_own).collect()
}

/// Seconds per PV of the workers that came to their end.
fn costs(records: &[&Record]) -> ByBlock {
    records
        .iter()
        .filter(|record| record.failure.is_none())
        .filter_map(|record| Some((record.block, CONNECT.of(record)?)))
        .collect()
}

fn row(
    size: Size<'_>,
    facts: &ApproachFacts,
    own: &[&Record],
    floor: Option<&ByBlock>,
) -> ManyIocsRow {
    let Size { lookup, server, pvs, many_iocs } = size;
    let per_pv =
        |figures: Vec<f64>| (!figures.is_empty()).then(|| median(&figures) / pvs.max(1) as f64);
    let costs = costs(own);
    let used: Vec<&ManyIocsUse> =
        own.iter().filter_map(|record| record.many_iocs_use.as_deref()).collect();
    let first = || used.iter().filter(|used| used.is_first_client);
    let growth = |(before, after): (u64, u64)| after as f64 - before as f64;
    let searches: Vec<_> = used.iter().filter_map(|used| used.searches).collect();
    ManyIocsRow {
        lookup,
        server: server.to_owned(),
        many_iocs,
        pvs,
        approach: facts.name.clone(),
        floor: facts.floor,
        joint: own.iter().any(|record| record.create_is_joint),
        cost_s: interval(costs.values().copied()),
        over_floor_s: floor.and_then(|floor| difference(&costs, floor)),
        client_bytes_per_pv: per_pv(
            used.iter().filter_map(|used| used.client_bytes.map(growth)).collect(),
        ),
        servers_bytes_per_pv: per_pv(
            first().filter_map(|used| used.servers_bytes.map(growth)).collect(),
        ),
        loaded_bytes_per_pv: per_pv(
            first()
                .filter_map(|used| used.servers_bytes.map(|(before, _)| before as f64))
                .collect(),
        ),
        searches_per_pv: per_pv(searches.iter().map(|searches| searches.sent).collect()),
        searches_counted: searches.first().map(|searches| searches.counted),
        searches_are_more: searches.iter().any(|searches| searches.dropped_datagrams > 0),
        failure: own.iter().find_map(|record| record.failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{FailureKind, Machine, Run, Sample, Searches};

    fn record(approach: &str, block: usize, pvs: usize, seconds_per_pv: f64) -> Record {
        let end_ns = (seconds_per_pv * pvs as f64 * 1e9) as u64;
        let (stage, mode) = (Stage::Connect, Mode::Bulk);
        Record {
            scenario: Scenario::ManyIocs,
            pvs,
            block,
            approach: approach.to_owned(),
            many_iocs: Some(ManyIocsShape { iocs: pvs / 10_000, in_order: false }),
            samples: vec![Sample {
                stage,
                mode,
                pvs,
                start_ns: 0,
                end_ns,
                cpu_ns: 0,
                each_ns: Vec::new(),
                witnessed: None,
                default_get: None,
            }],
            ..Record::default()
        }
    }

    fn using(record: Record, is_first_client: bool, servers_bytes: (u64, u64)) -> Record {
        let many_iocs_use = ManyIocsUse {
            client_bytes: Some((1_000_000, 3_000_000)),
            servers_bytes: Some(servers_bytes),
            is_first_client,
            searches: Some(Searches {
                sent: 12_000.0,
                counted: SearchesCounted::AtAddress,
                dropped_datagrams: u64::from(is_first_client),
            }),
        };
        Record { many_iocs_use: Some(Box::new(many_iocs_use)), ..record }
    }

    fn run(records: Vec<Record>) -> RunRecords {
        let facts = |name: &str| ApproachFacts {
            name: name.to_owned(),
            protocol: Default::default(),
            floor: name == "wire",
            simplicity: None,
            simplicity_reason: String::new(),
            default_get: None,
        };
        let text = "";
        let run = Run {
            format: 0,
            version: text.to_owned(),
            base: text.to_owned(),
            compiler: text.to_owned(),
            started_utc: text.to_owned(),
            arguments: Vec::new(),
            seed: 0,
            blocks: 1,
            machine: Machine {
                cores: 1,
                model: text.to_owned(),
                system: text.to_owned(),
                kernel: text.to_owned(),
                memory_bytes: 0,
            },
            approaches: vec![facts("wire"), facts("libca")],
            environments: Vec::new(),
            revision: None,
            server_host: None,
            comparison: None,
        };
        RunRecords { run, records, end: None }
    }

    #[test]
    fn growth_is_the_ratio_to_the_smallest_size_within_blocks() {
        let mut records = Vec::new();
        for block in 0..5 {
            // The machine gets slower from block to block, for both sizes.
            let slower = 1.0 + block as f64;
            records.push(record("libca", block, 10_000, 2e-6 * slower));
            records.push(record("libca", block, 100_000, 5e-6 * slower));
        }
        records.push(record("libca", 5, 100_000, 1.0));
        let growth = many_iocs_growth(&run(records));
        assert_eq!(growth.len(), 1);
        assert_eq!((growth[0].smallest_pvs, growth[0].pvs), (10_000, 100_000));
        assert_eq!(growth[0].ratio.samples, 5, "a block without the smallest has no ratio");
        for ratio in [growth[0].ratio.low, growth[0].ratio.high] {
            assert!((ratio - 2.5).abs() < 1e-6, "{ratio}");
        }
    }

    #[test]
    fn sizes_and_lookups_stand_apart() {
        let mut other = record("libca", 0, 10_000, 1e-6);
        (other.lookup, other.many_iocs) =
            (Lookup::NameServer, Some(ManyIocsShape { iocs: 1, in_order: false }));
        let mut spread = record("libca", 0, 10_000, 1e-6);
        spread.many_iocs = Some(ManyIocsShape { iocs: 10, in_order: false });
        let run = run(vec![record("libca", 0, 10_000, 1e-6), other, spread]);
        assert_eq!(many_iocs_rows(&run).len(), 3);
        let growth = many_iocs_growth(&run);
        assert_eq!(growth.len(), 1, "of the same PVs over ten IOCs, by the same lookup");
        assert_eq!((growth[0].smallest.iocs, growth[0].many_iocs.iocs), (1, 10));
    }

    #[test]
    fn memory_of_the_servers_is_that_of_first_clients() {
        let first = using(record("libca", 0, 10_000, 1e-5), true, (50_000_000, 53_000_000));
        let later = using(record("libca", 1, 10_000, 1e-5), false, (53_000_000, 53_000_000));
        let rows = many_iocs_rows(&run(vec![record("wire", 0, 10_000, 2e-6), first, later]));
        let [wire, libca] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((wire.client_bytes_per_pv, wire.searches_per_pv), (None, None));
        assert_eq!(libca.client_bytes_per_pv, Some(200.0));
        assert_eq!(libca.servers_bytes_per_pv, Some(300.0));
        assert_eq!(libca.loaded_bytes_per_pv, Some(5_000.0));
        assert_eq!((libca.searches_per_pv, libca.searches_are_more), (Some(1.2), true));
        assert!((libca.over_floor_s.unwrap().median - 8e-6).abs() < 1e-12);
    }

    #[test]
    fn searches_are_all_that_were_counted_unless_the_counter_lost_some() {
        let kept = using(record("libca", 0, 10_000, 1e-5), false, (1, 2));
        let rows = many_iocs_rows(&run(vec![kept]));
        assert_eq!((rows[0].searches_per_pv, rows[0].searches_are_more), (Some(1.2), false));
    }

    #[test]
    fn a_worker_that_failed_has_no_cost() {
        let failure = Failure {
            kind: FailureKind::TimedOut,
            stage: Some(Stage::Get),
            message: "late".to_owned(),
        };
        let failed = Record { failure: Some(failure), ..record("libca", 0, 10_000, 1e-6) };
        let rows = many_iocs_rows(&run(vec![failed]));
        assert!(rows[0].cost_s.is_none());
        assert_eq!(rows[0].failure.as_ref().unwrap().message, "late");
    }
}
