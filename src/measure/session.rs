//! One worker, spoken to: every wait has a deadline, every answer is checked
//! against what was asked.

use std::time::{Duration, Instant};

use crate::ioc::IocError;
use crate::process::{Child, Command, Deadline, Event, ProcessError, interrupted};
use crate::protocol::{
    Done, FromWorker, Hello, Job, PROTOCOL_VERSION, Span, Stage, StageCommand, ToWorker,
};
use crate::record::{Failure, FailureKind};
use crate::scenario;

/// How long a worker may take to load its library.
const HELLO_DEADLINE: Duration = Duration::from_secs(60);

/// A worker gives up a stage by itself; the harness waits this much longer.
const GRACE: Duration = Duration::from_secs(5);

/// How often a waiting harness looks after the IOC.
const LOOK_AFTER_IOC: Duration = Duration::from_millis(100);

/// How long a worker may take to leave when its stdin ends.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// Characters of an unintelligible line that an error shows.
const SHOWN_OF_A_LINE: usize = 200;

/// Why a worker's measurement stopped.
#[derive(Debug)]
pub(super) enum Halt {
    /// It failed, which is recorded.
    Failed(Failure),
    /// The user stopped the run.
    Interrupted,
}

impl From<IocError> for Halt {
    fn from(error: IocError) -> Halt {
        if matches!(error, IocError::Process(ProcessError::Interrupted)) {
            return Halt::Interrupted;
        }
        failed(FailureKind::Ioc, None, error.to_string())
    }
}

pub(super) fn failed(kind: FailureKind, stage: Option<Stage>, message: impl Into<String>) -> Halt {
    Halt::Failed(Failure { kind, stage, message: message.into() })
}

/// A worker that has said hello.
pub(super) struct Session {
    child: Child,
    log: Vec<String>,
    pvs: usize,
    timeout: Duration,
}

impl Session {
    /// Starts the worker and waits for its hello.
    pub(super) fn start(command: &Command, timeout: Duration) -> Result<(Session, Hello), Halt> {
        let child = command.start().map_err(|error| of_process(error, None))?;
        let mut session = Session { child, log: Vec::new(), pvs: 0, timeout };
        let deadline = Deadline::after(HELLO_DEADLINE);
        let answer = session.next_message(&deadline, None, &mut || Ok(()))?;
        match answer {
            FromWorker::Hello(hello) if hello.protocol == PROTOCOL_VERSION => Ok((session, hello)),
            FromWorker::Hello(hello) => Err(garbage(
                None,
                format!(
                    "the worker speaks protocol {}, this build speaks {PROTOCOL_VERSION}",
                    hello.protocol
                ),
            )),
            other => Err(garbage(None, format!("expected hello, got {}", shown(&other)))),
        }
    }

    /// Tells the worker its PVs.
    pub(super) fn job(&mut self, pvs: Vec<String>) {
        self.pvs = pvs.len();
        self.say(&ToWorker::Job(Job { pvs, timeout_s: self.timeout.as_secs_f64() }));
    }

    /// Asks for `commands` in one go, so that nothing of ours lies between them,
    /// and waits for all answers. `look_after_ioc` is asked while waiting.
    pub(super) fn stages(
        &mut self,
        commands: &[StageCommand],
        look_after_ioc: &mut dyn FnMut() -> Result<(), IocError>,
    ) -> Result<Vec<Done>, Halt> {
        let asked = Instant::now();
        for command in commands {
            self.say(&ToWorker::Stage(command.clone()));
        }
        let mut answers = Vec::new();
        for command in commands {
            let deadline = Deadline::after(self.timeout + GRACE);
            let stage = Some(command.stage);
            match self.next_message(&deadline, stage, look_after_ioc)? {
                FromWorker::Done(done) => {
                    self.check(command, &done, asked.elapsed())?;
                    answers.push(done);
                }
                FromWorker::Failed(failure) if failure.stage == command.stage => {
                    return Err(failed(FailureKind::StageFailed, stage, failure.error));
                }
                other => {
                    let got = shown(&other);
                    let message = format!("expected the end of {}, got {got}", command.stage);
                    return Err(garbage(stage, message));
                }
            }
        }
        Ok(answers)
    }

    /// Ends the worker and gives what it printed on stderr.
    pub(super) fn end(self) -> String {
        self.child.stop(LEAVE_PATIENCE);
        self.log.concat()
    }

