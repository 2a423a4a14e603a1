//! One block of faults: a fault at a time. Where its figures are seconds it happens on all
//! servers at once, each with its own clients.

use std::sync::mpsc::{self, Sender};
use std::thread;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use super::Finished;
use crate::ioc::{Server, Servers};
use crate::measure::plan::Bounds;
use crate::measure::stop::Stop;
use crate::measure::{Candidate, Plan, PlannedConfiguration, Progress, single};
use crate::process::interrupted;
use crate::record::Record;
use crate::scenario::FaultDefinition;

/// One block of faults.
pub(in crate::measure) struct FaultBlock<'a> {
    pub(in crate::measure) plan: &'a Plan,
    pub(in crate::measure) servers: &'a Servers,
    pub(in crate::measure) candidates: &'a [Candidate],
    pub(in crate::measure) block: usize,
}

/// One fault on one server, with the workers that go through it.
struct Place<'a> {
    fault: &'static FaultDefinition,
    planned: &'a PlannedConfiguration,
    workers: Vec<(&'a Candidate, Record)>,
}

/// What a thread reports while it measures.
enum Event<'a> {
    Started(&'a PlannedConfiguration, &'a str),
    Finished(Box<Finished>),
}

impl FaultBlock<'_> {
    /// Goes through all faults and reports the records of their workers; false when
    /// interrupted.
    pub(in crate::measure) fn run<E>(
        &self,
        configurations: &[PlannedConfiguration],
        random: &mut StdRng,
        report: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        for places in self.places(configurations, random) {
            if interrupted() || !self.at_once(places, report)? {
                return Ok(false);
            }
        }
        Ok(!interrupted())
    }

    /// Those that are measured at once stand together.
    fn places<'b>(
        &'b self,
        configurations: &'b [PlannedConfiguration],
        random: &mut StdRng,
    ) -> Vec<Vec<Place<'b>>> {
        let mut all: Vec<Vec<Place<'b>>> = Vec::new();
        for planned in configurations {
            let Some(fault) = planned.fault else { continue };
            let place = Place { fault, planned, workers: self.workers(planned, random) };
            let same = all.iter_mut().find(|places| places[0].fault == fault);
            // There is one link at a time between two namespaces.
            let is_shared = fault.is_side_by_side() && planned.conditions().is_none();
            match same.filter(|_| is_shared) {
                Some(places) => places.push(place),
                None => all.push(vec![place]),
            }
        }
        all
    }

    fn workers(
        &self,
        planned: &PlannedConfiguration,
        random: &mut StdRng,
    ) -> Vec<(&Candidate, Record)> {
        let kind = self.servers.get(&planned.server);
        let is_taken = |candidate: &&Candidate| planned.takes(&candidate.approach, kind);
        let mut order: Vec<&Candidate> = self.candidates.iter().filter(is_taken).collect();
        order.shuffle(random);
        let record = |(position, candidate): (usize, &Candidate)| Record {
            block: self.block,
            confirms: self.plan.confirms,
            position,
            ..single::empty_record(planned, &candidate.approach.name)
        };
        let positions = order.iter().copied().enumerate();
        order.iter().copied().zip(positions.map(record)).collect()
    }

    /// Measures in these places at once; false when interrupted.
    fn at_once<E>(
        &self,
        places: Vec<Place<'_>>,
        report: &mut impl FnMut(Progress<'_>) -> Result<(), E>,
    ) -> Result<bool, E> {
        let bounds = self.plan.bounds();
        thread::scope(|scope| {
            let (sender, events) = mpsc::channel();
            let servers = self.servers;
            let running: Vec<_> = places
                .into_iter()
                .map(|place| {
                    let sender = sender.clone();
                    scope.spawn(move || place.measure(servers, bounds, &sender))
                })
                .collect();
            drop(sender);
            for event in events {
                match event {
                    Event::Started(planned, approach) => {
                        report(Progress::Started { planned, approach })?;
                    }
                    Event::Finished(finished) => {
                        let Finished { record, log } = *finished;
                        report(Progress::Finished { record: Box::new(record), log })?;
                        report(Progress::Done)?;
                    }
                }
            }
            let is_complete = |one: thread::ScopedJoinHandle<'_, bool>| one.join().unwrap_or(false);
            let complete: Vec<bool> = running.into_iter().map(is_complete).collect();
            Ok(complete.into_iter().all(|one| one))
        })
    }
}

impl<'a> Place<'a> {
    /// Takes its workers through the fault; false when interrupted.
    fn measure(self, servers: &Servers, bounds: Bounds, events: &Sender<Event<'a>>) -> bool {
        let mut ioc: Option<Box<dyn Server>> = None;
        for group in groups(self.fault, self.workers) {
            if interrupted() {
                return false;
            }
            for (candidate, _) in &group {
                let started = Event::Started(self.planned, &candidate.approach.name);
                if events.send(started).is_err() {
                    return false;
                }
            }
            let finished = match through(self.fault, group, servers, self.planned, bounds, &mut ioc)
            {
                Ok(finished) => finished,
                Err(Stop::Failed(_) | Stop::Interrupted) => return false,
            };
            if finished.iter().any(|one| one.record.failure.is_some()) {
                // It may be broken, stopped or updating.
                ioc = None;
            }
            for one in finished {
                if events.send(Event::Finished(Box::new(one))).is_err() {
                    return false;
                }
            }
        }
        if let Some(ioc) = ioc {
            ioc.stop();
        }
        !interrupted()
    }
}

/// The groups in which these workers are measured: one by one, or all at once.
fn groups<'a>(
    fault: &FaultDefinition,
    workers: Vec<(&'a Candidate, Record)>,
) -> Vec<Vec<(&'a Candidate, Record)>> {
    match fault.is_side_by_side() {
        true => vec![workers],
        false => workers.into_iter().map(|worker| vec![worker]).collect(),
    }
}

/// Takes one group through the fault, on the server that there is or on a new one. A server
/// that does not start is the failure of every worker.
fn through(
    fault: &'static FaultDefinition,
    group: Vec<(&Candidate, Record)>,
    servers: &Servers,
    planned: &PlannedConfiguration,
    bounds: Bounds,
    ioc: &mut Option<Box<dyn Server>>,
) -> Result<Vec<Finished>, Stop> {
    if ioc.is_none() {
        match servers.start(&planned.server, &single::wanted(planned)).map_err(Stop::from) {
            Ok(started) => *ioc = Some(started),
            Err(stop) => return all_failed(group, stop),
        }
    }
    let Some(ioc) = ioc.as_deref_mut() else { return Ok(Vec::new()) };
    super::measure(fault, group, ioc, planned, bounds)
}

fn all_failed(group: Vec<(&Candidate, Record)>, stop: Stop) -> Result<Vec<Finished>, Stop> {
    let Stop::Failed(failure) = stop else { return Err(stop) };
    let failed = |(_, record): (&Candidate, Record)| Finished {
        record: Record { failure: Some(failure.clone()), ..record },
        log: String::new(),
    };
    Ok(group.into_iter().map(failed).collect())
}
