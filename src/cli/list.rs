//! `list`: what this build knows.

use epics_gauge::judge::{
    BUDGET, LEAK_BYTES_PER_MINUTE, LEAK_DERIVATION, LIMITS, Measure, PVS_LEFT_BEHIND,
};
use epics_gauge::scenario::{self, published::TABLES};
use epics_gauge::units::grouped;

use super::arguments::{ListArguments, Listed};
use super::exit::Exit;
use super::stdout::print;
use super::{Failure, catalogue, servers};

pub(super) fn run(arguments: &ListArguments) -> Result<Exit, Failure> {
    let mut lines = String::new();
    match arguments.what {
        Listed::Approaches => {
            for approach in catalogue(arguments.approaches_file.as_deref())?.all() {
                let (provider, about) = (approach.provider, &approach.description);
                lines += &format!("{:<12} {provider:<4} {about}\n", approach.name);
            }
        }
        Listed::Servers => {
            for server in servers(arguments.servers_file.as_deref())?.all() {
                let providers: Vec<&str> = server.providers.iter().map(|one| one.name()).collect();
                let (name, about) = (&server.name, &server.description);
                lines += &format!("{name:<20} {:<8} {about}\n", providers.join(", "));
            }
        }
        Listed::Scenarios => {
            for (name, description) in scenario::ALL {
                lines += &format!("{name:<12} {description}\n");
            }
        }
        Listed::Tables => {
            for table in TABLES {
                let (server, approach) = (table.server, table.approach);
                let rows = table.rows.len();
                lines += &format!("{:<22} {rows} rows: {server} against {approach}\n", table.name);
            }
        }
        Listed::Limits => lines += &limits(),
    }
    print(&lines)?;
    Ok(Exit::Good)
}

fn limits() -> String {
    let mut lines = String::new();
    for limit in &LIMITS {
        let what = match limit.measure {
            Measure::Figure(metric, 1) => metric.name(),
            Measure::Figure(metric, least) => {
                format!("{} from {} PVs on", metric.name(), grouped(least))
            }
            Measure::ConnectSlope(least) => {
                format!("connect slope, up to {} PVs or more", grouped(least))
            }
        };
        let most = (limit.per_pv)(&BUDGET);
        lines += &format!(
            "{what:<40} {most:e} s per PV over the floor and over the fastest: {}\n",
            limit.derivation
        );
    }
    lines += &format!(
        "{:<40} {} MB per minute: {LEAK_DERIVATION}\n",
        "growth of memory while monitors watch",
        LEAK_BYTES_PER_MINUTE / 1e6
    );
    lines + &format!("{:<40} {PVS_LEFT_BEHIND} PVs\n", "PVs that stay away after a disturbance")
}
