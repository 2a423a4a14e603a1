//! The cache of calibrations of this machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::embedded;
use crate::judge::Calibrated;
use crate::record::{Machine, Scenario};

/// Keeps a calibration; it takes the place of an older one of the same approach and scenario
/// on the same machine.
///
/// # Errors
/// When the cache folder cannot be written.
pub fn keep_calibration(calibrated: &Calibrated) -> io::Result<PathBuf> {
    let folder = folder(&calibrated.machine);
    fs::create_dir_all(&folder)?;
    let scenario = match calibrated.scenario {
        Scenario::Connect => String::new(),
        other => format!("-{other}"),
    };
    let path = folder.join(format!("{}{scenario}.json", calibrated.approach));
    fs::write(&path, serde_json::to_string_pretty(calibrated)? + "\n")?;
    Ok(path)
}

/// Reads a calibration that was made elsewhere, such as an artifact of a CI job.
///
/// # Errors
/// What is wrong with the file.
pub fn read_calibration(file: &Path) -> Result<Calibrated, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("cannot read {name}: {error}"))?;
    serde_json::from_str(&text).map_err(|error| {
        format!("{name}: {error}; `epics-gauge calibrate` writes such a file, calibration.json")
    })
}

/// The calibrations of this machine that this build can read, by approach.
pub fn kept_calibrations(machine: &Machine) -> Vec<Calibrated> {
    let Ok(files) = fs::read_dir(folder(machine)) else { return Vec::new() };
    let mut kept: Vec<Calibrated> = files
        .flatten()
        .filter_map(|file| serde_json::from_str(&fs::read_to_string(file.path()).ok()?).ok())
        .filter(|calibrated: &Calibrated| &calibrated.machine == machine)
        .collect();
    kept.sort_by(|one, other| one.approach.cmp(&other.approach));
    kept
}

fn folder(machine: &Machine) -> PathBuf {
    let key = embedded::sha256_hex(format!("{machine:?}").as_bytes());
    embedded::cache_folder().join(format!("calibrations-{}", &key[..16]))
}
