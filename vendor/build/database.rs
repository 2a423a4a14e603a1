//! Writes the IOCs' dbd files: each is one file without `include` lines, with our scan rates and
//! our device support.

use std::fs;
use std::path::{Path, PathBuf};

use crate::stop::{Outcome, Stop, Trying, read, watch, write};

const OUR_SCAN_RATES: &str = "db/menuScan.dbd";
const OUR_DEVICE_SUPPORT: &str = "db/frames.dbd";

/// Flattens the archive's `base.dbd`, which is all that its softIoc loads.
pub(crate) fn write_flattened(folder: &Path, target: &Path) -> Outcome<()> {
    let files = dbd_files(folder)?;
    write(target, &with_ours(&flattened("base.dbd", &files)?)?)
}

/// Adds what pvxs declares to the dbd file of the IOC without it.
pub(crate) fn write_with_pvxs(soft_ioc: &Path, pvxs: &Path, target: &Path) -> Outcome<()> {
    write(target, &format!("{}\n{}", read(soft_ioc)?, read(pvxs)?))
}

/// A flattened dbd file with our scan rates and our device support.
pub(crate) fn with_ours(dbd: &str) -> Outcome<String> {
    watch(OUR_DEVICE_SUPPORT);
    Ok(with_our_scan_rates(dbd)? + &read(Path::new(OUR_DEVICE_SUPPORT))?)
}

/// Swaps the scan rates of a flattened dbd file for ours.
fn with_our_scan_rates(dbd: &str) -> Outcome<String> {
    watch(OUR_SCAN_RATES);
    let ours = read(Path::new(OUR_SCAN_RATES))?;
    let menu = dbd.find("menu(menuScan)");
    let end = menu.and_then(|start| Some(start + dbd[start..].find('}')? + 1));
    match (menu, end) {
        (Some(start), Some(end)) => {
            Ok(format!("{}{}{}", &dbd[..start], ours.trim_end(), &dbd[end..]))
        }
        _ => Err(Stop {
            tried: "put the scan rates of db/menuScan.dbd into softIoc.dbd".to_string(),
            why: "EPICS Base's dbd has no menu(menuScan)".to_string(),
            mend: "vendor/build/database.rs has to follow this version of EPICS Base".to_string(),
        }),
    }
}

fn flattened(name: &str, files: &[PathBuf]) -> Outcome<String> {
    let file = files.iter().find(|file| file.file_name().is_some_and(|known| known == name));
    let text = match file {
        Some(file) => read(file)?,
        None => {
            return Err(Stop {
                tried: format!("include {name} in softIoc.dbd"),
                why: "the archive has no such file".to_string(),
                mend: "vendor/build/database.rs has to follow this version of EPICS Base"
                    .to_string(),
            });
        }
    };
    let mut flat = String::new();
    for line in text.lines() {
        match line.trim().strip_prefix("include") {
            Some(included) => flat += &flattened(included.trim().trim_matches('"'), files)?,
            None => {
                flat += line;
                flat.push('\n');
            }
        }
    }
    Ok(flat)
}

fn dbd_files(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let mut found = Vec::new();
    let looking = || format!("look for dbd files in {}", folder.display());
    for entry in fs::read_dir(folder).trying(looking)? {
        let path = entry.trying(looking)?.path();
        if path.is_dir() {
            found.extend(dbd_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "dbd") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
