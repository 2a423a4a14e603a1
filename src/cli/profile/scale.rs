//! The configurations of the scale scenario: published rows by name, a spread of them, or
//! any grid.

use epics_gauge::measure::PlannedConfiguration;
use epics_gauge::record::{Load, Scenario};
use epics_gauge::scenario::published::{PublishedRow, PublishedTable, TABLES, table};
use epics_gauge::scenario::{Sizes, definition};
use epics_gauge::worker_protocol::Mode;

use super::super::Failure;
use super::super::arguments::{Profile, RunArguments};
use super::{LoadOf, pvs, rates};

/// Rows of published tables, by name and load (PVs, Hz, monitors): few and many
/// PVs, slow and fast, easy and far too much, for every server and client.
const SPREAD: [(&str, (usize, u32, usize)); 9] = [
    ("python-softioc-aioca", (100, 100, 10)),
    ("python-softioc-aioca", (500, 10, 1)),
    ("python-softioc-p4p", (1, 10, 1000)),
    ("python-softioc-p4p", (1000, 10, 1)),
    ("calc-aioca", (100, 10, 10)),
    ("calc-aioca", (1000, 10, 10)),
    ("calc-p4p", (1000, 10, 1)),
    ("p4p-server-p4p", (10, 10, 10)),
    ("p4p-server-p4p", (100, 10, 100)),
];

/// The grid of a server that nobody has published a table of, beside the usual sizes.
const USUAL_MONITORS: [usize; 3] = [1, 10, 100];

/// Rates and the most PVs of the searches for where a server and a client break.
const SEARCH_RATES_HZ: [f64; 2] = [10.0, 100.0];
const SEARCH_PVS: usize = 10_000;

/// All configurations that were asked for.
///
/// # Errors
/// When a table is not known.
pub(super) fn configurations(
    arguments: &RunArguments,
    load: LoadOf<'_>,
    sizes: Sizes,
) -> Result<Vec<PlannedConfiguration>, Failure> {
    let tables = tables(arguments)?;
    let is_grid =
        !arguments.pvs.is_empty() || !arguments.rates.is_empty() || !arguments.monitors.is_empty();
    if is_grid || tables.is_empty() {
        return Ok(grid(arguments, &tables, load, sizes));
    }
    let is_whole = arguments.profile == Profile::Full || !arguments.tables.is_empty();
    let mut configurations = Vec::new();
    for table in &tables {
        let rows = table.rows.iter().filter(|row| is_whole || is_in_spread(table, row));
        configurations
            .extend(rows.map(|row| planned_of_row(arguments, table, row, load, sizes.blocks)));
        if arguments.profile == Profile::Full {
            configurations.extend(searches(arguments, table, load));
        }
    }
    Ok(configurations)
}

/// The tables that were named, or else all; of them those with a server and an
/// approach that are wanted.
fn tables(arguments: &RunArguments) -> Result<Vec<PublishedTable>, Failure> {
    let named = match arguments.tables.is_empty() {
        true => TABLES.to_vec(),
        false => arguments.tables.iter().map(|name| known(name)).collect::<Result<_, _>>()?,
    };
    let is_wanted = |table: &PublishedTable| {
        let is_said =
            |given: &[String], name: &str| given.is_empty() || given.iter().any(|s| s == name);
        let has_approach =
            !arguments.tables.is_empty() || is_said(&arguments.approaches, table.approach);
        is_said(&arguments.servers, table.server) && has_approach
    };
    Ok(named.into_iter().filter(is_wanted).collect())
}

fn known(name: &str) -> Result<PublishedTable, Failure> {
    table(name).copied().ok_or_else(|| {
        let names: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        Failure::usage(format!("unknown table `{name}`; there are: {}", names.join(", ")))
    })
}

fn is_in_spread(table: &PublishedTable, row: &PublishedRow) -> bool {
    SPREAD.contains(&(table.name, (row.pvs, row.rate_hz, row.monitors)))
}

fn planned_of_row(
    arguments: &RunArguments,
    table: &PublishedTable,
    row: &PublishedRow,
    load: LoadOf<'_>,
    blocks: usize,
) -> PlannedConfiguration {
    let load = Load {
        rate_hz: f64::from(row.rate_hz),
        monitors: row.monitors,
        idle_pvs: row.served_pvs - row.pvs,
        ..load(definition(Scenario::Scale).seconds)
    };
    PlannedConfiguration::new(Scenario::Scale, row.pvs, Mode::Bulk, Some(load), blocks)
        .on(table.server)
        .only(approaches(arguments, table))
}

