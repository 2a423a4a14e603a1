//! Arguments, subcommands, exit codes. Data goes to stdout, words to stderr.

mod arguments;
mod bisect;
mod calibrate;
mod compare;
mod conform;
mod databases;
mod doctor;
mod examples;
mod exit;
mod export;
mod floor;
mod formats;
mod history;
mod hosts;
mod interrupt;
mod ioc;
mod judge;
mod limits;
mod link;
mod list;
mod manual;
mod output;
mod profile;
mod progress;
mod report;
mod resume;
mod run;
mod scenario_help;
#[cfg(feature = "pure-rust")]
mod server;
mod stdout;
mod worker;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use epics_gauge::approach::Catalogue;
use epics_gauge::campaign::{self, IfBusy, LockError, MeasuringLock};
use epics_gauge::ioc::Servers;
use epics_gauge::python_site::Missing;

use arguments::{Arguments, Subcommand};
use exit::Exit;

/// Why a subcommand ended without its result: a message and an exit code.
#[derive(Debug)]
struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    /// The user gave what cannot be used.
    fn usage(message: impl ToString) -> Failure {
        Failure { exit: Exit::Usage, message: message.to_string() }
    }

    /// The user asked to stop.
    fn interrupted() -> Failure {
        Failure { exit: Exit::Interrupted, message: "interrupted".to_owned() }
    }

    /// Something needed failed.
    fn unmeasured(message: impl ToString) -> Failure {
        Failure { exit: Exit::CouldNotMeasure, message: message.to_string() }
    }
}

/// The approaches of this crate and those of the user's `file`.
fn catalogue(file: Option<&Path>) -> Result<Catalogue, Failure> {
    let mut catalogue = Catalogue::built_in();
    if let Some(file) = file {
        catalogue.add_file(file).map_err(Failure::usage)?;
    }
    Ok(catalogue)
}

/// The servers of this crate and those of the user's `file`, without the Python
/// packages that some need: [`Servers::with_site`].
fn servers(file: Option<&Path>) -> Result<Servers, Failure> {
    let mut servers = Servers::built_in(Err(Missing("not looked for yet".to_owned())));
    if let Some(file) = file {
        servers.add_file(file).map_err(Failure::usage)?;
    }
    Ok(servers)
}

/// Listens to Ctrl-C, and takes the right to measure for as long as the answer is
/// kept; waits for it unless `no_wait`.
fn measuring_lock(no_wait: bool) -> Result<MeasuringLock, Failure> {
    interrupt::listen().map_err(Failure::unmeasured)?;
    let if_busy = if no_wait { IfBusy::GiveUp } else { IfBusy::Wait };
    campaign::measuring_lock(if_busy, |waiting| eprintln!("epics-gauge: {waiting}")).map_err(
        |error| match error {
            LockError::Interrupted => Failure::interrupted(),
            error => Failure::unmeasured(error),
        },
    )
}

pub(crate) fn main() -> ExitCode {
    // Before anything that starts a thread.
    link::enter_namespaces();
    if let Err(exit) = hosts::enter_namespaces() {
        return exit;
    }
    if let Some(help) = scenario_help::asked(std::env::args().skip(1)) {
        return match stdout::print(&help) {
            Ok(()) => Exit::Good.into(),
            Err(failure) => failure.exit.into(),
        };
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Good.into(),
                _ => Exit::Usage.into(),
            };
        }
    };
    let outcome = match arguments.subcommand {
        None => run::run(&arguments.run),
        Some(Subcommand::Run(run)) => run::run(&run),
        Some(Subcommand::Ioc(ioc)) => ioc::run(&ioc),
        Some(Subcommand::List(list)) => list::run(&list),
        Some(Subcommand::Calibrate(calibrate)) => calibrate::run(&calibrate),
        Some(Subcommand::Compare(compare)) => compare::run(&compare),
        Some(Subcommand::Conform(conform)) => conform::run(&conform),
        Some(Subcommand::Judge(judge)) => judge::judge(&judge),
        Some(Subcommand::Report(report)) => report::run(&report),
        Some(Subcommand::History(history)) => history::run(&history),
        Some(Subcommand::Export(export)) => export::run(&export),
        Some(Subcommand::Bisect(bisect)) => bisect::run(&bisect),
        Some(Subcommand::BisectStep(step)) => bisect::run_step(&step),
        Some(Subcommand::Floor(floor)) => floor::run(&floor),
        Some(Subcommand::Doctor(doctor)) => doctor::run(&doctor),
        Some(Subcommand::Completions(completions)) => manual::completions(&completions),
        Some(Subcommand::Man(man)) => manual::pages(&man),
        Some(Subcommand::Hosts(hosts)) => hosts::run(&hosts),
        Some(Subcommand::Agent(agent)) => return hosts::agent(&agent),
        Some(Subcommand::LinkCheck(check)) => link::check(&check),
        Some(Subcommand::LinkProcess(link)) => link::process(&link),
        Some(Subcommand::Worker(worker)) => worker::run(&worker),
        #[cfg(feature = "pure-rust")]
        Some(Subcommand::Server(server)) => server::run(&server),
    };
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            eprintln!("epics-gauge: {}", failure.message);
            failure.exit.into()
        }
    }
}
