//! `ioc`: an isolated IOC with its shell on the terminal.

use std::io::{self, BufRead};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use epics_gauge::ioc::{IocError, ServerKind, Servers, SoftIoc, Wanted};
use epics_gauge::process::{Deadline, ProcessError, Stopped};
use epics_gauge::protocol::Protocol;

use super::arguments::IocArguments;
use super::exit::Exit;
use super::progress::python_site;
use super::stdout::print;
use super::{Failure, interrupt, servers};

/// How often the IOC's own messages are looked for.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &IocArguments) -> Result<Exit, Failure> {
    let servers = servers(arguments.servers_file.as_deref())?;
    let Some(kind) = servers.get(&arguments.server) else {
        let known: Vec<&str> = servers.all().iter().map(|kind| kind.name.as_str()).collect();
        let (asked, known) = (&arguments.server, known.join(", "));
        return Err(Failure::usage(format!("unknown server `{asked}`; there are: {known}")));
    };
    interrupt::listen().map_err(Failure::unmeasured)?;
    match kind.name.as_str() {
        _ if kind.has_shell => with_shell(arguments, kind),
        _ if arguments.db.is_some() => Err(Failure::usage(format!(
            "the server {} loads no database; --db is for softioc and softioc-pva",
            kind.name
        ))),
        name => without_shell(arguments, &servers.clone().with_site(python_site()), name),
    }
}

fn with_shell(arguments: &IocArguments, kind: &ServerKind) -> Result<Exit, Failure> {
    let mut ioc = start(arguments, kind)?;
    print_environment(&ioc.client_environment())?;
    eprintln!("the IOC serves; its shell reads commands from here, `exit` or Ctrl-D ends it");
    let exit = serve(&mut ioc)?;
    ioc.stop();
    Ok(exit)
}

fn without_shell(arguments: &IocArguments, servers: &Servers, name: &str) -> Result<Exit, Failure> {
    let wanted = Wanted { pvs: arguments.pvs, rate_hz: arguments.rate, ..Wanted::default() };
    let mut server = servers.start(name, &wanted).map_err(failure)?;
    if let Some(rate_hz) = arguments.rate {
        server.start_scanning(rate_hz).map_err(failure)?;
    }
    print_environment(&server.client_environment())?;
    eprintln!("the server serves; it has no shell, `exit` or Ctrl-D ends it");
    let commands = lines_of_stdin();
    let exit = loop {
        match Deadline::after(LOOK).receive(&commands) {
            Ok(command) if command.trim() == "exit" => break Exit::Good,
            Ok(_) => eprintln!("{name} has no shell; `exit` or Ctrl-D ends it"),
            Err(Stopped::TimedOut) => server.check().map_err(failure)?,
            Err(Stopped::Closed) => break Exit::Good,
            Err(Stopped::Interrupted) => break Exit::Interrupted,
        }
    };
    server.stop();
    Ok(exit)
}

fn print_environment(environment: &[(String, String)]) -> Result<(), Failure> {
    environment.iter().try_for_each(|(name, value)| print(&format!("export {name}={value}\n")))
}

fn start(arguments: &IocArguments, kind: &ServerKind) -> Result<SoftIoc, Failure> {
    let mut builder = SoftIoc::builder().pvs(arguments.pvs);
    if kind.protocols.contains(&Protocol::Pva) {
        builder = builder.pv_access();
    }
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
        IocError::InvalidRequest(_) | IocError::Refused { .. } => Failure::usage(error),
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
