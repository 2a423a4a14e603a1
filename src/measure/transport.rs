//! What carries the lines between the harness and a worker: a process's pipes, or in
//! tests a conversation that was written down.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::process::{
    Child, Command, Deadline, Event, NetworkBytes, NetworkCounter, ProcessClock, ProcessError,
    ProcessTime, other_threads_delayed_ns,
};

/// What came from a worker.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line on stdout, and when it was complete on the transport's clock.
    Answer(Line),
    /// A line on stderr.
    Log(String),
    /// It ended, and all that it wrote was heard.
    Ended(ExitStatus),
}

/// A line of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// Without its end.
    pub(super) text: String,
    /// When it was complete, on the transport's clock.
    pub(super) at: Duration,
}

/// The way to one worker and back. Its clock is the only one that a session reads.
pub(super) trait Transport {
    /// The time since the worker was started.
    fn now(&self) -> Duration;

    /// Sends a line; never blocks.
    fn send(&mut self, line: &str);

    /// Blocks until the worker is heard of, at most until the clock shows `until`; none
    /// when it is not.
    ///
    /// # Errors
    /// [`ProcessError::Interrupted`], and when the process cannot be waited for.
    fn hear(&mut self, until: Duration) -> Result<Option<Heard>, ProcessError>;

    /// What the system counts of the worker with all below it; none where it does not tell.
    fn times(&mut self) -> Option<ProcessTime>;

    /// How long what carries the lines has waited for a core, up to now.
    fn delayed_ns(&self) -> u64;

    /// What the TCP connections of the process that was started, and of `worker`, which
    /// says hello, have carried so far; none where the system does not tell.
    fn network(&mut self, worker: u32) -> Option<NetworkBytes>;

    /// Stops the worker in whatever it does, until [`Transport::resume`].
    fn pause(&self);

    /// Lets a paused worker go on.
    fn resume(&self);

    /// The process that was started: the worker itself, or what wraps it.
    fn pid(&self) -> u32;

    /// Ends the worker's stdin, after everything that was sent.
    fn close(&mut self);

    /// The error for a worker that ended although it was still needed.
    fn ended_early(&self, status: ExitStatus) -> ProcessError;

    /// The error for a worker that did not `what` within `allowed`.
    fn timed_out(&self, allowed: Duration, what: &str) -> ProcessError;
}

/// A process and its pipes.
pub(super) struct Pipes {
    child: Child,
    started: Instant,
    clock: Option<ProcessClock>,
    network: NetworkCounter,
}

impl Pipes {
    /// Starts the process.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(command: &Command) -> Result<Pipes, ProcessError> {
        let started = Instant::now();
        let child = command.start()?;
        let clock = ProcessClock::of(child.pid());
        Ok(Pipes { child, started, clock, network: NetworkCounter::new() })
    }
}

impl Transport for Pipes {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn send(&mut self, line: &str) {
        self.child.write_line(line);
    }

    fn hear(&mut self, until: Duration) -> Result<Option<Heard>, ProcessError> {
        let deadline = Deadline::after(until.saturating_sub(self.now()));
        match self.child.next_event(&deadline, "answer") {
            Ok(Event::Stdout(text)) => {
                let at = self.child.event_at().saturating_duration_since(self.started);
                Ok(Some(Heard::Answer(Line { text, at })))
            }
            Ok(Event::Stderr(line)) => Ok(Some(Heard::Log(line))),
            Ok(Event::Ended(status)) => Ok(Some(Heard::Ended(status))),
            Err(ProcessError::TimedOut { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn times(&mut self) -> Option<ProcessTime> {
        self.clock.as_mut()?.read()
    }

    fn delayed_ns(&self) -> u64 {
        // The threads that write to the worker and read from it are among them.
        other_threads_delayed_ns()
    }

    fn network(&mut self, worker: u32) -> Option<NetworkBytes> {
        let mut pids = vec![self.child.pid(), worker];
        pids.dedup();
        self.network.read(&pids).ok()
    }

    fn pause(&self) {
        self.child.pause();
    }

    fn resume(&self) {
        self.child.resume();
    }

    fn pid(&self) -> u32 {
        self.child.pid()
    }

    fn close(&mut self) {
        self.child.close_stdin();
    }

    fn ended_early(&self, status: ExitStatus) -> ProcessError {
        self.child.ended_early(status)
    }

    fn timed_out(&self, allowed: Duration, what: &str) -> ProcessError {
        self.child.timed_out(&Deadline::after(allowed), what)
    }
}
