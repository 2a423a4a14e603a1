//! The link between clients and servers: its process.

use epics_gauge::process::link;

use super::Failure;
use super::arguments::LinkProcessArguments;
use super::exit::Exit;

/// The inside of a link.
pub(super) fn process(arguments: &LinkProcessArguments) -> Result<Exit, Failure> {
    link::serve(&arguments.process).map_err(Failure::unmeasured)?;
    Ok(Exit::Good)
}
