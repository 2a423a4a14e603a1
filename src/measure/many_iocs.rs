//! The many-iocs scenario: many IOCs, which all workers of a block share, and workers
//! that connect all of their PVs.

mod usage;

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

use self::usage::{ClientUsage, rss_bytes, settle};
use super::driven::Driven;
use super::driver::{self, blame_ioc};
use super::lookup::wants_an_address;
use super::session::{Answer, Timeouts};
use super::stop::{Stop, failed};
use super::{Candidate, Plan, PlannedConfiguration};
use crate::approach::Approach;
use crate::ioc::{IocError, ManyIocs, SearchCounter, Server, searches_on_circuits};
use crate::lookup::Lookup;
use crate::process::Command;
use crate::protocol::Protocol;
use crate::record::{
    Failure, FailureKind, ManyIocsShape, ManyIocsUse, Record, Searches, SearchesCounted,
};
use crate::scenario::{pv_name, sampled_pvs};
use crate::units::counted;
use crate::worker_protocol::{Hello, Mode, Stage, StageCommand};

/// From this many PVs on, an approach that was slow with fewer is skipped.
const LARGE_PVS: usize = 500_000;

/// The limit per PV with fewer: one second for 10 000 PVs, as in the write-ups. A slower
/// approach would take minutes here.
const MOST_S_PER_PV: f64 = 1e-4;

/// The warning when IOCs do not become idle.
const STILL_BUSY: &str = "the IOCs were still busy with the client before when this one began";

/// The IOCs of the current configuration, and the results of earlier ones.
#[derive(Default)]
pub(super) struct SharedIocs {
    iocs: Option<ManyIocs>,
    /// Whether a client has connected to it.
    is_used: bool,
    /// Why it does not start; the next worker would not start it either.
    not_started: Option<Failure>,
    took: Vec<Took>,
}

/// How long an approach took to connect many IOCs.
struct Took {
    approach: String,
    lookup: Lookup,
    pvs: usize,
    /// None after a failure.
    seconds: Option<f64>,
}

impl SharedIocs {
    /// Runs one worker; fills `record` as far as it gets and `log` with what the
    /// worker printed on stderr.
    pub(super) fn measure(
        &mut self,
        candidate: &Candidate,
        command: &Command,
        (planned, shape): (&PlannedConfiguration, ManyIocsShape),
        plan: &Plan,
        record: &mut Record,
        log: &mut String,
    ) -> Result<(), Stop> {
        self.check(&candidate.approach, planned)?;
        let mut many_iocs = self.take_or_start(planned, shape, candidate.approach.protocol)?;
        let is_first_client = !std::mem::replace(&mut self.is_used, true);
        if !is_first_client && !settle(&many_iocs.pids()) {
            record.warnings.push(STILL_BUSY.to_owned());
        }
        let approach = &candidate.approach;
        let most_memory_bytes = plan.most_memory_bytes;
        let order = order(planned.pvs, shape, plan.seed.wrapping_add(record.block as u64));
        let given = Given {
            approach,
            lookup: planned.lookup,
            shape,
            order,
            is_first_client,
            most_memory_bytes,
        };
        let timeouts = Timeouts::new(plan.timeout, usual_timeout(planned.pvs));
        let driving = Driving { command, planned, timeouts, given: &given };
        let outcome = match is_first_client && approach.protocol == Protocol::Pva {
            true => driving.after_growth(&mut many_iocs, record, log),
            false => driving.drive(&mut many_iocs, record, log),
        };
        self.took.push(Took {
            approach: approach.name.clone(),
            lookup: planned.lookup,
            pvs: planned.pvs,
            seconds: outcome.is_ok().then(|| connect_seconds(record)),
        });
        let outcome = blame_ioc(outcome, &mut many_iocs);
        if many_iocs.check().is_ok() {
            self.iocs = Some(many_iocs);
        }
        outcome
    }

    /// Ends the IOCs, if there are any.
    pub(super) fn end(&mut self) {
        self.iocs = None;
        self.not_started = None;
    }

    /// Takes the IOCs. The caller returns them unless one is broken.
    fn take_or_start(
        &mut self,
        planned: &PlannedConfiguration,
        shape: ManyIocsShape,
        protocol: Protocol,
    ) -> Result<ManyIocs, Stop> {
        if let Some(many_iocs) = self.iocs.take() {
            return Ok(many_iocs);
        }
        if let Some(failure) = &self.not_started {
            return Err(Stop::Failed(failure.clone()));
        }
        self.is_used = false;
        let start = match protocol {
            Protocol::Ca => ManyIocs::start,
            Protocol::Pva => ManyIocs::start_pv_access,
        };
        start(shape.iocs, planned.pvs / shape.iocs).map_err(|error| {
            let stop = Stop::from(error);
            if let Stop::Failed(failure) = &stop {
                self.not_started = Some(failure.clone());
            }
            stop
        })
    }

