//! One worker, spoken to: every wait has a deadline, every answer is checked
//! against what was asked.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::time::Duration;

use super::answers::{Asked, check_hello};
use super::stop::{Stop, failed, garbage, of_process};
use super::transport::{Heard, Line, Pipes, Transport};
use super::witness::{Moment, Witness};
use crate::process::{Command, NetworkBytes, Output};
use crate::record::{FailureKind, Witnessed};
use crate::worker_protocol::{
    Done, FromWorker, Handicap, Hello, Job, Stage, StageCommand, ToWorker,
};

/// How long a worker may take to load its library, unless the user said how
/// long a stage may take.
const HELLO_DEADLINE: Duration = Duration::from_secs(60);

/// A worker gives up a stage by itself; the harness waits this much longer.
const GRACE: Duration = Duration::from_secs(5);

/// How often a waiting harness checks the IOC.
const CHECK_IOC_EVERY: Duration = Duration::from_millis(100);

/// How long a worker may take to leave when its stdin ends.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// Characters of an unintelligible line that an error shows.
const SHOWN_OF_A_LINE: usize = 200;

/// Called now and then while the harness waits: an IOC that died ends the wait, and
/// whatever else makes it useless.
pub(super) type CheckIoc<'a> = &'a mut dyn FnMut() -> Result<(), Stop>;

/// How long to wait for a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    hello: Duration,
    stage: Duration,
}

impl Timeouts {
    /// As long as the user said; else long enough for every known library, and
    /// for a stage `usual`.
    pub(super) fn new(said: Option<Duration>, usual: Duration) -> Timeouts {
        Timeouts {
            hello: said.map_or(HELLO_DEADLINE, |said| said + GRACE),
            stage: said.unwrap_or(usual),
        }
    }
}

/// A running worker.
pub(super) struct Session {
    transport: Box<dyn Transport>,
    log: Output,
    /// The process that says hello.
    worker: u32,
    pvs: usize,
    timeouts: Timeouts,
    /// When, by its own clock, the worker finished what it did last.
    free_since_ns: u64,
    witness: Witness,
    /// Lines that came before they were awaited.
    unread: VecDeque<Line>,
}

/// Stages that were asked for in one go and are not answered yet.
pub(super) struct PendingStages {
    commands: Vec<StageCommand>,
    asked: Moment,
}

/// The answer to one stage, and what the harness saw of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) done: Done,
    /// With the last of several stages, of them together.
    pub(super) witnessed: Option<Witnessed>,
}

impl Session {
    /// Starts the worker.
    pub(super) fn start(command: &Command, timeouts: Timeouts) -> Result<Session, Stop> {
        let pipes = Pipes::start(command).map_err(|error| of_process(error, None))?;
        Ok(Session::over(Box::new(pipes), timeouts))
    }

    /// A worker that was just started, at the other end of `transport`.
    pub(super) fn over(transport: Box<dyn Transport>, timeouts: Timeouts) -> Session {
        Session {
            transport,
            log: Output::default(),
            worker: 0,
            pvs: 0,
            timeouts,
            free_since_ns: 0,
            witness: Witness::default(),
            unread: VecDeque::new(),
        }
    }

    /// Waits for the worker's first words.
    pub(super) fn hello(&mut self) -> Result<Hello, Stop> {
        let allowed = self.timeouts.hello;
        let (message, line) = self.next_message(Duration::ZERO, allowed, None, &mut || Ok(()))?;
        let hello = check_hello(message, line.at)?;
        let counted = self.transport.times();
        self.witness.check_import(&hello.import, counted)?;
        self.free_since_ns = hello.import.end_ns;
        self.worker = hello.pid;
        Ok(hello)
    }

    /// Gives the worker its PVs, and by how much to be slower than it is.
    pub(super) fn job(&mut self, pvs: Vec<String>, handicap: Option<Handicap>) {
        self.pvs = pvs.len();
        let timeout_s = self.timeouts.stage.as_secs_f64();
        let line = encoded(&ToWorker::Job(Job { pvs, timeout_s, handicap }));
        self.send(&line);
    }

