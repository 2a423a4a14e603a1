//! `ioc`: an isolated IOC with its shell on the terminal, for a command, for another program
//! that speaks JSON, or for a time.

mod command;
mod end;
mod fixture;
mod json;

use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use epics_gauge::process::{Deadline, Stopped};

use super::arguments::IocArguments;
use super::exit::Exit;
use super::stdout::print;
use super::{Failure, interrupt, servers};
use end::{Ending, Reason};
use fixture::{Fixture, failure};

/// How often the IOC's own messages, and reasons to end, are looked for.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn run(arguments: &IocArguments) -> Result<Exit, Failure> {
    let servers = servers(arguments.servers_file.as_deref())?;
    let mut log = Log::to(arguments)?;
    interrupt::listen().map_err(Failure::unmeasured)?;
    let ending = Ending::of(arguments);
    if arguments.json {
        return json::serve(arguments, &servers, &ending);
    }
    let ioc = Fixture::start(arguments, &servers)?;
    if !arguments.command.is_empty() {
        return command::run(arguments, ioc, &mut log);
    }
    serve(arguments, ioc, &ending, &mut log)
}

/// Obeys commands from stdin until it is stopped.
fn serve(
    arguments: &IocArguments,
    mut ioc: Fixture,
    ending: &Ending,
    log: &mut Log,
) -> Result<Exit, Failure> {
    let is_terminal = io::stdin().is_terminal();
    for (name, value) in ioc.environment(arguments.lookup) {
        print(&format!("export {name}={}\n", quoted(&value)))?;
    }
    let what = if ioc.has_shell() {
        "the IOC serves; its shell reads commands from here"
    } else {
        "the server serves; it has no shell"
    };
    eprintln!("{what}; {}", ending.in_words(is_terminal));
    let commands = lines_of_stdin();
    // What it printed while it started is of no interest once it serves.
    log.keep(&ioc.new_log_lines().map_err(failure)?)?;
    loop {
        if obey(&mut ioc, &commands, is_terminal)? {
            break;
        }
        if let Some(reason) = ending.reached() {
            if let Reason::Parent | Reason::Time = reason {
                eprintln!("epics-gauge: {}", reason.in_words());
            }
            break;
        }
        let lines = ioc.new_log_lines().map_err(failure)?;
        log.keep(&lines)?;
        for line in lines {
            print(&format!("{}\n", line.text))?;
        }
    }
    ioc.stop();
    Ok(Exit::Good)
}

/// Runs the commands that came within a moment. Whether that was the end.
fn obey(
    ioc: &mut Fixture,
    commands: &Receiver<String>,
    is_terminal: bool,
) -> Result<bool, Failure> {
    match Deadline::after(LOOK).receive(commands) {
        Ok(command) if command.trim() == "exit" => Ok(true),
        Ok(_) if !ioc.has_shell() => {
            eprintln!("this server has no shell; `exit` ends it");
            Ok(false)
        }
        Ok(command) => ioc.command(&command).map(|_| false).map_err(failure),
        // The end of a terminal's input is the user's; that of a pipe or of /dev/null says
        // nothing.
        Err(Stopped::Closed) if !is_terminal => {
            thread::sleep(LOOK);
            Ok(false)
        }
        Err(Stopped::Closed) => Ok(true),
        Err(Stopped::TimedOut | Stopped::Interrupted) => Ok(false),
    }
}

/// A value as a shell reads it: with quotes where it needs them.
fn quoted(value: &str) -> String {
    match value.contains(' ') {
        true => format!("'{value}'"),
        false => value.to_owned(),
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

/// Where the IOC's output goes, beside the terminal.
struct Log {
    file: Option<File>,
}

impl Log {
    fn to(arguments: &IocArguments) -> Result<Log, Failure> {
        let Some(path) = &arguments.log else { return Ok(Log { file: None }) };
        let file = File::create(path).map_err(|error| {
            Failure::usage(format!("cannot write the log {}: {error}", path.display()))
        })?;
        Ok(Log { file: Some(file) })
    }

    fn keep(&mut self, lines: &[epics_gauge::ioc::LogLine]) -> Result<(), Failure> {
        let Some(file) = &mut self.file else { return Ok(()) };
        lines
            .iter()
            .try_for_each(|line| writeln!(file, "{}", line.text))
            .map_err(|error| Failure::unmeasured(format!("cannot write the IOC's log: {error}")))
    }
}
