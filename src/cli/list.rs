//! `list`: what this build knows.

use epics_gauge::judge::{Limits, Relative};
use epics_gauge::manifest::Weakness;
use epics_gauge::metric::document;
use epics_gauge::report::hanging;
use epics_gauge::scenario::{self, published::TABLES};
use epics_gauge::units::counted;

use super::arguments::{ListArguments, Listed};
use super::exit::Exit;
use super::limits::limits as limits_of;
use super::stdout::print;
use super::{Failure, catalogue, servers};

pub(super) fn run(arguments: &ListArguments) -> Result<Exit, Failure> {
    let mut lines = String::new();
    match arguments.what {
        Listed::Approaches => {
            for approach in catalogue(arguments.approaches_file.as_deref())?.all() {
                let (protocol, about) = (approach.protocol, &approach.description);
                lines += &hanging(&format!("{:<12} {protocol:<4} ", approach.name), about);
                lines += &weaknesses(&approach.weaknesses, 18);
            }
        }
        Listed::Servers => {
            for server in servers(arguments.servers_file.as_deref())?.all() {
                let protocols: Vec<&str> = server.protocols.iter().map(|one| one.name()).collect();
                let (name, about) = (&server.name, &server.description);
                lines += &hanging(&format!("{name:<20} {:<8} ", protocols.join(", ")), about);
                lines += &weaknesses(&server.weaknesses, 30);
            }
        }
        Listed::Scenarios => {
            for definition in &scenario::DEFINITIONS {
                lines += &hanging(&format!("{:<12} ", definition.scenario), definition.asks);
            }
        }
        Listed::Faults => {
            for fault in &scenario::FAULTS {
                let about = format!("{}; fails when {}", fault.about, fault.fails_when);
                lines += &hanging(&format!("{:<20} ", fault.name), &about);
            }
        }
        Listed::Tables => {
            for table in TABLES {
                let (server, approach) = (table.server, table.approach);
                let rows = table.rows.len();
                let about = format!("{rows} rows: {server} against {approach}");
                lines += &hanging(&format!("{:<22} ", table.name), &about);
            }
        }
        Listed::Limits => {
            let catalogue = catalogue(arguments.approaches_file.as_deref())?;
            let servers = servers(arguments.servers_file.as_deref())?;
            let file = arguments.limits_file.as_deref();
            lines += &limits(&limits_of(file, &catalogue, &servers)?);
        }
        Listed::Figures => lines += &document(),
    }
    print(&lines)?;
    Ok(Exit::Good)
}

/// What is known to be wrong, a line each, under the descriptions.
fn weaknesses(weaknesses: &[Weakness], width: usize) -> String {
    let line = |Weakness { what, source }: &Weakness| {
        hanging(&" ".repeat(width), &format!("known: {what} ({source})"))
    };
    weaknesses.iter().map(line).collect()
}

fn limits(limits: &Limits) -> String {
    let mut lines = String::new();
    for limit in &limits.limits {
        let mut what = limit.measure.name().to_owned();
        if limit.least_pvs > 0 {
            what += &format!(" from {} on", counted(limit.least_pvs, "PV"));
        }
        if let Some(rate_hz) = limit.rate_hz_at_most {
            what += &format!(" up to {rate_hz} Hz");
        }
        let relatives: Vec<&str> = limit
            .relatives
            .iter()
            .filter(|relative| **relative != Relative::Nothing)
            .map(|relative| relative.name())
            .collect();
        let most = limit.measure.unit().amount(limit.most);
        let most = [most, relatives.join(" and ")].join(" ");
        let mut line = format!("{}: {}", most.trim_end(), limit.derivation);
        let scenarios = limit.measure.row().scenarios();
        if scenarios.len() > limit.scenarios.len() && !limit.scenarios.is_empty() {
            let names: Vec<&str> = limit.scenarios.iter().map(|one| one.name()).collect();
            line += &format!(" ({})", names.join(", "));
        }
        lines += &hanging(&format!("{what:<32} "), &line);
        for approach in limit.over.keys() {
            let why = limit.expected_over(approach).unwrap_or_default();
            let known = format!("{approach} is known to be over: {why}");
            lines += &hanging(&" ".repeat(35), &known);
        }
    }
    lines
}