    /// What it printed on stderr so far.
    pub(super) fn log(&self) -> String {
        self.log.concat()
    }

    fn say(&self, message: &ToWorker) {
        match serde_json::to_string(message) {
            Ok(line) => self.child.write_line(&line),
            Err(error) => unreachable!("a message is always JSON: {error}"),
        }
    }

    fn next_message(
        &mut self,
        deadline: &Deadline,
        stage: Option<Stage>,
        look_after_ioc: &mut dyn FnMut() -> Result<(), IocError>,
    ) -> Result<FromWorker, Halt> {
        let what = stage.map_or("say hello".to_owned(), |stage| format!("finish {stage}"));
        loop {
            let look = Deadline::after(LOOK_AFTER_IOC.min(deadline.remaining()));
            match self.child.next_event(&look, &what) {
                Ok(Event::Stdout(line)) => {
                    return serde_json::from_str(&line).map_err(|error| {
                        garbage(stage, format!("{error} in its line: {}", shortened(&line)))
                    });
                }
                Ok(Event::Stderr(line)) => self.log.push(line + "\n"),
                Ok(Event::Ended(status)) => {
                    // A worker that loses its IOC may die of it: blame the IOC.
                    look_after_ioc()?;
                    return Err(of_process(self.child.ended_early(status), stage));
                }
                Err(ProcessError::TimedOut { .. }) if !deadline.remaining().is_zero() => {
                    look_after_ioc()?;
                }
                Err(ProcessError::TimedOut { .. }) => {
                    return Err(of_process(self.child.timed_out(deadline, &what), stage));
                }
                Err(error) => return Err(of_process(error, stage)),
            }
        }
    }

    /// An answer must be the answer to the command, and cannot have taken longer
    /// than the harness waited for it.
    fn check(&self, command: &StageCommand, done: &Done, waited: Duration) -> Result<(), Halt> {
        let stage = Some(command.stage);
        if (done.stage, done.mode) != (command.stage, command.mode) {
            let message = format!(
                "asked for {} in {} mode, answered for {} in {} mode",
                command.stage, command.mode, done.stage, done.mode
            );
            return Err(garbage(stage, message));
        }
        let took = done.end_ns.checked_sub(done.start_ns).map(Duration::from_nanos);
        if took.is_none_or(|took| took > waited) {
            let message = format!(
                "it claims to have worked from {} ns to {} ns, but the answer came after {} ns",
                done.start_ns,
                done.end_ns,
                waited.as_nanos()
            );
            return Err(garbage(stage, message));
        }
        let expected = match &command.pvs {
            _ if !scenario::reads(command.stage) => 0,
            Some(pvs) => pvs.len(),
            None => self.pvs,
        };
        let got = done.values.as_ref().map_or(0, Vec::len);
        if got != expected {
            let message = format!("{got} values came back for {expected} PVs");
            return Err(failed(FailureKind::WrongValue, stage, message));
        }
        Ok(())
    }
}

/// The worker's own span of loading its library, checked for sense.
pub(super) fn check_import(import: &Span) -> Result<(), Halt> {
    if import.end_ns < import.start_ns {
        return Err(garbage(Some(Stage::Import), "its import ended before it started"));
    }
    Ok(())
}

fn garbage(stage: Option<Stage>, message: impl Into<String>) -> Halt {
    failed(FailureKind::Garbage, stage, message)
}

fn of_process(error: ProcessError, stage: Option<Stage>) -> Halt {
    let kind = match &error {
        ProcessError::Interrupted => return Halt::Interrupted,
        ProcessError::Start { .. } | ProcessError::Unpack(_) => FailureKind::Missing,
        ProcessError::Ended { .. } if interrupted() => return Halt::Interrupted,
        ProcessError::Ended { .. } => FailureKind::Crashed,
        ProcessError::TimedOut { .. } => FailureKind::TimedOut,
    };
    failed(kind, stage, error.to_string())
}

fn shown(message: &FromWorker) -> String {
    serde_json::to_string(message).map_or_else(|error| error.to_string(), |line| shortened(&line))
}

fn shortened(line: &str) -> String {
    let mut characters = line.chars();
    let start: String = characters.by_ref().take(SHOWN_OF_A_LINE).collect();
    if characters.next().is_some() { start + " …" } else { start }
}
