//! The IOC as another program drives it: requests and events, one JSON object a line.

use std::sync::mpsc::Receiver;
use std::time::{SystemTime, UNIX_EPOCH};

use epics_gauge::ioc::{IocError, LogLine, Restart, Servers};
use epics_gauge::process::{Deadline, Stopped};
use epics_gauge::protocol::Protocol;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::end::Ending;
use super::fixture::Fixture;
use super::{LOOK, lines_of_stdin};
use crate::cli::Failure;
use crate::cli::arguments::IocArguments;
use crate::cli::exit::Exit;
use crate::cli::stdout::print;

/// What the other program asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    /// Runs a command in the IOC's shell.
    Command { text: String },
    /// Kills the IOC and starts it again.
    Restart {
        #[serde(default)]
        port: Port,
        #[serde(default)]
        values: bool,
        #[serde(default)]
        clean: bool,
    },
    /// Stops its process.
    Pause,
    /// Lets it go on.
    Resume,
    /// Processes the calc records once.
    Process,
    /// Ends it.
    Stop,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Port {
    #[default]
    Same,
    Other,
}

/// What it reports, beside answers.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
enum Event<'a> {
    Failed { error: &'a str },
    Log { unix_ms: u128, text: &'a str },
    Refused { error: String },
    Ended { error: String },
}

/// Serves until it is stopped. What cannot start is an event too.
pub(super) fn serve(
    arguments: &IocArguments,
    servers: &Servers,
    ending: &Ending,
) -> Result<Exit, Failure> {
    let mut ioc = match Fixture::start(arguments, servers) {
        Ok(ioc) => ioc,
        Err(failure) => {
            say(&Event::Failed { error: &failure.message })?;
            return Err(failure);
        }
    };
    let requests = lines_of_stdin();
    let mut is_alive = true;
    emit("ready", &state(&ioc, arguments))?;
    loop {
        if is_alive {
            is_alive = tell_log(&mut ioc)?;
        }
        match next(&requests) {
            Some(line) => match serde_json::from_str(&line) {
                Ok(Request::Stop) => {
                    emit("answer", &json!({}))?;
                    break;
                }
                Ok(request) => {
                    is_alive |= matches!(request, Request::Restart { .. });
                    obey(&mut ioc, request, arguments)?;
                }
                Err(error) => say(&Event::Refused { error: not_a_request(&line, &error) })?,
            },
            None if ending.reached().is_some() => break,
            None => {}
        }
    }
    ioc.stop();
    Ok(Exit::Good)
}

fn next(requests: &Receiver<String>) -> Option<String> {
    match Deadline::after(LOOK).receive(requests) {
        Ok(line) => Some(line),
        Err(Stopped::Closed) => {
            std::thread::sleep(LOOK);
            None
        }
        Err(Stopped::TimedOut | Stopped::Interrupted) => None,
    }
}

fn obey(ioc: &mut Fixture, request: Request, arguments: &IocArguments) -> Result<(), Failure> {
    let answer: Result<Value, IocError> = match request {
        Request::Command { text } => ioc.command(&text).map(|text| json!({ "text": text })),
        Request::Restart { port, values, clean } => {
            ioc.restart(&restart(&port, values, clean)).map(|()| state(ioc, arguments))
        }
        Request::Process => ioc.process().map(|()| json!({})),
        Request::Pause => Ok(signal(ioc, libc::SIGSTOP)),
        Request::Resume => Ok(signal(ioc, libc::SIGCONT)),
        Request::Stop => Ok(json!({})),
    };
    match answer {
        Ok(fields) => emit("answer", &fields),
        Err(error) => say(&Event::Refused { error: error.to_string() }),
    }
}

fn restart(port: &Port, values: bool, clean: bool) -> Restart {
    let mut how = Restart::new();
    if let Port::Other = port {
        how = how.on_other_ports();
    }
    if values {
        how = how.with_values();
    }
    if clean { how.after_clean_end() } else { how }
}

fn signal(ioc: &Fixture, number: libc::c_int) -> Value {
    if let Ok(pid) = libc::pid_t::try_from(ioc.pid()) {
        // SAFETY: only sends a signal, to a child of ours that was not waited for.
        unsafe { libc::kill(pid, number) };
    }
    json!({})
}

/// Who it is and how it is found.
fn state(ioc: &Fixture, arguments: &IocArguments) -> Value {
    let environment: Map<String, Value> = ioc
        .environment(arguments.lookup)
        .into_iter()
        .map(|(name, value)| (name, value.into()))
        .collect();
    let port = |name: &str| environment.get(name)?.as_str()?.parse::<u16>().ok();
    let ports = json!({
        "ca": port("EPICS_CA_SERVER_PORT").filter(|_| ioc.serves(Protocol::Ca)),
        "pva": port("EPICS_PVA_SERVER_PORT").filter(|_| ioc.serves(Protocol::Pva)),
        "repeater": port("EPICS_CA_REPEATER_PORT"),
    });
    let soft_ioc = ioc.soft_ioc();
    json!({
        "pid": ioc.pid(),
        "server": arguments.server,
        "base": soft_ioc.and_then(|ioc| ioc.base()),
        "folder": soft_ioc.map(|ioc| ioc.folder()),
        "ports": ports,
        "environment": environment,
    })
}

/// Passes on what the IOC printed. Whether it lives.
fn tell_log(ioc: &mut Fixture) -> Result<bool, Failure> {
    match ioc.new_log_lines() {
        Ok(lines) => lines.iter().try_for_each(tell_line).map(|()| true),
        Err(IocError::Process(epics_gauge::process::ProcessError::Interrupted)) => Ok(true),
        Err(error) => say(&Event::Ended { error: error.to_string() }).map(|()| false),
    }
}

fn tell_line(line: &LogLine) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let unix_ms = now.saturating_sub(line.at.elapsed()).as_millis();
    say(&Event::Log { unix_ms, text: &line.text })
}

fn not_a_request(line: &str, error: &serde_json::Error) -> String {
    format!(
        "`{line}` is no request: {error}; there are {{\"request\": \"command\", \"text\": …}}, \
         restart, pause, resume, process and stop"
    )
}

/// An event with these fields.
fn emit(event: &str, fields: &Value) -> Result<(), Failure> {
    let mut line = Map::new();
    line.insert("event".to_owned(), event.into());
    line.extend(fields.as_object().cloned().unwrap_or_default());
    print(&format!("{}\n", Value::Object(line)))
}

fn say(event: &Event<'_>) -> Result<(), Failure> {
    let line = serde_json::to_string(event).map_err(Failure::unmeasured)?;
    print(&format!("{line}\n"))
}
