//! Workers side by side: each has its own process, one that fails leaves, and the others go on.

use std::time::Duration;

use super::{Finished, PlannedConfiguration};
use crate::ioc::{IocError, SearchCounter, Server, TimedSearches};
use crate::lookup::Lookup;
use crate::measure::Candidate;
use crate::measure::driven::note_hello;
use crate::measure::lookup::{self, Environment};
use crate::measure::session::{Answer, PendingStages, Session, Timeouts};
use crate::measure::stop::{Stop, failed};
use crate::measure::{linked, single};
use crate::record::{Failure, FailureKind, FaultRun, Record};
use crate::scenario::PROCESSED_FACTOR;
use crate::worker_protocol::{Content, Hello, Mode, Monitor, Reported, Stage, StageCommand};

/// How long one worker is listened to before the next.
const TURN: Duration = Duration::from_millis(2);

/// What workers are started for.
#[derive(Clone)]
pub(super) struct Setup<'a> {
    pub(super) planned: &'a PlannedConfiguration,
    pub(super) timeouts: Timeouts,
    /// The names of their PVs.
    pub(super) pvs: Vec<String>,
    /// Whether searches are counted where they arrive.
    pub(super) counts_searches: bool,
    /// Where all of them search too, so that their searches are counted together.
    pub(super) searches_at: Option<&'a SearchCounter>,
}

/// All workers of one fault.
pub(super) struct Workers {
    all: Vec<FaultWorker>,
}

/// One worker.
pub(super) struct FaultWorker {
    /// None of one that failed or ended.
    session: Option<Session>,
    hello: Option<Hello>,
    record: Record,
    log: String,
    /// Keeps a port where no search is answered.
    _environment: Option<Environment>,
    /// Where its searches are counted, if they are.
    searches: Option<SearchCounter>,
}

/// What came of what one worker was asked.
pub(super) type Outcome = Result<Vec<Answer>, Failure>;

/// One subscription to each PV, whose values are those of processed records.
pub(super) fn subscribe_to_scalars(room: usize) -> StageCommand {
    let monitor = Monitor {
        content: Content::Scalars,
        step: PROCESSED_FACTOR,
        room,
        monitors: 1,
        callback_s: None,
        frames: 0,
        may_be_silent: false,
    };
    StageCommand { monitor: Some(monitor), ..StageCommand::new(Stage::Subscribe, Mode::Bulk) }
}

/// What every worker was asked, where it was.
pub(super) struct Asked(Vec<Option<PendingStages>>);

impl Workers {
    /// Starts all workers and hears their hellos.
    pub(super) fn start(
        given: Vec<(&Candidate, Record)>,
        ioc: &dyn Server,
        setup: &Setup<'_>,
    ) -> Result<Workers, Stop> {
        let mut workers = Vec::new();
        for (candidate, record) in &given {
            let mut worker = FaultWorker {
                session: None,
                hello: None,
                record: Record { server_versions: ioc.versions(), ..record.clone() },
                log: String::new(),
                _environment: None,
                searches: None,
            };
            match started(candidate, ioc, setup) {
                Ok(Started { session, environment, searches }) => {
                    worker.session = Some(session);
                    worker._environment = Some(environment);
                    worker.searches = searches;
                }
                Err(stop) => worker.leave(stop)?,
            }
            workers.push(worker);
        }
        let mut workers = Workers { all: workers };
        for (worker, (candidate, _)) in workers.all.iter_mut().zip(&given) {
            let shaken = worker.handshake(candidate, setup);
            if let Err(stop) = shaken {
                worker.leave(stop)?;
            }
        }
        Ok(workers)
    }

    /// Those that have not failed.
    pub(super) fn running(&mut self) -> impl Iterator<Item = &mut FaultWorker> {
        self.all.iter_mut().filter(|worker| worker.session.is_some())
    }

    /// Whether nobody is left.
    pub(super) fn is_empty(&self) -> bool {
        self.all.iter().all(|worker| worker.session.is_none())
    }

    /// Asks all for the stages that `commands` gives for them; who cannot do them leaves.
    pub(super) fn begin(
        &mut self,
        commands: impl Fn(&FaultWorker) -> Result<Vec<StageCommand>, Stop>,
    ) -> Result<Asked, Stop> {
        let mut asked = Vec::new();
        for worker in &mut self.all {
            let pending = match (worker.session.is_some(), commands(worker)) {
                (false, _) => None,
                (true, Ok(commands)) => worker.session.as_mut().map(|one| one.begin(&commands)),
                (true, Err(stop)) => {
                    worker.leave(stop)?;
                    None
                }
            };
            asked.push(pending);
        }
        Ok(Asked(asked))
    }