    /// Asks for `commands` in one go, so that nothing of ours lies between them,
    /// and waits for all answers.
    pub(super) fn stages(
        &mut self,
        commands: &[StageCommand],
        check_ioc: CheckIoc<'_>,
    ) -> Result<Vec<Answer>, Stop> {
        let pending = self.begin(commands);
        self.finish(pending, check_ioc)
    }

    /// Asks for stages without waiting for their answers: [`Session::finish`] does.
    pub(super) fn begin(&mut self, commands: &[StageCommand]) -> PendingStages {
        let lines: Vec<String> =
            commands.iter().map(|command| encoded(&ToWorker::Stage(command.clone()))).collect();
        // Before the worker hears of it, so that it cannot seem to have taken longer.
        let asked = self.moment();
        for line in &lines {
            self.send(line);
        }
        PendingStages { commands: commands.to_vec(), asked }
    }

    /// Lets `duration` pass while the worker works on `pending`. What the worker
    /// says meanwhile is kept for [`Session::finish`].
    pub(super) fn meanwhile(
        &mut self,
        pending: &PendingStages,
        duration: Duration,
        check_ioc: CheckIoc<'_>,
    ) -> Result<(), Stop> {
        let stage = pending.commands.first().map(|command| command.stage);
        let until = self.transport.now() + duration;
        while self.transport.now() < until {
            if let Some(line) = self.next_line(until, stage, check_ioc)? {
                self.unread.push_back(line);
            }
        }
        Ok(())
    }

    /// Waits for the answers to `pending`, in the order of the stages.
    pub(super) fn finish(
        &mut self,
        pending: PendingStages,
        check_ioc: CheckIoc<'_>,
    ) -> Result<Vec<Answer>, Stop> {
        let PendingStages { commands, asked } = pending;
        let mut answers = Vec::new();
        let mut answered = asked.at;
        for command in &commands {
            let (done, at) = self.finish_one(command, asked.at, check_ioc)?;
            answered = at;
            answers.push(Answer { done, witnessed: None });
        }
        let over = self.moment();
        let claims = answers.iter().map(|answer| &answer.done);
        let witnessed = self.witness.of_wait(claims, &asked, answered, &over)?;
        if let Some(last) = answers.last_mut() {
            last.witnessed = witnessed;
        }
        Ok(answers)
    }

