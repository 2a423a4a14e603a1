//! The conversation with one worker: it may crash or hang, and is started again for the rest.

use std::time::Duration;

use super::matrix::Outcome;
use crate::process::{Child, Command, Deadline, Event, ProcessError};
use crate::worker_protocol::{
    Ask, FromWorker, Hello, Job, Mode, Reply, Stage, StageCommand, ToWorker,
};

/// How long a library may take to be loaded.
const HELLO: Duration = Duration::from_secs(60);
/// How long a library has for one call.
pub(super) const CALL: Duration = Duration::from_secs(5);
/// How much longer the harness waits before it takes the call for hung.
const GRACE: Duration = Duration::from_secs(5);

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum Lost {
    /// The worker's process ended, or hangs; what is known of it.
    Worker(Outcome, String),
    /// The user interrupted.
    Interrupted,
}

/// A worker.
pub(super) struct Worker {
    child: Child,
    pub(super) hello: Hello,
}

impl Worker {
    /// Starts it and waits for its hello.
    pub(super) fn start(command: &Command) -> Result<Worker, Lost> {
        let mut child = command.start().map_err(|error| lost(&error))?;
        child.attend(true);
        let deadline = Deadline::after(HELLO);
        let FromWorker::Hello(hello) = next(&mut child, &deadline, "say hello")? else {
            return Err(Lost::Worker(Outcome::Crash, "no hello".to_owned()));
        };
        let job = Job { pvs: Vec::new(), timeout_s: CALL.as_secs_f64(), slowdown: None };
        child.write_line(&encoded(&ToWorker::Job(job)));
        Ok(Worker { child, hello })
    }

    /// Whether it can be asked.
    pub(super) fn is_asked(&self) -> bool {
        self.hello.stages.contains(&Stage::Ask)
    }

    /// Asks and waits for the reply.
    pub(super) fn ask(&mut self, ask: Ask) -> Result<Reply, Lost> {
        let more = Duration::from_secs_f64(ask.seconds.unwrap_or(0.0));
        let command = StageCommand {
            ask: Some(Box::new(ask)),
            ..StageCommand::new(Stage::Ask, Mode::Serial)
        };
        self.child.write_line(&encoded(&ToWorker::Stage(command)));
        let deadline = Deadline::after(CALL + more + GRACE);
        match next(&mut self.child, &deadline, "answer")? {
            FromWorker::Done(done) => match done.reply {
                Some(reply) => Ok(reply),
                None => Ok(Reply::Error("the worker answered without a reply".to_owned())),
            },
            FromWorker::Failed(failed) => Ok(Reply::Error(failed.error)),
            FromWorker::Hello(_) => Ok(Reply::Error("the worker greeted twice".to_owned())),
        }
    }
}

fn next(child: &mut Child, deadline: &Deadline, what: &str) -> Result<FromWorker, Lost> {
    loop {
        match child.next_event(deadline, what).map_err(|error| lost(&error))? {
            Event::Stdout(line) => {
                return serde_json::from_str(&line)
                    .map_err(|error| Lost::Worker(Outcome::Crash, format!("{error}: {line}")));
            }
            Event::Stderr(_) => {}
            Event::Ended(status) => {
                let output = child.output();
                let last = output.lines().last().unwrap_or_default();
                return Err(Lost::Worker(Outcome::Crash, format!("{status}: {last}")));
            }
        }
    }
}

fn lost(error: &ProcessError) -> Lost {
    match error {
        ProcessError::Interrupted => Lost::Interrupted,
        ProcessError::TimedOut { what, seconds, .. } => {
            Lost::Worker(Outcome::Hang, format!("did not {what} within {seconds} s"))
        }
        error => Lost::Worker(Outcome::Crash, error.to_string()),
    }
}

fn encoded(message: &ToWorker) -> String {
    match serde_json::to_string(message) {
        Ok(line) => line,
        Err(error) => unreachable!("a message is always JSON: {error}"),
    }
}
