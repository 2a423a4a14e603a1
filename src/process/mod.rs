//! The only place that starts processes.
//!
//! Every process has a deadline and a parent that takes it along: a child runs
//! under `supervisor` (`vendor/shim/supervisor.c`), which kills it and all its
//! descendants when it ends, when its [`Child`] is dropped, and when the
//! harness dies in any way, SIGKILL included.

mod attached;
mod child;
mod command;
mod cores;
mod deadline;
#[cfg(feature = "cli")]
mod host_clocks;
mod isolation;
#[cfg(feature = "cli")]
pub mod link;
#[cfg(feature = "cli")]
mod lock_holder;
mod mark;
#[cfg(feature = "cli")]
mod network;
mod output;
mod repeater;
#[cfg(feature = "cli")]
pub mod stacks;
#[cfg(feature = "cli")]
mod usage;

pub use attached::AttachedChild;
pub use child::{Child, Event, MOST_UNREAD_LINES};
pub use command::Command;
pub use cores::usable_cores;
pub use deadline::{Deadline, Stopped, interrupt, interrupted};
#[cfg(feature = "cli")]
pub use host_clocks::{ClockOffset, ClockReading, HostClocks, There, TimeOn};
pub use isolation::{
    ArrayLimit, Peers, Ports, Reach, client_environment, client_environment_of, server_environment,
};
#[cfg(feature = "cli")]
pub use lock_holder::{LockHolder, descends_from, lock_holder};
#[cfg(feature = "cli")]
pub use mark::processes_left;
#[cfg(feature = "cli")]
pub use network::{
    Established, NetworkBytes, NetworkCounter, NetworkError, SocketBytes, established, socket_bytes,
};
pub use output::Output;
pub use repeater::Repeater;
#[cfg(feature = "cli")]
pub use usage::{
    Handles, MachineTime, NetworkSample, ProcessClock, ProcessTime, SubjectUsage, Usage,
    UsageSample, UsageSampler, available_memory_bytes, handles, machine_time, monotonic_ns,
    other_threads_delayed_ns, this_process_cpu_ns,
};

use std::process::ExitStatus;

use crate::embedded::UnpackError;

/// Why a process could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It could not be started at all.
    #[error("cannot start `{command}`: {reason}")]
    Start {
        /// The whole command line.
        command: String,
        /// What the system said.
        reason: String,
    },
    /// It ended before it was done.
    #[error("`{command}` ended early with {status}{}", shown(.output))]
    Ended {
        /// The whole command line.
        command: String,
        /// How it ended.
        status: ExitStatus,
        /// The end of what it printed, both streams.
        output: String,
    },
    /// It did not answer in time.
    #[error("`{command}` did not {what} within {seconds} s{}", shown(.output))]
    TimedOut {
        /// The whole command line.
        command: String,
        /// What it was to do.
        what: String,
        /// The deadline that it missed.
        seconds: f64,
        /// The end of what it printed, both streams.
        output: String,
    },
    /// The user asked to stop (Ctrl-C).
    #[error("interrupted")]
    Interrupted,
    /// The programs that travel inside this one could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
}

impl ProcessError {
    /// The same error with other output to show.
    #[must_use]
    pub fn with_output(mut self, shown: String) -> ProcessError {
        if let ProcessError::Ended { output, .. } | ProcessError::TimedOut { output, .. } =
            &mut self
        {
            *output = shown;
        }
        self
    }
}

fn shown(output: &str) -> String {
    match output.trim_end() {
        "" => "; it printed nothing".to_owned(),
        text => format!("; it printed:\n{text}"),
    }
}