    /// Waits for the answer to `command`, which was asked for at `asked`; also gives
    /// when it came.
    fn finish_one(
        &mut self,
        command: &StageCommand,
        asked: Duration,
        check_ioc: CheckIoc<'_>,
    ) -> Result<(Done, Duration), Stop> {
        let collecting = Duration::from_secs_f64(command.seconds.unwrap_or(0.0));
        let allowed = collecting + self.timeouts.stage + GRACE;
        let stage = Some(command.stage);
        let (message, line) = self.next_message(asked, allowed, stage, check_ioc)?;
        match message {
            FromWorker::Done(done) => {
                let waited = line.at.saturating_sub(asked);
                Asked { command, pvs: self.pvs, waited, free_since_ns: self.free_since_ns }
                    .check(&done)?;
                self.free_since_ns = done.end_ns;
                Ok((done, line.at))
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
        self.transport.pause();
    }

    /// Lets a paused worker go on.
    pub(super) fn resume(&self) {
        self.transport.resume();
    }

    /// The clock of the waits: the time since the worker was started.
    pub(super) fn now(&self) -> Duration {
        self.transport.now()
    }

    /// The process that was started: the worker itself, or what wraps it.
    pub(super) fn pid(&self) -> u32 {
        self.transport.pid()
    }

    /// What the worker's TCP connections have carried so far; none where the system does
    /// not tell.
    pub(super) fn network(&mut self) -> Option<NetworkBytes> {
        self.transport.network(self.worker)
    }

    /// Ends the worker and gives what it printed on stderr.
    pub(super) fn end(mut self) -> String {
        self.transport.close();
        let until = self.transport.now() + EXIT_GRACE;
        loop {
            match self.transport.hear(until) {
                Ok(Some(Heard::Answer(_))) => {}
                Ok(Some(Heard::Log(line))) => self.log.push(line),
                Ok(Some(Heard::Ended(_)) | None) | Err(_) => return self.log.text(),
            }
        }
    }

    /// How the worker ended, if it ended by itself until the clock shows `until`; its stdin
    /// stays open.
    pub(super) fn ended(&mut self, until: Duration) -> Result<Option<ExitStatus>, Stop> {
        loop {
            let heard = self.transport.hear(until).map_err(|error| of_process(error, None))?;
            match heard {
                Some(Heard::Answer(line)) => self.unread.push_back(line),
                Some(Heard::Log(line)) => self.log.push(line),
                Some(Heard::Ended(status)) => return Ok(Some(status)),
                None => return Ok(None),
            }
            if self.transport.now() >= until {
                return Ok(None);
            }
        }
    }

    /// What it printed on stderr so far.
    pub(super) fn log(&self) -> String {
        self.log.text()
    }

    fn moment(&mut self) -> Moment {
        let (times, carrier_delayed_ns) = (self.transport.times(), self.transport.delayed_ns());
        Moment { at: self.transport.now(), times, carrier_delayed_ns }
    }

    fn send(&mut self, line: &str) {
        self.witness.sent(line);
        self.transport.send(line);
    }

    /// The next message of the worker, `allowed` after `asked` at the latest.
    fn next_message(
        &mut self,
        asked: Duration,
        allowed: Duration,
        stage: Option<Stage>,
        check_ioc: CheckIoc<'_>,
    ) -> Result<(FromWorker, Line), Stop> {
        let until = asked + allowed;
        let line = loop {
            if let Some(line) = self.unread.pop_front() {
                break line;
            }
            match self.next_line(until, stage, check_ioc)? {
                Some(line) => break line,
                None if self.transport.now() >= until => {
                    let error = self.transport.timed_out(allowed, &awaited(stage));
                    return Err(of_process(error, stage));
                }
                None => {}
            }
        };
        self.witness.received(&line.text);
        match serde_json::from_str(&line.text) {
            Ok(message) => Ok((message, line)),
            Err(error) => {
                let message = format!("{error} in its line: {}", shortened(&line.text));
                Err(garbage(stage, message))
            }
        }
    }

    /// The next line on stdout, if one comes before it is time to check the IOC, which
    /// is then done.
    fn next_line(
        &mut self,
        until: Duration,
        stage: Option<Stage>,
        check_ioc: CheckIoc<'_>,
    ) -> Result<Option<Line>, Stop> {
        let look = until.min(self.transport.now() + CHECK_IOC_EVERY);
        loop {
            match self.transport.hear(look).map_err(|error| of_process(error, stage))? {
                Some(Heard::Answer(line)) => return Ok(Some(line)),
                Some(Heard::Log(line)) => self.log.push(line),
                Some(Heard::Ended(status)) => {
                    // A worker that loses its IOC may die of it: blame the IOC.
                    check_ioc().map_err(|stop| stop.at(stage))?;
                    return Err(of_process(self.transport.ended_early(status), stage));
                }
                None => {
                    check_ioc().map_err(|stop| stop.at(stage))?;
                    return Ok(None);
                }
            }
            // One that writes to its log for ever does not keep the rest waiting.
            if self.transport.now() >= look {
                check_ioc().map_err(|stop| stop.at(stage))?;
                return Ok(None);
            }
        }
    }
}

/// What a worker is waited for to do, for errors.
fn awaited(stage: Option<Stage>) -> String {
    stage.map_or("say hello".to_owned(), |stage| format!("finish {stage}"))
}

fn encoded(message: &ToWorker) -> String {
    match serde_json::to_string(message) {
        Ok(line) => line,
        Err(error) => unreachable!("a message is always JSON: {error}"),
    }
}

fn shown(message: &FromWorker) -> String {
    serde_json::to_string(message).map_or_else(|error| error.to_string(), |line| shortened(&line))
}

fn shortened(line: &str) -> String {
    let mut characters = line.chars();
    let start: String = characters.by_ref().take(SHOWN_OF_A_LINE).collect();
    if characters.next().is_some() { start + " …" } else { start }
}
