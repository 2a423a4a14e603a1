//! The conversation with one worker: every wait has a deadline, and every answer is checked
//! against its command.

use std::collections::VecDeque;
use std::process::ExitStatus;
use std::time::Duration;

use super::answers::{Asked, check_hello};
use super::stop::{Stop, failed, garbage, of_process};
use super::transport::{Line, Pipes, Transport, WorkerEvent};
use super::witness::{Moment, Witness};
use crate::process::{Command, NetworkBytes, Output};
use crate::record::{FailureKind, Witnessed};
use crate::worker_protocol::{
    Done, Ending, FromWorker, Hello, InjectedSlowdown, Job, PROTOCOL_VERSION, Stage, StageCommand,
    ToWorker,
};

/// How long a worker may take to load its library, unless the user gave a timeout.
const HELLO_DEADLINE: Duration = Duration::from_secs(60);

/// A worker stops at a stage's timeout by itself; the harness waits this much longer.
const GRACE: Duration = Duration::from_secs(5);

/// How often a waiting harness checks the IOC.
const CHECK_IOC_EVERY: Duration = Duration::from_millis(100);

/// How long a worker may take to exit after its stdin ends.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// How many characters of an invalid line an error shows.
const SHOWN_OF_A_LINE: usize = 200;

/// Called every [`CHECK_IOC_EVERY`] during a wait; its error ends the wait, for example when
/// the IOC has died.
pub(super) type CheckIoc<'a> = &'a mut dyn FnMut() -> Result<(), Stop>;

/// How long to wait for a worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timeouts {
    hello: Duration,
    stage: Duration,
}

impl Timeouts {
    /// The user's timeout; without one long enough for every known library, and `usual` for a
    /// stage.
    pub(super) fn new(asked: Option<Duration>, usual: Duration) -> Timeouts {
        Timeouts {
            hello: asked.map_or(HELLO_DEADLINE, |asked| asked + GRACE),
            stage: asked.unwrap_or(usual),
        }
    }
}

/// A running worker.
pub(super) struct Session {
    transport: Box<dyn Transport>,
    log: Output,
    /// The process that sent hello.
    worker: u32,
    /// The version of the protocol that the worker speaks.
    version: u32,
    pvs: usize,
    timeouts: Timeouts,
    /// When the worker finished its last stage, on its own clock.
    free_since_ns: u64,
    witness: Witness,
    /// Lines that arrived before the harness waited for them.
    unread: VecDeque<Line>,
}

/// Stages whose commands went out together and whose answers have not arrived.
pub(super) struct PendingStages {
    commands: Vec<StageCommand>,
    asked: Moment,
}

/// The answer to one stage, and the harness's own measurement of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) done: Done,
    /// The last of several stages has it for all of them.
    pub(super) witnessed: Option<Witnessed>,
}

impl Session {
    /// Starts the worker.
    pub(super) fn start(command: &Command, timeouts: Timeouts) -> Result<Session, Stop> {
        let pipes = Pipes::start(command).map_err(|error| of_process(error, None))?;
        Ok(Session::over(Box::new(pipes), timeouts))
    }

    /// Begins the conversation with a new worker at the other end of `transport`.
    pub(super) fn over(transport: Box<dyn Transport>, timeouts: Timeouts) -> Session {
        Session {
            transport,
            log: Output::default(),
            worker: 0,
            version: PROTOCOL_VERSION,
            pvs: 0,
            timeouts,
            free_since_ns: 0,
            witness: Witness::default(),
            unread: VecDeque::new(),
        }
    }

    /// Waits for the worker's hello.
    pub(super) fn hello(&mut self) -> Result<Hello, Stop> {
        let allowed = self.timeouts.hello;
        let (message, line) = self.next_message(Duration::ZERO, allowed, None, &mut || Ok(()))?;
        let hello = check_hello(message, line.at)?;
        let counted = self.transport.times();
        self.witness.check_import(&hello.import, counted)?;
        self.free_since_ns = hello.import.end_ns;
        self.worker = hello.pid;
        self.version = hello.protocol;
        Ok(hello)
    }

    /// Sends the worker its PVs, and its injected slowdown.
    pub(super) fn job(&mut self, pvs: Vec<String>, slowdown: Option<InjectedSlowdown>) {
        self.pvs = pvs.len();
        let timeout_s = self.timeouts.stage.as_secs_f64();
        let line = encoded(&ToWorker::Job(Job { pvs, timeout_s, slowdown }));
        self.send(&in_words_of(self.version, line));
    }

    /// Sends all `commands` together, so that the harness adds no time between stages, and
    /// waits for all answers.
    pub(super) fn stages(
        &mut self,
        commands: &[StageCommand],
        check_ioc: CheckIoc<'_>,
    ) -> Result<Vec<Answer>, Stop> {
        let pending = self.begin(commands);
        self.finish(pending, check_ioc)
    }

    /// Sends commands without waiting for the answers; [`Session::finish`] waits.
    pub(super) fn begin(&mut self, commands: &[StageCommand]) -> PendingStages {
        let lines: Vec<String> =
            commands.iter().map(|command| encoded(&ToWorker::Stage(command.clone()))).collect();
        // Before the worker gets the command, so that its own span always lies within the wait.
        let asked = self.moment();
        for line in &lines {
            self.send(line);
        }
        PendingStages { commands: commands.to_vec(), asked }
    }

