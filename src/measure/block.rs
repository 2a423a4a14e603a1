//! One block: its IOC and its workers.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::driven::Driven;
use super::fleet::Fleets;
use super::session::{Halt, Patience, Session, failed, of_ioc};
use super::{Candidate, Cell, Plan, Progress, capacity, connect, cores, monitor};
use crate::ioc::{Server, Servers, Wanted};
use crate::process::{Command, interrupted};
use crate::protocol::Mode;
use crate::record::{Cores, Failure, FailureKind, Record};
use crate::scenario::{FRAME_PV, pv_name};

/// A server that failed so often to start is left alone: each try may take its whole
/// deadline.
const MOST_FAILED_STARTS: usize = 2;

/// A dying IOC closes its sockets some time before its process is gone.
const TIME_TO_DIE: Duration = Duration::from_millis(200);

/// One block: one worker of every approach, in random order, against one fresh
/// IOC.
pub(super) struct BlockRunner<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cell: &'a Cell,
    pub(super) block: usize,
    pub(super) servers: &'a Servers,
    pub(super) ioc: Option<Box<dyn Server>>,
    /// Approaches that failed in a cell are not tried there again: they are
    /// judged as failed already, and each hanging worker costs its deadline.
    pub(super) failed: &'a mut Vec<(Cell, String)>,
    /// Why each server failed to start, each time since it last did.
    pub(super) failed_starts: &'a mut BTreeMap<String, Vec<String>>,
    /// Of cells with several IOCs.
    pub(super) fleets: &'a mut Fleets,
}

impl BlockRunner<'_> {
    /// Runs the block's workers and tells of each; false when interrupted.
    pub(super) fn run<E>(
        &mut self,
        candidates: &[Candidate],
        random: &mut StdRng,
        tell: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let kind = self.servers.get(&self.cell.server);
        let is_taken = |candidate: &&Candidate| self.cell.takes(&candidate.approach, kind);
        let mut order: Vec<&Candidate> = candidates.iter().filter(is_taken).collect();
        order.shuffle(random);
        for (position, candidate) in order.into_iter().enumerate() {
            if interrupted() {
                return Ok(false);
            }
            let approach = candidate.approach.name.as_str();
            if self.failed.iter().any(|(cell, name)| cell == self.cell && name == approach) {
                tell(Progress::LeftOut)?;
                continue;
            }
            tell(Progress::Started { cell: self.cell, approach })?;
            let completed = if self.cell.is_probe() {
                capacity::search(self.cell, |probe| self.worker(probe, candidate, position, tell))?
            } else {
                self.worker(self.cell, candidate, position, tell)?.is_some()
            };
            if !completed {
                return Ok(false);
            }
            tell(Progress::Done)?;
        }
        self.end_ioc();
        Ok(!interrupted())
    }

    /// Runs one worker and tells its record; none when interrupted.
    fn worker<E>(
        &mut self,
        cell: &Cell,
        candidate: &Candidate,
        position: usize,
        tell: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<Option<Record>, E> {
        let mut record = self.empty_record(cell, position, &candidate.approach.name);
        let mut log = String::new();
        match self.measure(cell, candidate, &mut record, &mut log) {
            Ok(()) => {}
            Err(Halt::Interrupted) => return Ok(None),
            Err(Halt::Failed(failure)) => self.note_failure(&mut record, failure),
        }
        if cell.needs_fresh_iocs() {
            self.end_ioc();
        }
        tell(Progress::Finished { record: Box::new(record.clone()), log })?;
        Ok(Some(record))
    }

    fn end_ioc(&mut self) {
        if let Some(ioc) = self.ioc.take() {
            ioc.stop();
        }
        self.fleets.end();
    }

    fn measure(
        &mut self,
        cell: &Cell,
        candidate: &Candidate,
        record: &mut Record,
        log: &mut String,
    ) -> Result<(), Halt> {
        let command = candidate.command.as_ref().map_err(|missing| {
            Halt::Failed(Failure {
                kind: FailureKind::Missing,
                stage: None,
                message: missing.to_string(),
            })
        })?;
        if let Some(shape) = cell.fleet {
            let cell = (cell, shape);
            return self.fleets.measure(candidate, command, cell, self.plan, record, log);
        }
        let ioc = match self.ioc.take() {
            Some(ioc) => ioc,
            None => self.start(cell)?,
        };
        let ioc = self.ioc.insert(ioc);
        record.server_versions = ioc.versions();
        let patience = Patience::new(self.plan.timeout, usual_timeout(cell));
        let given = monitor::Given {
            most_memory_bytes: self.plan.most_memory_bytes,
            provider: candidate.approach.provider,
            cores: cores_of(cell),
        };
        match drive(command, ioc.as_mut(), cell, patience, given, record, log) {
            Err(Halt::Failed(failure)) => {
                // Whatever the worker says: an IOC that died is the reason.
                std::thread::sleep(TIME_TO_DIE);
                ioc.check().map_err(|error| of_ioc(&error, failure.stage))?;
                Err(Halt::Failed(failure))
            }
            outcome => outcome,
        }
    }

    /// Starts the cell's server, unless it has failed to start too often.
    fn start(&mut self, cell: &Cell) -> Result<Box<dyn Server>, Halt> {
        let failures = self.failed_starts.entry(cell.server.clone()).or_default();
        if let Some(last) = failures.get(MOST_FAILED_STARTS - 1) {
            let message = format!(
                "it failed to start {} times and is left alone; the last: {last}",
                failures.len()
            );
            return Err(failed(FailureKind::Ioc, None, message));
        }
        let started = self.servers.start(&cell.server, &wanted(cell));
        match &started {
            Ok(_) => failures.clear(),
            Err(error) => failures.push(error.to_string()),
        }
        Ok(started?)
    }

    fn note_failure(&mut self, record: &mut Record, failure: Failure) {
        if failure.kind == FailureKind::Ioc || record.load.is_some() {
            // The next worker gets a fresh one: this is broken, or scans still.
            self.ioc = None;
        }
        let is_answer = failure.kind == FailureKind::TooMuchMemory && self.cell.is_probe();
        if failure.kind != FailureKind::Ioc && !is_answer {
            self.failed.push((self.cell.clone(), record.approach.clone()));
        }
        record.failure = Some(failure);
    }

    fn empty_record(&self, cell: &Cell, position: usize, approach: &str) -> Record {
        Record {
            scenario: cell.scenario.clone(),
            server: cell.server.clone(),
            pvs: cell.pvs,
            mode: cell.mode,
            load: cell.load,
            fleet: cell.fleet,
            block: self.block,
            confirms: false,
            side: None,
            handicap: None,
            position,
            approach: approach.to_owned(),
            versions: BTreeMap::new(),
            server_versions: BTreeMap::new(),
            create_is_joint: false,
            samples: Vec::new(),
            monitored: None,
            fleet_use: None,
            warnings: Vec::new(),
            failure: None,
        }
    }
}

