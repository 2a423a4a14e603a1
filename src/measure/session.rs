//! One worker, spoken to: every wait has a deadline, every answer is checked
//! against what was asked.

use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::ioc::IocError;
use crate::process::{Child, Command, Deadline, Event, Output, ProcessError, interrupted};
use crate::protocol::{
    Done, FromWorker, Hello, Job, PROTOCOL_VERSION, Span, Stage, StageCommand, ToWorker,
};
use crate::record::{Failure, FailureKind};
use crate::scenario;

/// How long a worker may take to load its library, unless the user said how
/// long a stage may take.
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
        of_ioc(&error, None)
    }
}

pub(super) fn of_ioc(error: &IocError, stage: Option<Stage>) -> Halt {
    if matches!(error, IocError::Process(ProcessError::Interrupted)) {
        return Halt::Interrupted;
    }
    failed(FailureKind::Ioc, stage, error)
}

pub(super) fn failed(kind: FailureKind, stage: Option<Stage>, message: impl Display) -> Halt {
    let message = match stage {
        Some(stage) => format!("{stage}: {message}"),
        None => message.to_string(),
    };
    Halt::Failed(Failure { kind, stage, message })
}

/// How long to wait for a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    hello: Duration,
    stage: Duration,
}

impl Patience {
    /// As long as the user said; else long enough for every known library, and
    /// for a stage `usual`.
    pub(super) fn new(said: Option<Duration>, usual: Duration) -> Patience {
        Patience {
            hello: said.map_or(HELLO_DEADLINE, |said| said + GRACE),
            stage: said.unwrap_or(usual),
        }
    }
}

/// A running worker.
pub(super) struct Session {
    child: Child,
    started: Instant,
    log: Output,
    pvs: usize,
    patience: Patience,
    /// When, by its own clock, the worker finished what it did last.
    free_since_ns: u64,
}

impl Session {
    /// Starts the worker.
    pub(super) fn start(command: &Command, patience: Patience) -> Result<Session, Halt> {
        let started = Instant::now();
        let child = command.start().map_err(|error| of_process(error, None))?;
        Ok(Session { child, started, log: Output::default(), pvs: 0, patience, free_since_ns: 0 })
    }

    /// Waits for the worker's first words.
    pub(super) fn hello(&mut self) -> Result<Hello, Halt> {
        let deadline = Deadline::after(self.patience.hello);
        match self.next_message(&deadline, None, &mut || Ok(()))? {
            FromWorker::Hello(hello) if hello.protocol == PROTOCOL_VERSION => {
                self.check_span(Stage::Import, &hello.import, self.started.elapsed())?;
                Ok(hello)
            }
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
        self.say(&ToWorker::Job(Job { pvs, timeout_s: self.patience.stage.as_secs_f64() }));
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
            let deadline = Deadline::after(self.patience.stage + GRACE);
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
    pub(super) fn end(mut self) -> String {
        self.child.close_stdin();
        let deadline = Deadline::after(LEAVE_PATIENCE);
        loop {
            match self.child.next_event(&deadline, "end") {
                Ok(Event::Stdout(_)) => {}
                Ok(Event::Stderr(line)) => self.log.push(line),
                Ok(Event::Ended(_)) | Err(_) => return self.log.text(),
            }
        }
    }

    /// What it printed on stderr so far.
    pub(super) fn log(&self) -> String {
        self.log.text()
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
                Ok(Event::Stderr(line)) => self.log.push(line),
                Ok(Event::Ended(status)) => {
                    // A worker that loses its IOC may die of it: blame the IOC.
                    look_after_ioc().map_err(|error| of_ioc(&error, stage))?;
                    return Err(of_process(self.child.ended_early(status), stage));
                }
                Err(ProcessError::TimedOut { .. }) if !deadline.remaining().is_zero() => {
                    look_after_ioc().map_err(|error| of_ioc(&error, stage))?;
                }
                Err(ProcessError::TimedOut { .. }) => {
                    return Err(of_process(self.child.timed_out(deadline, &what), stage));
                }
                Err(error) => return Err(of_process(error, stage)),
            }
        }
    }

    /// An answer must be the answer to the command, in time and in number.
    fn check(&mut self, command: &StageCommand, done: &Done, waited: Duration) -> Result<(), Halt> {
        let stage = Some(command.stage);
        if (done.stage, done.mode) != (command.stage, command.mode) {
            let message = format!(
                "asked for {} in {} mode, answered for {} in {} mode",
                command.stage, command.mode, done.stage, done.mode
            );
            return Err(garbage(stage, message));
        }
        let span = Span { start_ns: done.start_ns, end_ns: done.end_ns, cpu_ns: done.cpu_ns };
        self.check_span(command.stage, &span, waited)?;
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

    /// Work goes on after what was done before, and cannot have taken longer
    /// than the harness waited for it.
    fn check_span(&mut self, stage: Stage, span: &Span, waited: Duration) -> Result<(), Halt> {
        let Span { start_ns, end_ns, .. } = *span;
        let claim = format!("it claims to have worked from {start_ns} ns to {end_ns} ns");
        let took = end_ns.checked_sub(start_ns).map(Duration::from_nanos);
        if took.is_none_or(|took| took > waited) {
            let waited_ns = waited.as_nanos();
            let message = format!("{claim}, but the answer came after {waited_ns} ns");
            return Err(garbage(Some(stage), message));
        }
        if start_ns < self.free_since_ns {
            let busy_until_ns = self.free_since_ns;
            let message = format!("{claim}, but before that it was busy until {busy_until_ns} ns");
            return Err(garbage(Some(stage), message));
        }
        self.free_since_ns = end_ns;
        Ok(())
    }
}

fn garbage(stage: Option<Stage>, message: impl Display) -> Halt {
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
    failed(kind, stage, error)
}

fn shown(message: &FromWorker) -> String {
    serde_json::to_string(message).map_or_else(|error| error.to_string(), |line| shortened(&line))
}

fn shortened(line: &str) -> String {
    let mut characters = line.chars();
    let start: String = characters.by_ref().take(SHOWN_OF_A_LINE).collect();
    if characters.next().is_some() { start + " …" } else { start }
}