    /// Waits for `duration` while the worker does `pending`. Keeps the lines that arrive for
    /// [`Session::finish`].
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

    /// Waits for the answer to `command`, sent at `asked`; also returns when it arrived.
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
                let kind = match failure.ending {
                    None => FailureKind::StageFailed,
                    Some(Ending::Hang) => FailureKind::TimedOut,
                    Some(Ending::Crash) => FailureKind::Crashed,
                };
                Err(failed(kind, stage, failure.error))
            }
            other => {
                let message =
                    format!("expected the end of {}, got {}", command.stage, shown(&other));
                Err(garbage(stage, message))
            }
        }
    }

    /// Stops the worker's processes until [`Session::resume`].
    pub(super) fn pause(&self) {
        self.transport.pause();
    }

    /// Continues a paused worker.
    pub(super) fn resume(&self) {
        self.transport.resume();
    }

    /// The clock of all waits: the time since the worker's start.
    pub(super) fn now(&self) -> Duration {
        self.transport.now()
    }

    /// The process that the harness started: the worker, or a program that wraps it.
    pub(super) fn pid(&self) -> u32 {
        self.transport.pid()
    }

    /// Bytes on the worker's TCP connections so far; none where the system does not count them.
    pub(super) fn network(&mut self) -> Option<NetworkBytes> {
        self.transport.network(self.worker)
    }

    /// Ends the worker and returns what it printed on stderr.
    pub(super) fn end(mut self) -> String {
        self.transport.close();
        let until = self.transport.now() + EXIT_GRACE;
        loop {
            match self.transport.next_event(until) {
                Ok(Some(WorkerEvent::Answer(_))) => {}
                Ok(Some(WorkerEvent::Log(line))) => self.log.push(line),
                Ok(Some(WorkerEvent::Ended(_)) | None) | Err(_) => return self.log.text(),
            }
        }
    }

    /// How the worker ended, if it ended by itself until the clock shows `until`; its stdin
    /// stays open.
    pub(super) fn ended(&mut self, until: Duration) -> Result<Option<ExitStatus>, Stop> {
        loop {
            let event =
                self.transport.next_event(until).map_err(|error| of_process(error, None))?;
            match event {
                Some(WorkerEvent::Answer(line)) => self.unread.push_back(line),
                Some(WorkerEvent::Log(line)) => self.log.push(line),
                Some(WorkerEvent::Ended(status)) => return Ok(Some(status)),
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

    /// The worker's next message, within `allowed` after `asked`.
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

    /// The next line on stdout; none when it is time to check the IOC, which this does.
    fn next_line(
        &mut self,
        until: Duration,
        stage: Option<Stage>,
        check_ioc: CheckIoc<'_>,
    ) -> Result<Option<Line>, Stop> {
        let look = until.min(self.transport.now() + CHECK_IOC_EVERY);
        loop {
            match self.transport.next_event(look).map_err(|error| of_process(error, stage))? {
                Some(WorkerEvent::Answer(line)) => return Ok(Some(line)),
                Some(WorkerEvent::Log(line)) => self.log.push(line),
                Some(WorkerEvent::Ended(status)) => {
                    // A worker may exit because its IOC died: then the failure is the IOC's.
                    check_ioc().map_err(|stop| stop.at(stage))?;
                    return Err(of_process(self.transport.ended_early(status), stage));
                }
                None => {
                    check_ioc().map_err(|stop| stop.at(stage))?;
                    return Ok(None);
                }
            }
            // A worker that prints without end must not delay the check.
            if self.transport.now() >= look {
                check_ioc().map_err(|stop| stop.at(stage))?;
                return Ok(None);
            }
        }
    }
}

/// What the harness waits for, in the words of an error.
fn awaited(stage: Option<Stage>) -> String {
    stage.map_or("say hello".to_owned(), |stage| format!("finish {stage}"))
}

fn encoded(message: &ToWorker) -> String {
    match serde_json::to_string(message) {
        Ok(line) => line,
        Err(error) => unreachable!("a message is always JSON: {error}"),
    }
}

/// A job's line for a worker of this version: up to version 4 `slowdown` was `handicap`.
/// No PV name contains the key: a line has the quotes of names escaped.
fn in_words_of(version: u32, line: String) -> String {
    const SAYS_SLOWDOWN: u32 = 5;
    match line.rsplit_once(r#","slowdown":"#) {
        Some((before, slowdown)) if version < SAYS_SLOWDOWN => {
            format!(r#"{before},"handicap":{slowdown}"#)
        }
        _ => line,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_of_an_older_version_gets_the_slowdown_under_its_older_name() {
        let job =
            |slowdown| Job { pvs: vec![r#"a","slowdown":"#.to_owned()], timeout_s: 1.0, slowdown };
        let slowed = job(Some(InjectedSlowdown { fraction: 0.5, per_pv_s: 0.0 }));
        let line = encoded(&ToWorker::Job(slowed.clone()));
        let older = in_words_of(4, line.clone());
        assert!(older.ends_with(r#","handicap":{"fraction":0.5,"per_pv_s":0.0}}"#), "{older}");
        assert_eq!(in_words_of(5, line.clone()), line);
        assert_eq!(serde_json::from_str::<ToWorker>(&older).unwrap(), ToWorker::Job(slowed));

        let plain = encoded(&ToWorker::Job(job(None)));
        assert_eq!(in_words_of(4, plain.clone()), plain);
    }
}