/// Where the pair of a table breaks.
fn searches(
    arguments: &RunArguments,
    table: &PublishedTable,
    load: LoadOf<'_>,
) -> Vec<PlannedConfiguration> {
    let rates = rates(arguments, &SEARCH_RATES_HZ).into_iter();
    rates
        .map(|rate_hz| {
            let load = Load { rate_hz, ..load(definition(Scenario::Capacity).seconds) };
            PlannedConfiguration::new(Scenario::Capacity, SEARCH_PVS, Mode::Bulk, Some(load), 1)
                .on(table.server)
                .only(approaches(arguments, table))
        })
        .collect()
}

/// Those that were named, or else the published one.
fn approaches(arguments: &RunArguments, table: &PublishedTable) -> Vec<String> {
    match arguments.approaches.is_empty() {
        true => vec![table.approach.to_owned()],
        false => arguments.approaches.clone(),
    }
}

/// Every count of PVs at every rate with every count of monitors, on the servers
/// that were named, or else on those of the tables.
fn grid(
    arguments: &RunArguments,
    tables: &[PublishedTable],
    load: LoadOf<'_>,
    sizes: Sizes,
) -> Vec<PlannedConfiguration> {
    let mut servers = arguments.servers.clone();
    if servers.is_empty() {
        servers = tables.iter().map(|table| table.server.to_owned()).collect();
        servers.dedup();
    }
    let monitors = match arguments.monitors.is_empty() {
        true => USUAL_MONITORS.to_vec(),
        false => arguments.monitors.clone(),
    };
    let mut configurations = Vec::new();
    for server in &servers {
        for rate_hz in rates(arguments, sizes.rates_hz) {
            for pvs in pvs(arguments, sizes.pvs) {
                for monitors in &monitors {
                    let load = Load {
                        rate_hz,
                        monitors: *monitors,
                        ..load(definition(Scenario::Scale).seconds)
                    };
                    let planned = PlannedConfiguration::new(
                        Scenario::Scale,
                        pvs,
                        Mode::Bulk,
                        Some(load),
                        sizes.blocks,
                    );
                    configurations.push(planned.on(server).only(arguments.approaches.clone()));
                }
            }
        }
    }
    configurations
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::arguments::Arguments;
    use super::*;

    fn planned(words: &str) -> Result<Vec<PlannedConfiguration>, Failure> {
        let arguments = Arguments::try_parse_from(words.split_whitespace()).unwrap().run;
        let load = |seconds| Load::of_scalars(0.0, seconds);
        configurations(&arguments, &load, definition(Scenario::Scale).quick)
    }

    fn shape(planned: &PlannedConfiguration) -> (usize, f64, usize, usize) {
        let load = planned.load.unwrap();
        (planned.pvs, load.rate_hz, load.monitors, load.idle_pvs)
    }

    #[test]
    fn the_quick_spread_is_nine_published_rows_of_all_five_tables() {
        let configurations = planned("epics-gauge scale").unwrap();
        assert_eq!(configurations.len(), SPREAD.len());
        for table in TABLES {
            let is_own = |planned: &&PlannedConfiguration| {
                planned.server == table.server && planned.approaches == [table.approach]
            };
            assert!(configurations.iter().any(|planned| is_own(&planned)), "{}", table.name);
        }
    }

    #[test]
    fn a_named_table_is_measured_row_by_row_with_its_idle_pvs() {
        let configurations = planned("epics-gauge scale --table python-softioc-p4p").unwrap();
        assert_eq!(configurations.len(), 10);
        assert!(configurations.iter().any(|planned| shape(planned) == (1, 100.0, 100, 99)));
        assert!(configurations.iter().any(|planned| shape(planned) == (100, 100.0, 1000, 0)));
        let named = planned("epics-gauge scale --table calc-p4p --approach pvxs").unwrap();
        assert!(named.iter().all(|planned| planned.approaches == ["pvxs"]));
        assert!(planned("epics-gauge scale --table nope").is_err());
    }

    #[test]
    fn everything_is_all_rows_and_a_search_for_each_pair_at_two_rates() {
        let configurations = planned("epics-gauge scale --profile full").unwrap();
        let rows: usize = TABLES.iter().map(|table| table.rows.len()).sum();
        let searches = configurations.iter().filter(|planned| planned.is_probe()).count();
        assert_eq!((configurations.len() - searches, searches), (rows, 10));
    }

    #[test]
    fn a_grid_and_a_server_without_a_table_have_every_combination() {
        let grid = planned("epics-gauge scale --server softioc --pvs 1,5 --monitors 2").unwrap();
        let shapes: Vec<_> = grid.iter().map(shape).collect();
        assert_eq!(shapes, [(1, 10.0, 2, 0), (5, 10.0, 2, 0)]);
        let usual = planned("epics-gauge scale --server caproto-ioc --approach caproto").unwrap();
        assert_eq!(usual.len(), 9);
        assert!(usual.iter().all(|planned| planned.server == "caproto-ioc"));
    }
}