    /// Whether to measure this approach: an error when it failed or was too slow with fewer
    /// PVs.
    fn check(&self, approach: &Approach, planned: &PlannedConfiguration) -> Result<(), Stop> {
        let name = approach.name.as_str();
        let is_smaller = |took: &&Took| {
            took.approach == name && took.lookup == planned.lookup && took.pvs < planned.pvs
        };
        let largest = self.took.iter().filter(is_smaller).max_by_key(|took| took.pvs);
        match largest.filter(|_| planned.pvs >= LARGE_PVS) {
            None => Ok(()),
            Some(Took { pvs, seconds: None, .. }) => {
                let message = format!(
                    "it failed with {}, so {} were not tried",
                    counted(*pvs, "PV"),
                    planned.pvs
                );
                Err(failed(FailureKind::LeftOut, None, message))
            }
            Some(Took { pvs, seconds: Some(seconds), .. }) => {
                let per_pv = seconds / *pvs as f64;
                if per_pv <= MOST_S_PER_PV {
                    return Ok(());
                }
                let message = format!(
                    "it needed {per_pv:.1e} s per PV with {}, more than {MOST_S_PER_PV:.0e} s, so {} \
                     were not tried",
                    counted(*pvs, "PV"),
                    planned.pvs
                );
                Err(failed(FailureKind::LeftOut, None, message))
            }
        }
    }
}

/// How a worker is measured.
struct Given<'a> {
    approach: &'a Approach,
    lookup: Lookup,
    shape: ManyIocsShape,
    /// The PVs in the client's order.
    order: Vec<usize>,
    is_first_client: bool,
    most_memory_bytes: u64,
}

impl Given<'_> {
    /// The floor counts its own searches: it does not send them to every address.
    /// What is not known to leave an empty address list alone is given an address.
    fn wants_counter(&self) -> bool {
        match self.lookup {
            Lookup::Udp => !self.approach.floor,
            lookup @ Lookup::NameServer => wants_an_address(self.approach, lookup),
        }
    }
}

/// How the workers of an approach run.
struct Driving<'a> {
    command: &'a Command,
    planned: &'a PlannedConfiguration,
    timeouts: Timeouts,
    given: &'a Given<'a>,
}

impl Driving<'_> {
    /// Runs one worker before, of which only the servers' memory is recorded: IOCs with
    /// pvAccess grow by 20 kB for each PV of their first client, which takes them longer than
    /// half of what a client takes.
    fn after_growth(
        &self,
        many_iocs: &mut ManyIocs,
        record: &mut Record,
        log: &mut String,
    ) -> Result<(), Stop> {
        let mut first = record.clone();
        let outcome = self.drive(many_iocs, &mut first, log);
        if outcome.is_err() {
            *record = first;
            return outcome;
        }
        if !settle(&many_iocs.pids()) {
            record.warnings.push(STILL_BUSY.to_owned());
        }
        self.drive(many_iocs, record, log)?;
        if let (Some(used), Some(first)) = (&mut record.many_iocs_use, first.many_iocs_use) {
            used.servers_bytes = first.servers_bytes;
        }
        Ok(())
    }

    fn drive(
        &self,
        many_iocs: &mut ManyIocs,
        record: &mut Record,
        log: &mut String,
    ) -> Result<(), Stop> {
        let Driving { command, planned, timeouts, given } = *self;
        let counter = given.wants_counter().then(SearchCounter::start).transpose();
        let counter = counter.map_err(|source| {
            let action = "count searches on a socket of its own".to_owned();
            Stop::from(IocError::Files { action, source })
        })?;
        let address = counter.as_ref().map(SearchCounter::address);
        let mut environment = many_iocs.environment_by(given.lookup, address);
        given.approach.settings.apply(&mut environment);
        let pids = many_iocs.pids();
        let command = command.clone().environment(environment);
        let worker = driver::Worker { approach: given.approach, command, timeouts };
        let mut driving = worker.drive(many_iocs, record, |driven| {
            Worker { driven, planned, given, pids, counter }.run()
        })?;
        // While the worker lives: when it ends, its channels do.
        driving.outcome = driving.outcome.map_err(|stop| with_progress(stop, many_iocs));
        driving.end(log)
    }
}