    /// Waits for the answers of all; none of a worker that failed, which leaves.
    pub(super) fn finish(&mut self, asked: Asked) -> Result<Vec<Option<Vec<Answer>>>, Stop> {
        let outcomes = self.outcomes(asked)?;
        let mut answers = Vec::new();
        for (worker, outcome) in self.all.iter_mut().zip(outcomes) {
            answers.push(match outcome {
                None => None,
                Some(Ok(own)) => Some(own),
                Some(Err(failure)) => {
                    worker.fail(failure);
                    None
                }
            });
        }
        Ok(answers)
    }

    /// Waits for the answers of all, or for their failures; nobody leaves.
    pub(super) fn outcomes(&mut self, asked: Asked) -> Result<Vec<Option<Outcome>>, Stop> {
        let mut outcomes = Vec::new();
        for (worker, pending) in self.all.iter_mut().zip(asked.0) {
            let Some((session, pending)) = worker.session.as_mut().zip(pending) else {
                outcomes.push(None);
                continue;
            };
            match session.finish(pending, &mut || Ok(())) {
                Ok(own) => {
                    worker.keep_warnings(&own);
                    outcomes.push(Some(Ok(own)));
                }
                Err(Stop::Failed(failure)) => outcomes.push(Some(Err(failure))),
                Err(Stop::Interrupted) => return Err(Stop::Interrupted),
            }
        }
        Ok(outcomes)
    }

    /// Asks all and waits for them.
    pub(super) fn ask(
        &mut self,
        commands: impl Fn(&FaultWorker) -> Result<Vec<StageCommand>, Stop>,
    ) -> Result<Vec<Option<Vec<Answer>>>, Stop> {
        let asked = self.begin(commands)?;
        self.finish(asked)
    }

    /// Lets time pass and listens to everybody meanwhile, so that what they print is not
    /// lost. Who ends too early leaves.
    pub(super) fn meanwhile(&mut self, asked: &Asked, duration: Duration) -> Result<(), Stop> {
        let until = std::time::Instant::now() + duration;
        loop {
            let mut is_heard = false;
            for (worker, pending) in self.all.iter_mut().zip(&asked.0) {
                let left = until.saturating_duration_since(std::time::Instant::now());
                if left.is_zero() {
                    return Ok(());
                }
                if let Some((session, pending)) = worker.session.as_mut().zip(pending.as_ref()) {
                    is_heard = true;
                    if let Err(stop) = session.meanwhile(pending, left.min(TURN), &mut || Ok(())) {
                        worker.leave(stop)?;
                    }
                }
            }
            if !is_heard {
                let left = until.saturating_duration_since(std::time::Instant::now());
                std::thread::sleep(left);
                return Ok(());
            }
        }
    }

    /// Notes a failure that is not theirs for all that have none of their own.
    pub(super) fn fail_all(&mut self, failure: &Failure) {
        for worker in self.running() {
            worker.fail(failure.clone());
        }
    }

    /// Records what went over the link while they ran: of all together where they run side by
    /// side.
    pub(super) fn note_link(&mut self, ioc: &dyn Server) {
        let origin_ns = self.all.iter().filter_map(|worker| worker.hello.as_ref());
        let origin_ns = origin_ns.map(|hello| hello.import.start_ns).min().unwrap_or(0);
        let mut workers = self.all.iter_mut();
        let Some(first) = workers.next() else { return };
        linked::note(ioc, &mut first.record, origin_ns);
        for other in workers {
            other.record.link.clone_from(&first.record.link);
        }
    }

    /// Ends all that still run.
    pub(super) fn end(self) -> Vec<Finished> {
        let end = |worker: FaultWorker| Finished {
            log: worker.session.map_or(worker.log, Session::end),
            record: worker.record,
        };
        self.all.into_iter().map(end).collect()
    }

    /// The workers in the order of the answers, those that failed included.
    pub(super) fn all(&mut self) -> &mut [FaultWorker] {
        &mut self.all
    }
}

impl FaultWorker {
    /// What its hello reported; it always has where the session lives.
    pub(super) fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// How many PVs its record says.
    pub(super) fn record_pvs(&self) -> usize {
        self.record.pvs
    }

    /// What is recorded of the fault.
    pub(super) fn fault(&mut self) -> &mut FaultRun {
        self.record.fault.get_or_insert_default()
    }

    /// Those of these stages that it has, in bulk. `create` without a stage of its own is a
    /// part of `connect`.
    pub(super) fn plain(&self, stages: &[Stage]) -> Vec<StageCommand> {
        let has = |stage: &&Stage| {
            **stage == Stage::Connect
                || self.hello.as_ref().is_some_and(|hello| hello.stages.contains(stage))
        };
        stages.iter().filter(has).map(|stage| StageCommand::new(*stage, Mode::Bulk)).collect()
    }

