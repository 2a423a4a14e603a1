//! One worker, spoken to: every wait has a deadline, every answer is checked
//! against what was asked.

use std::collections::VecDeque;
use std::fmt::Display;
use std::time::{Duration, Instant};

use crate::ioc::IocError;
use crate::process::{Child, Command, Deadline, Event, Output, ProcessError, interrupted};
use crate::record::{Failure, FailureKind};
use crate::scenario;
use crate::worker_protocol::{
    Done, FromWorker, Handicap, Hello, Job, Mode, PROTOCOL_VERSION, Span, Stage, StageCommand,
    ToWorker,
};

/// How long a worker may take to load its library, unless the user said how
/// long a stage may take.
const HELLO_DEADLINE: Duration = Duration::from_secs(60);

/// A worker gives up a stage by itself; the harness waits this much longer.
const GRACE: Duration = Duration::from_secs(5);

/// How often a waiting harness looks after the IOC.
const LOOK_AFTER_IOC: Duration = Duration::from_millis(100);

/// How long a worker may take to leave when its stdin ends.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// Timers may end a little early; a worker that ends much earlier has missed
/// updates.
const SHORTEST_OF_ASKED: f64 = 0.999;

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
    let kind = match error {
        IocError::Missing(_) => FailureKind::Missing,
        _ => FailureKind::Ioc,
    };
    failed(kind, stage, error)
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
    /// Lines that came before they were awaited.
    unread: VecDeque<String>,
}

/// A stage that was asked for and is not answered yet.
pub(super) struct Begun {
    command: StageCommand,
    asked: Instant,
}

impl Session {
    /// Starts the worker.
    pub(super) fn start(command: &Command, patience: Patience) -> Result<Session, Halt> {
        let started = Instant::now();
        let child = command.start().map_err(|error| of_process(error, None))?;
        Ok(Session {
            child,
            started,
            log: Output::default(),
            pvs: 0,
            patience,
            free_since_ns: 0,
            unread: VecDeque::new(),
        })
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

    /// Tells the worker its PVs, and by how much to be slower than it is.
    pub(super) fn job(&mut self, pvs: Vec<String>, handicap: Option<Handicap>) {
        self.pvs = pvs.len();
        let timeout_s = self.patience.stage.as_secs_f64();
        self.say(&ToWorker::Job(Job { pvs, timeout_s, handicap }));
    }

    /// Asks for `commands` in one go, so that nothing of ours lies between them,
    /// and waits for all answers. `look_after_ioc` is asked while waiting.
    pub(super) fn stages(
        &mut self,
        commands: &[StageCommand],
        look_after_ioc: &mut dyn FnMut() -> Result<(), IocError>,
    ) -> Result<Vec<Done>, Halt> {
        let begun: Vec<Begun> = commands.iter().map(|command| self.begin(command)).collect();
        begun.into_iter().map(|begun| self.finish(begun, look_after_ioc)).collect()
    }

    /// Asks for a stage without waiting for its answer: [`Session::finish`] does.
    pub(super) fn begin(&mut self, command: &StageCommand) -> Begun {
        // Before the worker hears of it, so that it cannot seem to have taken longer.
        let asked = Instant::now();
        self.say(&ToWorker::Stage(command.clone()));
        Begun { command: command.clone(), asked }
    }

    /// Lets `duration` pass while the worker works on `begun`. What the worker
    /// says meanwhile is kept for [`Session::finish`].
    pub(super) fn meanwhile(
        &mut self,
        begun: &Begun,
        duration: Duration,
        look_after_ioc: &mut dyn FnMut() -> Result<(), IocError>,
    ) -> Result<(), Halt> {
        let stage = Some(begun.command.stage);
        let deadline = Deadline::after(duration);
        while !deadline.remaining().is_zero() {
            if let Some(line) = self.next_line(&deadline, stage, look_after_ioc)? {
                self.unread.push_back(line);
            }
        }
        Ok(())
    }

    /// Waits for the answer to `begun`.
    pub(super) fn finish(
        &mut self,
        begun: Begun,
        look_after_ioc: &mut dyn FnMut() -> Result<(), IocError>,
    ) -> Result<Done, Halt> {
        let Begun { command, asked } = begun;
        let collecting = Duration::from_secs_f64(command.seconds.unwrap_or(0.0));
        let deadline = Deadline::since(asked, collecting + self.patience.stage + GRACE);
        let stage = Some(command.stage);
        match self.next_message(&deadline, stage, look_after_ioc)? {
            FromWorker::Done(done) => {
                self.check(&command, &done, asked.elapsed())?;
                Ok(done)
            }
            FromWorker::Failed(failure) if failure.stage == command.stage => {
                Err(failed(FailureKind::StageFailed, stage, failure.error))
            }
            other => {
                let message =
                    format!("expected the end of {}, got {}", command.stage, shown(&other));
                Err(garbage(stage, message))
            }
        }
    }

    /// Stops the worker in whatever it does, until [`Session::resume`].
    pub(super) fn pause(&self) {
        self.child.pause();
    }

    /// Lets a paused worker go on.
    pub(super) fn resume(&self) {
        self.child.resume();
    }

    /// The process that was started: the worker itself, or what wraps it.
    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
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
        loop {
            let line = match self.unread.pop_front() {
                Some(line) => line,
                None => match self.next_line(deadline, stage, look_after_ioc)? {
                    Some(line) => line,
                    None if deadline.remaining().is_zero() => {
                        let error = self.child.timed_out(deadline, &awaited(stage));
                        return Err(of_process(error, stage));
                    }
                    None => continue,
                },
            };
            return serde_json::from_str(&line).map_err(|error| {
                garbage(stage, format!("{error} in its line: {}", shortened(&line)))
            });
        }
    }

