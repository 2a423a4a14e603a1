//! One block: its IOC and its workers.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::many_iocs::SharedIocs;
use super::stop::{Stop, failed};
use super::{Candidate, Plan, PlannedConfiguration, Progress, capacity, lookup, single};
use crate::ioc::{Server, Servers};
use crate::process::interrupted;
use crate::record::{Failure, FailureKind, Record};

/// After so many failed starts with no more PVs, a server is not started again: each attempt
/// may take its whole deadline.
const MOST_FAILED_STARTS: usize = 2;

/// Failed starts: the count of PVs, and the error.
pub(super) type FailedStarts = Vec<(usize, String)>;

/// One block: one worker of each approach, in random order, against one fresh IOC.
pub(super) struct BlockRunner<'a> {
    pub(super) plan: &'a Plan,
    pub(super) planned: &'a PlannedConfiguration,
    pub(super) block: usize,
    pub(super) servers: &'a Servers,
    pub(super) ioc: Option<Box<dyn Server>>,
    /// Approaches that failed in a configuration, which are not measured there again: the
    /// verdict is clear, and each hanging worker costs its deadline.
    pub(super) failed: &'a mut Vec<(PlannedConfiguration, String)>,
    /// The failed starts of each server since its last success with as many PVs.
    pub(super) failed_starts: &'a mut BTreeMap<String, FailedStarts>,
    /// The IOCs of configurations with several of them.
    pub(super) shared_iocs: &'a mut SharedIocs,
}

impl BlockRunner<'_> {
    /// Runs the block's workers and reports each; false when interrupted.
    pub(super) fn run<E>(
        &mut self,
        candidates: &[Candidate],
        random: &mut StdRng,
        report: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let kind = self.servers.get(&self.planned.server);
        let is_taken = |candidate: &&Candidate| self.planned.takes(&candidate.approach, kind);
        let mut order: Vec<&Candidate> = candidates.iter().filter(is_taken).collect();
        order.shuffle(random);
        for (position, candidate) in order.into_iter().enumerate() {
            if interrupted() {
                return Ok(false);
            }
            let approach = candidate.approach.name.as_str();
            if self.failed.iter().any(|(planned, name)| planned == self.planned && name == approach)
            {
                report(Progress::LeftOut)?;
                continue;
            }
            if self.plan.is_done(self.planned, self.block, approach) {
                report(Progress::LeftOut)?;
                continue;
            }
            report(Progress::Started { planned: self.planned, approach })?;
            let completed = if self.planned.is_probe() {
                capacity::search(self.planned, |probe| {
                    self.worker(probe, candidate, position, report)
                })?
            } else {
                self.worker(self.planned, candidate, position, report)?.is_some()
            };
            if !completed {
                return Ok(false);
            }
            report(Progress::Done)?;
        }
        self.end_ioc();
        Ok(!interrupted())
    }

    /// Runs one worker and reports its record; none when interrupted.
    fn worker<E>(
        &mut self,
        planned: &PlannedConfiguration,
        candidate: &Candidate,
        position: usize,
        report: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<Option<Record>, E> {
        let mut record = Record {
            block: self.block,
            confirms: self.plan.confirms,
            position,
            ..single::empty_record(planned, &candidate.approach.name)
        };
        let mut log = String::new();
        match self.measure(planned, candidate, &mut record, &mut log) {
            Ok(()) => {}
            Err(Stop::Interrupted) => return Ok(None),
            Err(Stop::Failed(failure)) => self.record_failure(&mut record, failure),
        }
        let is_gateway = self.servers.get(&planned.server).is_some_and(|kind| kind.is_gateway);
        if planned.needs_fresh_iocs() || is_gateway {
            self.end_ioc();
        }
        report(Progress::Finished { record: Box::new(record.clone()), log })?;
        Ok(Some(record))
    }

    fn end_ioc(&mut self) {
        if let Some(ioc) = self.ioc.take() {
            ioc.stop();
        }
        self.shared_iocs.end();
    }

    fn measure(
        &mut self,
        planned: &PlannedConfiguration,
        candidate: &Candidate,
        record: &mut Record,
        log: &mut String,
    ) -> Result<(), Stop> {
        lookup::check(&candidate.approach, planned)?;
        if let Some(shape) = planned.many_iocs {
            let command = single::command_of(candidate)?;
            let planned = (planned, shape);
            return self.shared_iocs.measure(candidate, command, planned, self.plan, record, log);
        }
        let ioc = match self.ioc.take() {
            Some(ioc) => ioc,
            None => self.start(planned)?,
        };
        let ioc = self.ioc.insert(ioc);
        single::measure(candidate, ioc.as_mut(), planned, self.plan.bounds(), record, log)
    }

    /// Starts the configuration's server, unless it has failed too often with no more PVs. With
    /// fewer PVs it may start: many PVs fill memory and disks.
    fn start(&mut self, planned: &PlannedConfiguration) -> Result<Box<dyn Server>, Stop> {
        let failures = self.failed_starts.entry(planned.server.clone()).or_default();
        let with_no_more = || failures.iter().filter(|(pvs, _)| *pvs <= planned.pvs);
        let count = with_no_more().count();
        if let (MOST_FAILED_STARTS.., Some((_, last))) = (count, with_no_more().next_back()) {
            let message = format!(
                "it failed to start {count} times, so it is not started again; the last error: {last}"
            );
            return Err(failed(FailureKind::Ioc, None, message));
        }
        let started = self.servers.start(&planned.server, &single::wanted(planned));
        match &started {
            Ok(_) => failures.retain(|(pvs, _)| *pvs > planned.pvs),
            Err(error) => failures.push((planned.pvs, error.to_string())),
        }
        Ok(started?)
    }

    fn record_failure(&mut self, record: &mut Record, failure: Failure) {
        if failure.kind == FailureKind::Ioc || record.load.is_some() {
            // The next worker gets a fresh IOC: this one is broken, or still scans.
            self.ioc = None;
        }
        let is_answer = failure.kind == FailureKind::TooMuchMemory && self.planned.is_probe();
        if failure.kind != FailureKind::Ioc && !is_answer {
            self.failed.push((self.planned.clone(), record.approach.clone()));
        }
        record.failure = Some(failure);
    }
}
