//! `ioc`: an isolated IOC with its shell on the terminal.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use epics_gauge::ioc::{IocError, SoftIoc};
use epics_gauge::process::{Deadline, ProcessError, Stopped};

use super::arguments::IocArguments;
use super::exit::Exit;
use super::stdout::print;
use super::{Failure, interrupt};

/// How often the IOC's own messages are looked for.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &IocArguments) -> Result<Exit, Failure> {
    if arguments.server != "softioc" {
        return Err(Failure::usage(format!(
            "unknown server `{}`; there are: softioc",
            arguments.server
        )));
    }
    interrupt::listen().map_err(Failure::unmeasured)?;
    let mut ioc = start(arguments)?;
    for (name, value) in ioc.client_environment() {
        print(&format!("export {name}={value}\n"))?;
    }
    eprintln!("the IOC serves; its shell reads commands from here, `exit` or Ctrl-D ends it");
    let exit = serve(&mut ioc)?;
    ioc.stop();
    Ok(exit)
}

fn start(arguments: &IocArguments) -> Result<SoftIoc, Failure> {
    let mut builder = SoftIoc::builder().pvs(arguments.pvs);
    if let Some(rate) = arguments.rate {
        builder = builder.rate_hz(rate);
    }
    if let Some(file) = &arguments.db {
        let macros = macros(&arguments.macros)?;
        builder = builder.db_file(file, &macros);
    }
    builder.start().map_err(failure)
}

fn failure(error: IocError) -> Failure {
    match error {
        IocError::Asked(_) | IocError::Refused { .. } => Failure::usage(error),
        IocError::Process(ProcessError::Interrupted) => Failure::interrupted(),
        _ => Failure::unmeasured(error),
    }
}

fn macros(text: &str) -> Result<Vec<(&str, &str)>, Failure> {
    text.split(',')
        .filter(|assignment| !assignment.trim().is_empty())
        .map(|assignment| {
            assignment.split_once('=').map(|(name, value)| (name.trim(), value)).ok_or_else(|| {
                Failure::usage(format!("macro `{assignment}` has no value; write NAME=VALUE"))
            })
        })
        .collect()
}

fn serve(ioc: &mut SoftIoc) -> Result<Exit, Failure> {
    let commands = lines_of_stdin();
    // What it printed while it started is of no interest once it serves.
    ioc.new_log_lines().map_err(failure)?;
    loop {
        match Deadline::after(LOOK).receive(&commands) {
            Ok(command) if command.trim() == "exit" => return Ok(Exit::Good),
            Ok(command) => {
                ioc.command(&command).map_err(failure)?;
            }
            Err(Stopped::TimedOut) => {}
            Err(Stopped::Closed) => return Ok(Exit::Good),
            Err(Stopped::Interrupted) => return Ok(Exit::Interrupted),
        }
        for line in ioc.new_log_lines().map_err(failure)? {
            print(&format!("{}\n", line.text))?;
        }
    }
}

fn lines_of_stdin() -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}