    /// Fails when it does not have one of these stages.
    pub(super) fn require(&self, stages: &[Stage]) -> Result<(), Stop> {
        let has =
            |stage: &Stage| self.hello.as_ref().is_some_and(|hello| hello.stages.contains(stage));
        match stages.iter().find(|stage| !has(stage)) {
            None => Ok(()),
            Some(stage) => {
                let unable = self.hello.as_ref().and_then(|hello| hello.unable.get(stage.name()));
                let message = match unable {
                    Some(why) => format!("not tried: {why}"),
                    None => format!("the approach has no {stage}, so it was not tried"),
                };
                Err(failed(FailureKind::Unable, None, message))
            }
        }
    }

    /// Fails when it cannot report this.
    pub(super) fn require_report(&self, report: Reported, what: &str) -> Result<(), Stop> {
        if self.hello.as_ref().is_some_and(|hello| hello.reports.contains(&report)) {
            return Ok(());
        }
        let message = format!("its worker does not report {what}, so it was not tried");
        Err(failed(FailureKind::Unable, None, message))
    }

    /// What its searches were, where they were counted; once.
    pub(super) fn take_searches(&mut self) -> Option<Vec<TimedSearches>> {
        self.searches.take().map(|counter| counter.finish_timed().1)
    }

    /// Takes the session of a worker that is to end.
    pub(super) fn take_session(&mut self) -> Option<Session> {
        self.session.take()
    }

    /// Ends it for a reason; passes on that the user stopped the run.
    pub(super) fn leave(&mut self, stop: Stop) -> Result<(), Stop> {
        match stop {
            Stop::Interrupted => Err(Stop::Interrupted),
            Stop::Failed(failure) => {
                self.fail(failure);
                Ok(())
            }
        }
    }

    /// Ends it, which is no failure of its own.
    pub(super) fn end_session(&mut self) {
        if let Some(session) = self.session.take() {
            self.log = session.end();
        }
    }

    /// Adds a sentence for the reader of the figures.
    pub(super) fn warn(&mut self, sentence: &str) {
        self.record.warnings.push(sentence.to_owned());
    }

    /// Keeps what it printed.
    pub(super) fn keep_log(&mut self, log: String) {
        self.log = log;
    }

    fn fail(&mut self, failure: Failure) {
        if let Some(session) = self.session.take() {
            self.log = session.log();
        }
        self.record.failure.get_or_insert(failure);
    }

    fn keep_warnings(&mut self, answers: &[Answer]) {
        for warning in answers.iter().flat_map(|answer| &answer.done.warnings) {
            if !self.record.warnings.contains(warning) {
                self.record.warnings.push(warning.clone());
            }
        }
    }

    fn handshake(&mut self, candidate: &Candidate, setup: &Setup<'_>) -> Result<(), Stop> {
        let Some(session) = self.session.as_mut() else { return Ok(()) };
        let hello = session.hello()?;
        note_hello(candidate.approach.says_hello_as(), &hello, Mode::Bulk, &mut self.record)?;
        session.job(setup.pvs.clone(), self.record.slowdown);
        self.hello = Some(hello);
        Ok(())
    }
}

/// A worker that was started.
struct Started {
    session: Session,
    environment: Environment,
    searches: Option<SearchCounter>,
}

fn started(candidate: &Candidate, ioc: &dyn Server, setup: &Setup<'_>) -> Result<Started, Stop> {
    let approach = &candidate.approach;
    lookup::check(approach, setup.planned)?;
    let mut environment = Environment::of(approach, ioc, setup.planned)?;
    // The floor counts its own searches: it does not send them to every address.
    let is_counted =
        setup.counts_searches && setup.planned.lookup == Lookup::Udp && !approach.floor;
    let searches = is_counted.then(SearchCounter::start).transpose().map_err(|source| {
        let action = "count searches on a socket of its own".to_owned();
        Stop::from(IocError::Files { action, source })
    })?;
    if let Some(counter) = setup.searches_at.filter(|_| !approach.floor) {
        counter.add_to(approach.protocol, &mut environment.variables);
    }
    if let Some(counter) = &searches {
        counter.add_to(approach.protocol, &mut environment.variables);
    }
    let command = linked::across(ioc, single::command_of(candidate)?.clone());
    let command = command.environment(environment.variables.clone());
    let session = Session::start(&command, setup.timeouts)?;
    Ok(Started { session, environment, searches })
}
