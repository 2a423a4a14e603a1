//! When an IOC that serves is to end.

use std::time::{Duration, Instant};

use epics_gauge::process::interrupted;
use sysinfo::{Pid, ProcessStatus, ProcessesToUpdate, System};

use crate::cli::arguments::IocArguments;

/// The process that adopts orphans; who is started by it has no parent to follow.
const INIT: libc::pid_t = 1;

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// A signal asked for it.
    Signal,
    /// The process that it serves is gone.
    Parent,
    /// The time of `--for` is over.
    Time,
}

impl Reason {
    pub(super) fn in_words(self) -> &'static str {
        match self {
            Reason::Signal => "a signal ended it",
            Reason::Parent => "the process that it served is gone",
            Reason::Time => "the time of --for is over",
        }
    }
}

/// What ends it, beside signals.
#[derive(Debug)]
pub(super) enum Ending {
    After {
        start: Instant,
        allowed: Duration,
    },
    WithParent(libc::pid_t),
    /// With another process, which may be no parent: a script can stand between.
    With(u32),
    Never,
}

impl Ending {
    /// With `--for` it may outlive its parent: a step in CI that starts it in the background.
    ///
    /// To be asked before anything that takes time, since a parent that is gone by then
    /// cannot be seen to go. A program that starts this one may be gone even earlier, so it
    /// can name itself.
    pub(super) fn of(arguments: &IocArguments) -> Ending {
        match (arguments.for_time, arguments.with, parent()) {
            (Some(allowed), _, _) => Ending::After { start: Instant::now(), allowed },
            (None, Some(process), _) => Ending::With(process),
            (None, None, INIT) => Ending::Never,
            (None, None, parent) => Ending::WithParent(parent),
        }
    }

    /// Why it is to end now, if it is.
    pub(super) fn reached(&self) -> Option<Reason> {
        if interrupted() {
            return Some(Reason::Signal);
        }
        match self {
            Ending::After { start, allowed } if start.elapsed() >= *allowed => Some(Reason::Time),
            Ending::WithParent(before) if parent() != *before => Some(Reason::Parent),
            Ending::With(process) if !lives(*process) => Some(Reason::Parent),
            _ => None,
        }
    }

    pub(super) fn in_words(&self, is_terminal: bool) -> String {
        let input = if is_terminal { "`exit` or Ctrl-D ends it" } else { "`exit` ends it" };
        let more = match self {
            Ending::After { allowed, .. } => {
                format!(", SIGTERM, SIGINT, or {} s", allowed.as_secs_f64())
            }
            Ending::WithParent(_) if is_terminal => return input.to_owned(),
            Ending::WithParent(parent) => {
                format!(", SIGTERM, SIGINT, or the end of process {parent}, which started it")
            }
            Ending::With(process) => format!(", SIGTERM, SIGINT, or the end of process {process}"),
            Ending::Never => ", SIGTERM or SIGINT".to_owned(),
        };
        input.to_owned() + &more
    }
}

/// Whether there is a process of this number that has not ended.
fn lives(process: u32) -> bool {
    if libc::pid_t::try_from(process) == Ok(parent()) {
        return true;
    }
    let pid = Pid::from_u32(process);
    let mut system = System::new();
    system.refresh_processes(ProcessesToUpdate::Some(&[pid]), true);
    let status = system.process(pid).map(sysinfo::Process::status);
    status.is_some_and(|status| !matches!(status, ProcessStatus::Zombie | ProcessStatus::Dead))
}

fn parent() -> libc::pid_t {
    // SAFETY: takes nothing, touches no memory and cannot fail.
    unsafe { libc::getppid() }
}
