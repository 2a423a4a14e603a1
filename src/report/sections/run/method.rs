//! How the figures were made, so that anybody can make them again.

use std::collections::BTreeMap;

use crate::judge::Judgement;
use crate::record::{HostClock, RunRecords, ServerHostFacts};
use crate::report::document::Part;
use crate::report::words::relation;
use crate::units::counted;

pub(super) fn method(run: &RunRecords, judgement: &Judgement) -> Vec<Part> {
    let facts = &run.run;
    let machine = &facts.machine;
    let mut statements = vec![
        format!(
            "{} A block is one fresh process of every approach, in random order, against one fresh \
             IOC",
            blocks(run)
        ),
        "interval: order statistics around the median that cover it with at least 90 %; \
         differences are taken within blocks"
            .to_owned(),
        "connect is the time from the start of create to the end of connect".to_owned(),
        "monitors: every update that the server's own database counts is expected; CPU is that \
         of the process and its descendants, client and server apart"
            .to_owned(),
        format!(
            "machine: {} of {}, {}, kernel {}, {:.1} GB of memory",
            counted(machine.cores, "core"),
            machine.model,
            machine.system,
            machine.kernel,
            machine.memory_bytes as f64 / 1e9
        ),
        format!("IOC, libca and epics-ca: EPICS Base {}, {}", facts.base, facts.compiler),
        format!("started {} with `epics-gauge {}`", facts.started_utc, facts.arguments.join(" ")),
    ];
    statements.extend(facts.server_host.as_ref().map(|host| server_host(host, run)));
    let revision = facts.revision.as_ref();
    statements.extend(revision.map(|revision| format!("commit measured: {revision}")));
    statements.extend(limits(judgement));
    statements.extend(versions(run));
    statements.extend(server_versions(run));
    vec![Part::Heading(2, "method".to_owned()), Part::List(statements)]
}

/// The host of the servers, and how far its clock went from that of the clients' host.
fn server_host(host: &ServerHostFacts, run: &RunRecords) -> String {
    let clock = |clock: &HostClock| {
        let [offset, bound] = [clock.offset_ns as f64, clock.bound_ns as f64].map(|ns| ns / 1e6);
        format!("{offset:+.3} ms ± {bound:.3} ms")
    };
    let after = run.end.as_ref().and_then(|end| end.server_clock.as_ref());
    let clocks = match (host.is_on_this_machine, after) {
        (true, _) => "the clocks are those of this machine".to_owned(),
        (false, None) => format!("its clock before the run {}", clock(&host.clock)),
        (false, Some(after)) => {
            format!("its clock before the run {}, after it {}", clock(&host.clock), clock(after))
        }
    };
    let cores = counted(host.cores, "core");
    format!(
        "servers: host `{}` ({}), {}, {cores}; TCP between them: round trip {:.3} ms, {:.0} MB/s; \
         {clocks}",
        host.name,
        host.host_name,
        host.address,
        host.network.round_trip_ns as f64 / 1e6,
        host.network.bytes_per_s / 1e6
    )
}

/// What sharing a machine does to figures.
const ON_ONE_MACHINE: &str = "Server and client share one machine and its loopback: no packets \
     are lost on a network, and the two compete for its cores. What needs CPU on both sides looks \
     worse than on two machines, what waits for the network looks better.";

/// The same where each has a network stack of its own.
const IN_TWO_NAMESPACES: &str = "Server and client have network stacks of their own, but share \
     the cores of one machine: what needs CPU on both sides looks worse than on two machines, and \
     what waits for the network looks better.";

/// What makes figures of this harness better or worse than they are elsewhere.
const BIASES: [&str; 6] = [
    "Searches go by UDP to one address, not by broadcast to many IOCs: \
     each is answered, unless a socket's buffer overflows.",
    "One round trip takes two wake-ups of the scheduler, some 0.1 ms on a virtual machine: figures \
     of one PV at a time are mostly that.",
    "Python libraries carry builds of libca of their own and differ in more than their language; \
     their versions are listed.",
    "Between create and connect a worker handles a message: in Python that can take 3 ms of connect.",
    "pyca and psp can ask for a value with its time stamp only, 8 bytes more for each.",
    "The floor is this project's own. That it does no more than it must can be read in its source, \
     that it does no less is checked by the same values as everybody's.",
];

pub(super) fn bias(run: &RunRecords) -> [Part; 2] {
    let of_machine = match &run.run.server_host {
        None => Some(ON_ONE_MACHINE),
        Some(host) if host.is_on_this_machine => Some(IN_TWO_NAMESPACES),
        Some(_) => None,
    };
    let biases = of_machine.iter().chain(&BIASES).map(|bias| (*bias).to_owned()).collect();
    [Part::Heading(2, "known bias".to_owned()), Part::List(biases)]
}

/// The limits of which there is a verdict.
fn limits(judgement: &Judgement) -> Vec<String> {
    let mut statements: Vec<String> = Vec::new();
    for verdict in &judgement.verdicts {
        let statement = format!(
            "limit of {}{}: {} ({})",
            verdict.metric,
            relation(verdict),
            verdict.unit.amount(verdict.limit),
            verdict.derivation
        );
        if !statements.contains(&statement) {
            statements.push(statement);
        }
    }
    statements
}

fn blocks(run: &RunRecords) -> String {
    let noun = if run.run.blocks == 1 { "block" } else { "blocks" };
    format!(
        "Up to {} {noun} of each configuration in random order, seed {}.",
        run.run.blocks, run.run.seed
    )
}

fn server_versions(run: &RunRecords) -> Vec<String> {
    let mut versions = BTreeMap::new();
    for record in run.records.iter().filter(|record| !record.server_versions.is_empty()) {
        versions.entry(&record.server).or_insert(&record.server_versions);
    }
    versions
        .into_iter()
        .map(|(server, versions)| format!("{server}: {}", listed(versions)))
        .collect()
}

fn listed(versions: &BTreeMap<String, String>) -> String {
    let each: Vec<String> =
        versions.iter().map(|(name, version)| format!("{name} {version}")).collect();
    each.join(", ")
}

fn versions(run: &RunRecords) -> Vec<String> {
    let mut statements = Vec::new();
    for facts in &run.run.approaches {
        let records = || run.records.iter().filter(|record| record.approach == facts.name);
        let Some(record) = records().find(|record| !record.versions.is_empty()) else { continue };
        statements.push(format!("{}: {}", facts.name, listed(&record.versions)));
        for warning in &record.warnings {
            statements.push(format!("{}: {warning}", facts.name));
        }
    }
    statements
}
