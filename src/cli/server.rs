//! `server`: the native server, driven over stdin and stdout by the messages of
//! `docs/server-protocol.md`.

mod messages;
mod pvs;

use std::io::{self, BufRead, Write};

use super::Failure;
use super::arguments::ServerArguments;
use super::exit::Exit;
use messages::{Command, FromServer};
use pvs::{Pvs, VERSION};

/// The one server that there is.
const SERVER: &str = "epics-base-rs";

/// The version of the protocol that it speaks.
const PROTOCOL_VERSION: u32 = 1;

pub(super) fn run(arguments: &ServerArguments) -> Result<Exit, Failure> {
    if arguments.server != SERVER {
        return Err(Failure::usage(format!("there is no native server `{}`", arguments.server)));
    }
    obey_harness()
        .map(|()| Exit::Good)
        .map_err(|error| Failure { exit: Exit::NotOfTheProtocol, message: error.to_string() })
}

fn obey_harness() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut stdout = io::stdout().lock();
    say(&mut stdout, &hello())?;
    let mut served = None;
    for command in commands_from_stdin() {
        let answer = match (command?, &mut served) {
            (Command::Serve(serve), None) => match Pvs::serve(&runtime, &serve) {
                Ok(pvs) => FromServer::ready(served.insert(pvs).port()),
                Err(error) => FromServer::Failed { error },
            },
            (Command::Serve(_), Some(_)) => return Err(invalid("a second `serve`")),
            (_, None) => return Err(invalid("a command before `serve`")),
            (command, Some(pvs)) => obey(pvs, &command),
        };
        say(&mut stdout, &answer)?;
    }
    Ok(())
}

fn obey(pvs: &mut Pvs, command: &Command) -> FromServer {
    let done = |done: Result<(), String>| done.map(|()| FromServer::Done);
    let answer = match command {
        Command::Tick => done(pvs.tick()),
        Command::Scan { rate_hz } => done(pvs.start_scanning(*rate_hz)),
        Command::StopScan => done(pvs.stop_scanning()),
        Command::Made => Ok(FromServer::Made { counts: pvs.made() }),
        Command::Value { pv } => pvs.value(*pv).map(|value| FromServer::Value { value }),
        Command::Counters => Ok(FromServer::Counters(pvs.counters())),
        Command::Serve(_) => Err("it serves already".to_owned()),
    };
    answer.unwrap_or_else(|error| FromServer::Failed { error })
}

fn hello() -> FromServer {
    FromServer::Hello {
        protocol: PROTOCOL_VERSION,
        server: SERVER,
        pid: std::process::id(),
        versions: [("epics-base-rs", VERSION), ("epics-ca-rs", VERSION)].into(),
    }
}

/// Stdin is read on a thread of its own: at its end the process ends at once,
/// whatever the main thread is doing.
fn commands_from_stdin() -> impl Iterator<Item = io::Result<Command>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            let command = line.and_then(|line| serde_json::from_str(&line).map_err(invalid));
            // The main thread ends the process with the error.
            let is_wrong = command.is_err();
            if sender.send(command).is_err() || is_wrong {
                return;
            }
        }
        std::process::exit(0);
    });
    receiver.into_iter()
}

fn say(stdout: &mut impl Write, message: &FromServer) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stdout.write_all(&line)?;
    stdout.flush()
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
