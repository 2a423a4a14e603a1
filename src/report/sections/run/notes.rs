//! What a reader must know before any figure.

use crate::judge::is_contended;
use crate::record::RunRecords;
use crate::report::document::Part;
use crate::stats::median;
use crate::units::counted;

/// What was measured, where and when.
pub(super) fn lead(run: &RunRecords) -> String {
    let machine = &run.run.machine;
    // Where it was fetched from, and its hash, are of the method.
    let base = run.run.base.split(' ').next().unwrap_or_default();
    let between = match &run.run.server_host {
        None => String::new(),
        Some(host) => format!(
            " Clients at {} here, servers at {} on the host `{}`{}.",
            host.clients_address,
            host.address,
            host.name,
            if host.is_on_this_machine { ", a network namespace of this machine" } else { "" }
        ),
    };
    format!(
        "Measured {} on {} of {}, {}, by epics-gauge {} with EPICS Base {base}.{between}",
        run.run.started_utc,
        counted(machine.cores, "core"),
        machine.model,
        machine.system,
        run.run.version
    )
}

pub(super) fn notes(run: &RunRecords) -> Vec<Part> {
    let notes = interruption(run).map(str::to_owned).into_iter().chain(other_programs(run));
    notes.map(Part::Text).collect()
}

fn interruption(run: &RunRecords) -> Option<&'static str> {
    match &run.end {
        None => Some("This run was cut off; the report holds what was measured until then."),
        Some(end) if end.interrupted => {
            Some("This run was interrupted; the report holds what was measured until then.")
        }
        Some(_) => None,
    }
}

/// That others kept the machine busy during monitor runs.
fn other_programs(run: &RunRecords) -> Option<String> {
    let machines = || run.records.iter().filter_map(|one| one.monitored.as_ref()?.machine.as_ref());
    let contended: Vec<f64> =
        machines().filter(|one| is_contended(one)).map(|one| one.others_percent).collect();
    (!contended.is_empty()).then(|| {
        format!(
            "Other programs kept this machine busy: in {} of {} monitor runs they used {:.0} % of \
             all cores (median). That affects losses and latencies.",
            contended.len(),
            machines().count(),
            median(&contended)
        )
    })
}
