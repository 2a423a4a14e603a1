//! Parts of configurations in tables: which server, how many PVs, which load.

use crate::judge::{Scale, ScaleRow};
use crate::lookup::Lookup;
use crate::scenario::USUAL_SERVER;
use crate::units::counted;

/// The server, where it is not the usual one.
pub(in crate::report) fn place(server: &str) -> String {
    if server == USUAL_SERVER { String::new() } else { format!(" on {server}") }
}

/// How PVs are found, where that is not the usual way.
pub(in crate::report) fn found_by(lookup: Lookup) -> String {
    if lookup.is_usual() { String::new() } else { format!(" by {lookup}") }
}

/// A server and a client: `softioc against wire`, or `softioc against wire by name server`.
pub(in crate::report) fn pair_name(pair: &Scale) -> String {
    format!("{} against {}{}", pair.server, pair.approach, found_by(pair.lookup))
}

/// The PVs of a load of the scale matrix: `100`, or `100 of 500` beside idle ones.
pub(in crate::report) fn scale_pvs(row: &ScaleRow) -> String {
    match row.load.idle_pvs {
        0 => row.pvs.to_string(),
        idle => format!("{} of {}", row.pvs, row.pvs + idle),
    }
}

/// A load of the scale matrix: `100 PVs at 10 Hz, 4 monitors each`.
pub(in crate::report) fn scale_load(row: &ScaleRow) -> String {
    let pvs = match row.load.idle_pvs {
        0 => counted(row.pvs, "PV"),
        _ => format!("{} PVs", scale_pvs(row)),
    };
    format!("{pvs} at {} Hz, {} each", row.load.rate_hz, counted(row.load.monitors, "monitor"))
}

/// `100 IOCs with 10 000 PVs`.
pub(in crate::report) fn pvs_on_iocs(iocs: usize, pvs: usize) -> String {
    format!("{} with {}", counted(iocs, "IOC"), counted(pvs, "PV"))
}
