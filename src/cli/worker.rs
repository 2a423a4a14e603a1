//! `worker`: the native approaches, driven over stdin and stdout.

#[cfg(feature = "pure-rust")]
use epics_gauge::worker::pure::{EpicsCaRs, EpicsPvaRs};
#[cfg(feature = "pvaccess")]
use epics_gauge::worker::pvxs::Pvxs;
use epics_gauge::worker::{epics_ca::EpicsCa, libca::Libca, serve, wire::Wire};

use super::Failure;
use super::arguments::WorkerArguments;
use super::exit::Exit;

pub(super) fn run(arguments: &WorkerArguments) -> Result<Exit, Failure> {
    let served = match arguments.approach.as_str() {
        "wire" => serve(Wire::new),
        "libca" => serve(Libca::new),
        "epics-ca" => serve(EpicsCa::new),
        #[cfg(feature = "pvaccess")]
        "pvxs" => serve(Pvxs::new),
        #[cfg(feature = "pure-rust")]
        "epics-ca-rs" => serve(EpicsCaRs::new),
        #[cfg(feature = "pure-rust")]
        "epics-pva-rs" => serve(EpicsPvaRs::new),
        other => return Err(Failure::usage(format!("there is no native approach `{other}`"))),
    };
    served
        .map(|()| Exit::Good)
        .map_err(|error| Failure { exit: Exit::NotOfTheProtocol, message: error.to_string() })
}
