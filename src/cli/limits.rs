//! The limits that are judged by: those of this build, or of the user's file.

use std::fs;
use std::path::Path;

use epics_gauge::approach::Catalogue;
use epics_gauge::ioc::Servers;
use epics_gauge::judge::Limits;
use epics_gauge::record::RunRecords;

use super::Failure;

/// The limits of `file`, or those that are built in. A file may only name approaches
/// and servers that are known.
pub(super) fn limits(
    file: Option<&Path>,
    catalogue: &Catalogue,
    servers: &Servers,
) -> Result<Limits, Failure> {
    let approaches = catalogue.all().iter().map(|approach| approach.name.as_str());
    let servers = servers.all().iter().map(|kind| kind.name.as_str());
    checked(file, approaches.collect(), servers.collect())
}

/// The same for a record file, which may hold approaches and servers of its own.
pub(super) fn limits_for(
    file: Option<&Path>,
    catalogue: &Catalogue,
    servers: &Servers,
    run: &RunRecords,
) -> Result<Limits, Failure> {
    let recorded = run.run.approaches.iter().map(|facts| facts.name.as_str());
    let approaches = catalogue.all().iter().map(|approach| approach.name.as_str());
    let served = run.records.iter().map(|record| record.server.as_str());
    let servers = servers.all().iter().map(|kind| kind.name.as_str());
    checked(file, approaches.chain(recorded).collect(), servers.chain(served).collect())
}

fn checked(
    file: Option<&Path>,
    approaches: Vec<&str>,
    servers: Vec<&str>,
) -> Result<Limits, Failure> {
    let Some(file) = file else { return Ok(Limits::built_in()) };
    let name = file.display().to_string();
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {name}: {error}")))?;
    let limits = Limits::parse(&text, &name).map_err(Failure::usage)?;
    limits.check_approaches(&approaches).map_err(Failure::usage)?;
    limits.check_servers(&servers).map_err(Failure::usage)?;
    Ok(limits)
}
