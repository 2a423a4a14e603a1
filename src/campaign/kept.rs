//! Calibrations, kept in the cache of the machine that they were measured on.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::embedded;
use crate::judge::Calibrated;
use crate::record::Machine;

/// Keeps a calibration; it takes the place of an older one of the same machine.
///
/// # Errors
/// When the cache folder cannot be written.
pub fn keep_calibration(calibrated: &Calibrated) -> io::Result<PathBuf> {
    let path = path(&calibrated.machine);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(&path, serde_json::to_string_pretty(calibrated)? + "\n")?;
    Ok(path)
}

/// The calibration of this machine, if there is one that this build can read.
pub fn kept_calibration(machine: &Machine) -> Option<Calibrated> {
    let text = fs::read_to_string(path(machine)).ok()?;
    let calibrated: Calibrated = serde_json::from_str(&text).ok()?;
    (&calibrated.machine == machine).then_some(calibrated)
}

fn path(machine: &Machine) -> PathBuf {
    let key = embedded::sha256_hex(format!("{machine:?}").as_bytes());
    embedded::cache_folder().join(format!("calibration-{}.json", &key[..16]))
}
