//! The sizes of the fleet scenario.

use epics_gauge::ioc::Fleet;
use epics_gauge::measure::{Cell, Plan, this_machine};
use epics_gauge::scenario::Sizes;

use super::super::Failure;
use super::super::arguments::RunArguments;

/// The PVs of an IOC, where the count of IOCs is not said.
const PVS_PER_IOC: usize = 10_000;

/// The server of which a fleet is made.
const SERVER: &str = "softioc";

/// The part of the machine's memory that a fleet's IOCs may take: the client needs
/// some, too.
const MOST_OF_MEMORY: f64 = 0.6;

pub(super) fn cells(arguments: &RunArguments, planned: Sizes) -> Result<Vec<Cell>, Failure> {
    if !arguments.servers.is_empty() && !arguments.servers.iter().any(|name| name == SERVER) {
        let message = format!("a fleet is made of {SERVER}s, not of what --server names");
        return Err(Failure::usage(message));
    }
    let counts = super::pvs(arguments, planned.pvs);
    let sizes: Result<Vec<_>, Failure> =
        counts.into_iter().map(|pvs| size(pvs, arguments.iocs)).collect();
    Ok(Plan::fleets(&sizes?, arguments.in_order, planned.blocks))
}

fn size(pvs: usize, iocs: Option<u32>) -> Result<(usize, usize), Failure> {
    let iocs = iocs.map_or(pvs.div_ceil(PVS_PER_IOC), |iocs| iocs as usize);
    if !pvs.is_multiple_of(iocs) {
        return Err(Failure::usage(format!(
            "{pvs} PVs cannot be spread evenly over {iocs} IOCs; ask for other --pvs or --iocs"
        )));
    }
    Fleet::check_size(iocs, pvs / iocs).map_err(|error| Failure::usage(error.to_string()))?;
    let (needed, memory) = (Fleet::estimated_bytes(iocs, pvs / iocs), this_machine().memory_bytes);
    if needed as f64 > memory as f64 * MOST_OF_MEMORY {
        return Err(Failure::usage(format!(
            "{iocs} IOCs with {pvs} PVs need some {} MiB of this machine's {}, which leaves too \
             little for a client; ask for fewer --pvs or --iocs",
            needed >> 20,
            memory >> 20
        )));
    }
    Ok((pvs, iocs))
}
