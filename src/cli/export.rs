//! `export`: the figures of runs in the formats of other programs.

use super::Failure;
use super::arguments::ExportArguments;
use super::exit::Exit;
use super::history::figures;
use super::stdout::print;

pub(super) fn run(arguments: &ExportArguments) -> Result<Exit, Failure> {
    let runs = figures(&arguments.runs)?;
    print(&arguments.format.written(&runs).map_err(Failure::usage)?)?;
    Ok(Exit::Good)
}
