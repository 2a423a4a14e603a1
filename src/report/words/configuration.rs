//! Configurations: which server, how many PVs, which load.

use crate::judge::{CellKey, MonitorFigures, ScaleRow, Verdict};
use crate::scenario::course;
use crate::units::{counted, grouped};

/// The server, where it is not the usual one.
pub(in crate::report) fn place(server: &str) -> String {
    if server == "softioc" { String::new() } else { format!(" on {server}") }
}

/// In a heading: `waveform: 680x480 at 120 Hz`.
pub(in crate::report) fn monitor_run(cell: &MonitorFigures) -> String {
    let what = match cell.load.pixels {
        Some(pixels) => pixels.to_string(),
        None => counted(cell.pvs, "PV"),
    };
    let how = cell
        .load
        .disturbance
        .map_or(String::new(), |disturbance| format!(", {}", course(disturbance).about));
    let place = place(&cell.server);
    format!("{}: {what} at {} Hz{place}{how}", cell.scenario, cell.load.rate_hz)
}

/// Where a verdict was given: how many PVs on which server, or which images at which
/// rate.
pub(in crate::report) fn verdict_configuration(verdict: &Verdict) -> String {
    let pvs = format!("{}{}", counted(verdict.pvs, "PV"), place(&verdict.server));
    let Some(load) = verdict.load else { return pvs };
    let pvs = if verdict.pvs == 0 { "all PVs".to_owned() } else { pvs };
    let what = load.pixels.map_or(pvs, |pixels| pixels.to_string());
    let disturbance =
        load.disturbance.map_or(String::new(), |disturbance| format!(", {}", disturbance.name()));
    format!("{what}, {} Hz{disturbance}", load.rate_hz)
}

/// Of a series of runs: `connect on softioc, 1 000 PVs bulk` or `waveform on softioc,
/// 680x480 at 120 Hz, 10 s`.
pub(in crate::report) fn series(cell: &CellKey) -> String {
    let mut text = format!("{} on {}", cell.scenario, cell.server);
    let pixels = cell.load.and_then(|load| load.pixels);
    match pixels {
        Some(pixels) => text += &format!(", {pixels}"),
        None if cell.pvs == 0 => {}
        None if cell.pvs == 1 => text += ", 1 PV",
        None => text += &format!(", {} PVs", grouped(cell.pvs)),
    }
    if let Some(fleet) = cell.fleet {
        text += &format!(" on {} IOCs by {}", fleet.iocs, fleet.lookup);
    }
    let Some(load) = cell.load else { return format!("{text} {}", cell.mode) };
    text += &format!(" at {} Hz", load.rate_hz);
    if load.monitors != 1 {
        text += &format!(", {} monitors each", load.monitors);
    }
    if load.idle_pvs != 0 {
        text += &format!(", {} PVs beside", grouped(load.idle_pvs));
    }
    if let Some(bytes) = load.array_bytes {
        text += &format!(", arrays up to {bytes} bytes");
    }
    if let Some(disturbance) = load.disturbance {
        text += &format!(", {}", disturbance.name());
    }
    text + &format!(", {} s", load.seconds)
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
    let pvs = scale_pvs(row);
    format!("{pvs} PVs at {} Hz, {} monitors each", row.load.rate_hz, row.load.monitors)
}

/// `100 IOCs with 10 000 PVs`.
pub(in crate::report) fn fleet_size(iocs: usize, pvs: usize) -> String {
    let noun = if iocs == 1 { "IOC" } else { "IOCs" };
    format!("{} {noun} with {} PVs", grouped(iocs), grouped(pvs))
}
