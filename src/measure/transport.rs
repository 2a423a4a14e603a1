//! Carries the lines between the harness and a worker: the pipes of a process, or in tests a
//! scripted conversation.

use std::process::ExitStatus;
use std::time::{Duration, Instant};

use crate::process::{
    Child, Command, Deadline, Event, NetworkBytes, NetworkCounter, ProcessClock, ProcessError,
    ProcessTime, other_threads_delayed_ns,
};

/// An event of a worker.
#[derive(Debug)]
pub(super) enum WorkerEvent {
    /// A line on stdout.
    Answer(Line),
    /// A line on stderr.
    Log(String),
    /// It ended, and all its output has been read.
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

/// The connection to one worker. A session reads no other clock than its.
pub(super) trait Transport {
    /// The time since the worker was started.
    fn now(&self) -> Duration;

    /// Sends a line; never blocks.
    fn send(&mut self, line: &str);

    /// Blocks until the next event, at most until the clock shows `until`; then none.
    ///
    /// # Errors
    /// [`ProcessError::Interrupted`], and when the process cannot be waited for.
    fn next_event(&mut self, until: Duration) -> Result<Option<WorkerEvent>, ProcessError>;

    /// What the system counts for the worker and its descendants; none where it does not count.
    fn times(&mut self) -> Option<ProcessTime>;

    /// How long the thread that carries the lines has waited for a core so far.
    fn delayed_ns(&self) -> u64;

    /// Bytes so far on the TCP connections of the process that was started and of `worker`,
    /// which sent hello; none where the system does not count them.
    fn network(&mut self, worker: u32) -> Option<NetworkBytes>;

    /// Stops the worker's processes until [`Transport::resume`].
    fn pause(&self);

    /// Continues a paused worker.
    fn resume(&self);

    /// The process that the harness started: the worker, or a program that wraps it.
    fn pid(&self) -> u32;

    /// Closes the worker's stdin after everything sent so far.
    fn close(&mut self);

    /// The error for a worker that exited too early.
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

    fn next_event(&mut self, until: Duration) -> Result<Option<WorkerEvent>, ProcessError> {
        let deadline = Deadline::after(until.saturating_sub(self.now()));
        match self.child.next_event(&deadline, "answer") {
            Ok(Event::Stdout(text)) => {
                let at = self.child.event_at().saturating_duration_since(self.started);
                Ok(Some(WorkerEvent::Answer(Line { text, at })))
            }
            Ok(Event::Stderr(line)) => Ok(Some(WorkerEvent::Log(line))),
            Ok(Event::Ended(status)) => Ok(Some(WorkerEvent::Ended(status))),
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