/// What the server of a cell is to hold.
fn wanted(cell: &Cell) -> Wanted {
    let frame = cell.load.and_then(|load| load.pixels);
    Wanted {
        pvs: cell.pvs + cell.load.map_or(0, |load| load.idle_pvs),
        rate_hz: cell.load.map(|load| load.rate_hz),
        frame: frame.map(|pixels| (pixels.width, pixels.height)),
        max_array_bytes: cell.load.and_then(|load| load.array_bytes),
        cores: cores_of(cell).map_or(Vec::new(), |cores| cores.server),
    }
}

/// The cores of client and server, where those are to be kept apart.
fn cores_of(cell: &Cell) -> Option<Cores> {
    cell.waits_for_steady_state().then(cores::apart).flatten()
}

/// Runs one worker; fills `record` as far as it gets and `log` with what the
/// worker printed on stderr.
fn drive(
    command: &Command,
    ioc: &mut dyn Server,
    cell: &Cell,
    patience: Patience,
    given: monitor::Given,
    record: &mut Record,
    log: &mut String,
) -> Result<(), Halt> {
    let cores = given.cores.as_ref().map_or(&[][..], |cores| &cores.client);
    let command = command.clone().environment(ioc.client_environment()).cores(cores);
    let session = Session::start(&command, patience)?;
    let mut driven = Driven::new(session, ioc, record);
    let pvs = match cell.load.and_then(|load| load.pixels) {
        Some(_) => vec![FRAME_PV.to_owned()],
        None => (0..cell.pvs).map(pv_name).collect(),
    };
    let outcome = driven.greet(cell.mode, pvs).and_then(|hello| match cell.load {
        None => connect::run(&mut driven, cell, &hello),
        Some(load) => monitor::run(&mut driven, cell, load, given, &hello),
    });
    *log = match outcome {
        Ok(()) => driven.session.end(),
        Err(_) => driven.session.log(),
    };
    outcome
}

/// How long a stage may take, unless the user said it: some three times what the
/// slowest known approach needs. Connecting one by one costs libca's search timer
/// for each PV, some 30 ms.
fn usual_timeout(cell: &Cell) -> Duration {
    let per_pv = match cell.mode {
        Mode::Bulk => Duration::from_millis(5),
        Mode::Serial => Duration::from_millis(100),
    };
    let subscriptions = cell.load.map_or(0, |load| cell.pvs * load.monitors);
    let times = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Duration::from_secs(20)
        + per_pv * times(cell.pvs)
        + Duration::from_micros(200) * times(subscriptions)
}