/// The same failure with the count of connected channels, from the IOCs.
fn with_progress(stop: Stop, many_iocs: &mut ManyIocs) -> Stop {
    let Stop::Failed(mut failure) = stop else { return stop };
    let kinds = [FailureKind::TimedOut, FailureKind::TooMuchMemory, FailureKind::StageFailed];
    if kinds.contains(&failure.kind)
        && let Ok(channels) = many_iocs.channels()
    {
        let (channels, pvs) = (counted(channels, "channel"), counted(many_iocs.pvs(), "PV"));
        failure.message += &format!("\nthe IOCs had {channels} then, for {pvs}");
    }
    Stop::Failed(failure)
}

/// One worker that connects to many IOCs.
struct Worker<'a, 'b> {
    driven: &'a mut Driven<'b>,
    planned: &'a PlannedConfiguration,
    given: &'a Given<'a>,
    /// The process ids of the IOCs.
    pids: Vec<u32>,
    counter: Option<SearchCounter>,
}

impl Worker<'_, '_> {
    fn run(mut self) -> Result<(), Stop> {
        let servers_before = rss_bytes(&self.pids);
        let names = self.given.order.iter().copied().map(pv_name).collect();
        let hello = self.driven.handshake(Mode::Bulk, names)?;
        self.driven.require_mode(&hello, Mode::Bulk)?;
        self.driven.context(&hello)?;
        let mut usage = ClientUsage::start(self.driven.session.pid(), hello.pid);
        let connected = self.connect(&usage)?;
        let circuits = usage.circuits();
        let client_bytes = usage.finish();
        let counters = connected.iter().flat_map(|answer| &answer.done.counters);
        let own_searches =
            counters.filter(|(name, _)| *name == "searches").map(|(_, count)| *count);
        let own_searches = own_searches.reduce(|sum, count| sum + count);
        self.driven.record.many_iocs_use = Some(Box::new(ManyIocsUse {
            client_bytes,
            servers_bytes: servers_before.zip(rss_bytes(&self.pids)),
            is_first_client: self.given.is_first_client,
            searches: self.searches(own_searches, circuits),
        }));
        self.check_values(&hello)
    }

    /// Creates and connects all PVs, unless the client takes too much memory.
    fn connect(&mut self, usage: &ClientUsage) -> Result<Vec<Answer>, Stop> {
        let stages: &[Stage] = match self.driven.record.create_is_joint {
            true => &[Stage::Connect],
            false => &[Stage::Create, Stage::Connect],
        };
        let commands: Vec<StageCommand> =
            stages.iter().map(|stage| StageCommand::new(*stage, Mode::Bulk)).collect();
        let most = self.given.most_memory_bytes;
        let (session, ioc) = (&mut self.driven.session, &mut *self.driven.ioc);
        let connected = session.stages(&commands, &mut || {
            let bytes = usage.client_bytes();
            if bytes > most {
                let message =
                    format!("the client held {} MiB; the limit is {} MiB", bytes >> 20, most >> 20);
                return Err(failed(FailureKind::TooMuchMemory, Some(Stage::Connect), message));
            }
            Ok(ioc.check()?)
        })?;
        for answer in &connected {
            self.driven.keep(answer, self.planned.pvs);
        }
        Ok(connected)
    }

    /// How many searches the client sent, by its own count or else by the harness's.
    fn searches(&mut self, own: Option<u64>, circuits: Option<(u64, usize)>) -> Option<Searches> {
        let counted = self.counter.take().map(SearchCounter::finish);
        if let Some(own) = own {
            let counted = SearchesCounted::ByClient;
            return Some(Searches { sent: own as f64, counted, dropped_datagrams: 0 });
        }
        match self.planned.lookup {
            Lookup::Udp => counted.map(|count| Searches {
                sent: (count.searches * self.given.shape.iocs as u64) as f64,
                counted: SearchesCounted::AtAddress,
                dropped_datagrams: count.dropped_datagrams.unwrap_or(0),
            }),
            // Some clients over pvAccess ask for values while they connect, and the bytes
            // do not show which they are.
            Lookup::NameServer if self.given.approach.protocol == Protocol::Pva => None,
            Lookup::NameServer => circuits.map(|(sent_bytes, new)| Searches {
                sent: searches_on_circuits(sent_bytes, new, (0..self.planned.pvs).map(pv_name)),
                counted: SearchesCounted::FromBytes,
                dropped_datagrams: 0,
            }),
        }
    }

