//! `worker`: the native approaches, driven over stdin and stdout.

use epics_gauge::worker::native;

use super::Failure;
use super::arguments::WorkerArguments;
use super::exit::Exit;

pub(super) fn run(arguments: &WorkerArguments) -> Result<Exit, Failure> {
    let name = &arguments.approach;
    let unknown = || Failure::usage(format!("there is no native approach `{name}`"));
    let serve = native(name).ok_or_else(unknown)?;
    serve()
        .map(|()| Exit::Good)
        .map_err(|error| Failure { exit: Exit::NotOfTheProtocol, message: error.to_string() })
}
