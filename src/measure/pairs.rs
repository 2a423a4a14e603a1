//! Measures two sides in pairs against the same servers, so that both see the same state of the
//! machine.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::plan::Bounds;
use super::single;
use super::stop::Stop;
use super::{Candidate, PlannedConfiguration, lookup};
use crate::ioc::{Server, Servers};
use crate::process::{Command, interrupted};
use crate::record::{Record, Side};
use crate::worker_protocol::InjectedSlowdown;

/// Servers restart after this many pairs, so that no comparison depends on one server process.
const PAIRS_PER_SERVER: usize = 20;

/// A variable that no worker reads, and the most characters that it has. Its length, another
/// one for each worker, moves the stack, which can make a program some percent faster or
/// slower: what would favour one side throughout becomes noise of both.
const PADDING: &str = "GAUGE_PADDING";
const MOST_PADDING: usize = 4096;

/// The setup of one side.
#[derive(Debug, Clone)]
pub struct SideSetup {
    /// The approach, and the command that starts it.
    pub candidate: Candidate,
    /// The server.
    pub server: String,
    /// The injected slowdown of its workers.
    pub slowdown: Option<InjectedSlowdown>,
}

/// Runs pairs of workers, one of each side.
pub struct PairRunner<'a> {
    servers: &'a Servers,
    planned: PlannedConfiguration,
    sides: [SideSetup; 2],
    bounds: Bounds,
    /// How many pairs have started.
    begun: usize,
    random: StdRng,
    running: BTreeMap<String, Box<dyn Server>>,
}

impl<'a> PairRunner<'a> {
    /// Starts nothing yet. `configuration` is what each worker measures, except for its server.
    pub fn new(
        servers: &'a Servers,
        planned: PlannedConfiguration,
        sides: [SideSetup; 2],
        timeout: Option<Duration>,
        most_memory_bytes: u64,
    ) -> PairRunner<'a> {
        let bounds = Bounds { timeout, most_memory_bytes };
        let (random, running) = (StdRng::seed_from_u64(0), BTreeMap::new());
        PairRunner { servers, planned, sides, bounds, begun: 0, random, running }
    }

    /// Slows the workers of `side` by `slowdown` from now on.
    pub fn set_slowdown(&mut self, side: Side, slowdown: Option<InjectedSlowdown>) {
        self.sides[side as usize].slowdown = slowdown;
    }

    /// Runs one pair, the side `first` first; blocks until both workers have ended. Returns the
    /// two records in that order, each with its worker's stderr; one record when the first
    /// failed, because the second then does not run; none when interrupted.
    pub fn next(&mut self, first: Side, confirms: bool) -> Option<Vec<(Record, String)>> {
        let block = self.begun;
        self.begun += 1;
        if block.is_multiple_of(PAIRS_PER_SERVER) {
            self.stop_servers();
        }
        let mut records = Vec::new();
        for (position, side) in [first, first.other()].into_iter().enumerate() {
            let (record, log) = self.one(side, block, position, confirms)?;
            let has_failed = record.failure.is_some();
            records.push((record, log));
            if has_failed || self.planned.needs_fresh_iocs() {
                self.stop_servers();
            }
            if has_failed {
                break;
            }
        }
        Some(records)
    }

    /// Runs one worker; none when interrupted.
    fn one(
        &mut self,
        side: Side,
        block: usize,
        position: usize,
        confirms: bool,
    ) -> Option<(Record, String)> {
        let setup = &self.sides[side as usize];
        let planned = self.planned.on(&setup.server);
        let name = &setup.candidate.approach.name;
        let mut record = Record {
            block,
            confirms,
            position,
            side: Some(side),
            slowdown: setup.slowdown,
            ..single::empty_record(&planned, name)
        };
        let mut log = String::new();
        match self.measure(side, &planned, &mut record, &mut log) {
            Ok(()) => Some((record, log)),
            Err(Stop::Interrupted) => None,
            Err(Stop::Failed(failure)) => {
                record.failure = Some(failure);
                Some((record, log))
            }
        }
    }

    fn measure(
        &mut self,
        side: Side,
        planned: &PlannedConfiguration,
        record: &mut Record,
        log: &mut String,
    ) -> Result<(), Stop> {
        if interrupted() {
            return Err(Stop::Interrupted);
        }
        let candidate = padded(&self.sides[side as usize].candidate, &mut self.random);
        lookup::check(&candidate.approach, planned)?;
        if planned.link.is_some() && !self.running.contains_key(&planned.server) {
            // There is one link at a time between two namespaces.
            self.stop_servers();
        }
        let server = match self.running.entry(planned.server.clone()) {
            Entry::Occupied(running) => running.into_mut(),
            Entry::Vacant(place) => {
                place.insert(self.servers.start(&planned.server, &single::wanted(planned))?)
            }
        };
        single::measure(&candidate, server.as_mut(), planned, self.bounds, record, log)
    }

    fn stop_servers(&mut self) {
        for (_, server) in std::mem::take(&mut self.running) {
            server.stop();
        }
    }
}

/// The same with an environment of another size.
fn padded(candidate: &Candidate, random: &mut StdRng) -> Candidate {
    let padding = "x".repeat(random.random_range(0..=MOST_PADDING));
    let pad = |command: &Command| command.clone().environment([(PADDING.to_owned(), padding)]);
    Candidate {
        approach: candidate.approach.clone(),
        command: candidate.command.as_ref().map(pad).map_err(Clone::clone),
    }
}

impl Drop for PairRunner<'_> {
    fn drop(&mut self) {
        self.stop_servers();
    }
}