    /// Proof that each PV is the one that was asked for: values of 1 % of them, after
    /// all records were processed once more.
    fn check_values(&mut self, hello: &Hello) -> Result<(), Stop> {
        self.driven.require_mode(hello, Mode::Bulk)?;
        self.driven.ioc.tick()?;
        let places = sampled_pvs(self.planned.pvs);
        let pvs = Some(places.clone());
        let get = StageCommand { pvs, ..StageCommand::new(Stage::Get, Mode::Bulk) };
        let answer = self.driven.ask_one(get)?;
        for (place, value) in places.iter().zip(answer.done.values.iter().flatten()) {
            let index = self.given.order[*place];
            let expected = self.driven.ioc.expected_value(index);
            if *value != expected {
                let pv = pv_name(index);
                let message = format!("{pv} answered {value}, its IOC holds {expected}");
                return Err(failed(FailureKind::WrongValue, Some(Stage::Get), message));
            }
        }
        self.driven.keep(&answer, places.len());
        Ok(())
    }
}

/// The PVs in the order in which a client gets them: in each block another one, which is
/// the same for all approaches.
fn order(pvs: usize, shape: ManyIocsShape, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pvs).collect();
    if !shape.in_order {
        order.shuffle(&mut StdRng::seed_from_u64(seed));
    }
    order
}

/// The time from the start of create to the end of connect.
fn connect_seconds(record: &Record) -> f64 {
    let of = |stage| record.samples.iter().find(move |sample| sample.stage == stage);
    let end_ns = of(Stage::Connect).map_or(0, |sample| sample.end_ns);
    let start = of(Stage::Create).or_else(|| of(Stage::Connect));
    let start_ns = start.map_or(0, |sample| sample.start_ns);
    end_ns.saturating_sub(start_ns) as f64 / 1e9
}

/// How long a stage may take, unless the user gives it: ten times the write-ups'
/// limit.
fn usual_timeout(pvs: usize) -> Duration {
    Duration::from_secs(60) + Duration::from_millis(1) * u32::try_from(pvs).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approach::Catalogue;

    /// Whether an approach is tried with a million PVs after it took so many seconds
    /// for 100 000, or failed.
    fn refusal(lookup: Lookup, seconds: Option<f64>) -> Option<Failure> {
        let approach = Catalogue::built_in().get("libca").unwrap().clone();
        let took = Took { approach: approach.name.clone(), lookup, pvs: 100_000, seconds };
        let shared = SharedIocs { took: vec![took], ..SharedIocs::default() };
        let configurations = super::super::Plan::many_iocs(&[(1_000_000, 100)], false, 1);
        match shared.check(&approach, &configurations[0]) {
            Ok(()) => None,
            Err(Stop::Failed(failure)) => Some(failure),
            Err(Stop::Interrupted) => panic!("nobody interrupts"),
        }
    }

    #[test]
    fn who_was_slow_or_failed_is_left_out_of_a_much_larger_size() {
        assert_eq!(refusal(Lookup::Udp, Some(9.9)), None);
        let slow = refusal(Lookup::Udp, Some(10.1)).unwrap();
        assert_eq!(slow.kind, FailureKind::LeftOut);
        assert!(slow.message.contains("1.0e-4 s per PV with 100 000 PVs"), "{}", slow.message);
        let failed = refusal(Lookup::Udp, None).unwrap();
        assert!(failed.message.contains("it failed with 100 000 PVs"), "{}", failed.message);
    }

    #[test]
    fn pvs_are_shuffled_alike_for_all_approaches_of_a_block_unless_their_order_is_kept() {
        let shuffled = ManyIocsShape { iocs: 10, in_order: false };
        let one = order(1000, shuffled, 1);
        assert_eq!(one, order(1000, shuffled, 1));
        assert_ne!(one, order(1000, shuffled, 2));
        let neighbours = one.windows(2).filter(|pair| pair[0] / 100 == pair[1] / 100).count();
        assert!(neighbours < 200, "{neighbours} of 999 are on the IOC of the one before");
        let kept = order(1000, ManyIocsShape { in_order: true, ..shuffled }, 1);
        assert!(kept.is_sorted());
    }

    #[test]
    fn the_other_lookup_reports_nothing_of_this_one() {
        assert_eq!(refusal(Lookup::NameServer, None), None);
    }
}
