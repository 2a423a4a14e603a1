//! The sizes of the many-iocs scenario.

use epics_gauge::ioc::{ManyIocs, Servers};
use epics_gauge::measure::{Plan, PlannedConfiguration, this_machine};
use epics_gauge::protocol::Protocol;
use epics_gauge::scenario::Sizes;

use super::super::Failure;
use super::super::arguments::RunArguments;

/// The PVs of an IOC, where the count of IOCs is not given.
const PVS_PER_IOC: usize = 10_000;

/// The part of the machine's memory that many IOCs may take: the client needs
/// some, too.
const MOST_OF_MEMORY: f64 = 0.6;

pub(super) fn configurations(
    arguments: &RunArguments,
    servers: &Servers,
    planned: Sizes,
) -> Result<Vec<PlannedConfiguration>, Failure> {
    let is_soft_ioc =
        |name: &String| servers.get(name).is_none_or(|kind| kind.is_usual && kind.has_shell);
    if let Some(other) = arguments.servers.iter().find(|name| !is_soft_ioc(name)) {
        let message = format!(
            "--server {other}: many-iocs is made of the softIocs of this build, softioc and \
             softioc-pva"
        );
        return Err(Failure::usage(message));
    }
    let counts = super::pvs(arguments, planned.pvs);
    let sizes: Result<Vec<_>, Failure> =
        counts.into_iter().map(|pvs| size(pvs, arguments.iocs)).collect();
    Ok(Plan::many_iocs(&sizes?, arguments.in_order, planned.blocks))
}

fn size(pvs: usize, iocs: Option<u32>) -> Result<(usize, usize), Failure> {
    let iocs = iocs.map_or(pvs.div_ceil(PVS_PER_IOC), |iocs| iocs as usize);
    if !pvs.is_multiple_of(iocs) {
        return Err(Failure::usage(format!(
            "{pvs} PVs cannot be spread evenly over {iocs} IOCs; ask for other --pvs or --iocs"
        )));
    }
    ManyIocs::check_size(iocs, pvs / iocs).map_err(|error| Failure::usage(error.to_string()))?;
    Ok((pvs, iocs))
}

/// Whether this machine has the memory for the IOCs of these configurations.
///
/// # Errors
/// When it has not, or leaves too little for a client.
pub(in crate::cli) fn check_memory(
    configurations: &[PlannedConfiguration],
    servers: &Servers,
) -> Result<(), Failure> {
    let memory = this_machine().memory_bytes;
    for (planned, many_iocs) in
        configurations.iter().filter_map(|planned| Some((planned, planned.many_iocs?)))
    {
        let kind = servers.get(&planned.server);
        let estimated = match kind.is_some_and(|kind| kind.protocols.contains(&Protocol::Pva)) {
            true => ManyIocs::estimated_pv_access_bytes,
            false => ManyIocs::estimated_bytes,
        };
        let needed = estimated(many_iocs.iocs, planned.pvs / many_iocs.iocs);
        if needed as f64 > memory as f64 * MOST_OF_MEMORY {
            return Err(Failure::usage(format!(
                "{} IOCs of {} with {} PVs need some {} MiB of this machine's {}, which leaves \
                 too little for a client; ask for fewer --pvs or --iocs, or name another --server",
                many_iocs.iocs,
                planned.server,
                planned.pvs,
                needed >> 20,
                memory >> 20
            )));
        }
    }
    Ok(())
}
