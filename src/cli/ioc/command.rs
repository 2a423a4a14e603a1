//! An IOC for as long as a command runs, which finds it by its environment.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use epics_gauge::process::{AttachedChild, Command, interrupted};
use signal_hook::consts::SIGTERM;

use super::Log;
use super::fixture::Fixture;
use crate::cli::Failure;
use crate::cli::arguments::IocArguments;
use crate::cli::exit::Exit;

/// How often the command and the IOC are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long a command may take to end after a signal, before it is killed.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn run(
    arguments: &IocArguments,
    mut ioc: Fixture,
    log: &mut Log,
) -> Result<Exit, Failure> {
    let terminated = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&terminated)).map_err(Failure::unmeasured)?;
    let [program, rest @ ..] = arguments.command.as_slice() else {
        return Err(Failure::usage("there is no command after --"));
    };
    let child = Command::new(program)
        .arguments(rest)
        .environment(ioc.environment(arguments.lookup))
        .start_attached()
        .map_err(Failure::usage)?;
    let mut has_died = None;
    let code = attend(child, &terminated, || {
        if has_died.is_none() && !interrupted() {
            has_died = watch(&mut ioc, log)?;
        }
        Ok(())
    })?;
    match has_died {
        Some(error) if code == 0 => {
            return Err(Failure::unmeasured(format!("the command ended well, but {error}")));
        }
        Some(_) => {}
        None => ioc.stop(),
    }
    Ok(Exit::OfCommand(code))
}

/// Waits for the command, and passes on signals that only this process got.
fn attend(
    mut child: AttachedChild,
    terminated: &AtomicBool,
    mut meanwhile: impl FnMut() -> Result<(), Failure>,
) -> Result<u8, Failure> {
    let mut asked_to_end: Option<Instant> = None;
    loop {
        meanwhile()?;
        if let Some(status) = child.ended().map_err(Failure::unmeasured)? {
            return Ok(AttachedChild::exit_code(status));
        }
        match asked_to_end {
            None if interrupted() => {
                asked_to_end = Some(Instant::now());
                if terminated.load(Ordering::SeqCst) {
                    child.signal(libc::SIGTERM);
                } else if !io::stdin().is_terminal() {
                    // A terminal sends Ctrl-C to the command, too.
                    child.signal(libc::SIGINT);
                }
            }
            Some(at) if at.elapsed() > GRACE => {
                child.signal(libc::SIGKILL);
                asked_to_end = Some(Instant::now());
            }
            _ => {}
        }
        thread::sleep(LOOK);
    }
}

/// Keeps the IOC's log. Its death is said at once: what the command sees then is no fault of
/// its own.
fn watch(ioc: &mut Fixture, log: &mut Log) -> Result<Option<String>, Failure> {
    match ioc.new_log_lines() {
        Ok(lines) => log.keep(&lines).map(|()| None),
        Err(_) if interrupted() => Ok(None),
        Err(error) => {
            let message = format!("the IOC died while it ran: {error}");
            eprintln!("epics-gauge: {message}");
            Ok(Some(message))
        }
    }
}