    /// The next line on stdout, if one comes before it is time to look after the
    /// IOC, which is then done.
    fn next_line(
        &mut self,
        deadline: &Deadline,
        stage: Option<Stage>,
        look_after_ioc: &mut dyn FnMut() -> Result<(), IocError>,
    ) -> Result<Option<String>, Halt> {
        let look = Deadline::after(LOOK_AFTER_IOC.min(deadline.remaining()));
        loop {
            match self.child.next_event(&look, &awaited(stage)) {
                Ok(Event::Stdout(line)) => return Ok(Some(line)),
                Ok(Event::Stderr(line)) => self.log.push(line),
                Ok(Event::Ended(status)) => {
                    // A worker that loses its IOC may die of it: blame the IOC.
                    look_after_ioc().map_err(|error| of_ioc(&error, stage))?;
                    return Err(of_process(self.child.ended_early(status), stage));
                }
                Err(ProcessError::TimedOut { .. }) => {
                    look_after_ioc().map_err(|error| of_ioc(&error, stage))?;
                    return Ok(None);
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
        self.check_each(command, done)?;
        self.check_collected(command, done)
    }

    /// Only what is read or written one by one takes a time of its own, and all of
    /// them together cannot have taken longer than the stage.
    fn check_each(&self, command: &StageCommand, done: &Done) -> Result<(), Halt> {
        if done.each_ns.is_empty() {
            return Ok(());
        }
        let stage = Some(command.stage);
        let treats = scenario::reads(command.stage) || command.stage == Stage::Put;
        let timed = match command.mode {
            Mode::Serial if treats => command.pvs.as_ref().map_or(self.pvs, Vec::len),
            _ => 0,
        };
        let told = done.each_ns.len();
        if told != timed {
            return Err(garbage(stage, format!("times of {told} PVs came back for {timed}")));
        }
        let took_ns = done.end_ns.saturating_sub(done.start_ns);
        let sum_ns = done.each_ns.iter().fold(0, |sum: u64, one| sum.saturating_add(*one));
        if sum_ns > took_ns {
            let message = format!("its PVs claim {sum_ns} ns, but all took {took_ns} ns");
            return Err(garbage(stage, message));
        }
        Ok(())
    }

    /// Only `collect` brings updates, and it takes the time that was asked.
    fn check_collected(&self, command: &StageCommand, done: &Done) -> Result<(), Halt> {
        let stage = Some(command.stage);
        if (command.stage == Stage::Collect) != done.updates.is_some() {
            let with = if done.updates.is_some() { "with" } else { "without" };
            return Err(garbage(stage, format!("the answer came {with} updates")));
        }
        let asked_s = command.seconds.unwrap_or(0.0);
        let took_s = done.end_ns.saturating_sub(done.start_ns) as f64 / 1e9;
        if took_s < asked_s * SHORTEST_OF_ASKED {
            let message = format!("it took updates for {took_s:.3} s of {asked_s:.3} s");
            return Err(garbage(stage, message));
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

/// What a worker is waited for to do, for errors.
fn awaited(stage: Option<Stage>) -> String {
    stage.map_or("say hello".to_owned(), |stage| format!("finish {stage}"))
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
