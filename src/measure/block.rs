//! One block: its IOC and its workers.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::driven::Driven;
use super::session::{Halt, Patience, Session, of_ioc};
use super::{Candidate, Cell, Plan, Progress, capacity, connect, monitor};
use crate::ioc::{Builder, SoftIoc};
use crate::process::{Command, interrupted};
use crate::protocol::Mode;
use crate::record::{Failure, FailureKind, Record};
use crate::scenario::{FRAME_PV, pv_name};

/// A dying IOC closes its sockets some time before its process is gone.
const TIME_TO_DIE: Duration = Duration::from_millis(200);

/// One block: one worker of every approach, in random order, against one fresh
/// IOC.
pub(super) struct BlockRunner<'a> {
    pub(super) plan: &'a Plan,
    pub(super) cell: &'a Cell,
    pub(super) block: usize,
    pub(super) ioc: Option<SoftIoc>,
    /// Approaches that failed in a cell are not tried there again: they are
    /// judged as failed already, and each hanging worker costs its deadline.
    pub(super) failed: &'a mut Vec<(Cell, String)>,
}

impl BlockRunner<'_> {
    /// Runs the block's workers and tells of each; false when interrupted.
    pub(super) fn run<E>(
        &mut self,
        candidates: &[Candidate],
        random: &mut StdRng,
        tell: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let mut order: Vec<&Candidate> = candidates.iter().collect();
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
        let ioc = match self.ioc.take() {
            Some(ioc) => ioc,
            None => ioc_for(cell).start()?,
        };
        let ioc = self.ioc.insert(ioc);
        match drive(command, ioc, cell, self.plan, record, log) {
            Err(Halt::Failed(failure)) => {
                // Whatever the worker says: an IOC that died is the reason.
                std::thread::sleep(TIME_TO_DIE);
                ioc.log().map_err(|error| of_ioc(&error, failure.stage))?;
                Err(Halt::Failed(failure))
            }
            outcome => outcome,
        }
    }

    fn note_failure(&mut self, record: &mut Record, failure: Failure) {
        if failure.kind == FailureKind::Ioc || record.load.is_some() {
            // The next worker gets a fresh one: this is broken, or scans still.
            self.ioc = None;
        }
        if failure.kind != FailureKind::Ioc
            && (failure.kind != FailureKind::TooMuchMemory || !self.cell.is_probe())
        {
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
            block: self.block,
            position,
            approach: approach.to_owned(),
            versions: BTreeMap::new(),
            create_is_joint: false,
            samples: Vec::new(),
            monitored: None,
            warnings: Vec::new(),
            failure: None,
        }
    }
}

/// The IOC that a cell is measured against.
fn ioc_for(cell: &Cell) -> Builder {
    let builder = SoftIoc::builder();
    let Some(load) = cell.load else { return builder.pvs(cell.pvs) };
    let mut builder = builder.may_scan_at(load.rate_hz);
    builder = match load.pixels {
        Some(pixels) => builder.frames(pixels.width, pixels.height),
        None => builder.pvs(cell.pvs),
    };
    match load.array_bytes {
        Some(bytes) => builder.max_array_bytes(bytes),
        None => builder,
    }
}

/// Runs one worker; fills `record` as far as it gets and `log` with what the
/// worker printed on stderr.
fn drive(
    command: &Command,
    ioc: &mut SoftIoc,
    cell: &Cell,
    plan: &Plan,
    record: &mut Record,
    log: &mut String,
) -> Result<(), Halt> {
    let patience = Patience::new(plan.timeout, usual_timeout(cell));
    let command = command.clone().environment(ioc.client_environment());
    let session = Session::start(&command, patience)?;
    let mut driven = Driven::new(session, ioc, record);
    let pvs = match cell.load.and_then(|load| load.pixels) {
        Some(_) => vec![FRAME_PV.to_owned()],
        None => (0..cell.pvs).map(pv_name).collect(),
    };
    let outcome = driven.greet(cell.mode, pvs).and_then(|hello| match cell.load {
        None => connect::run(&mut driven, cell, &hello),
        Some(load) => monitor::run(&mut driven, cell, load, plan.most_memory_bytes, &hello),
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
    Duration::from_secs(20) + per_pv * u32::try_from(cell.pvs).unwrap_or(u32::MAX)
}
