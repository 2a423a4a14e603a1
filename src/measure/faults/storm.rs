//! Many processes of one client: they connect at the same moment, and their server is
//! restarted.

use std::time::{Duration, Instant};

use super::Finished;
use super::workers::{Setup, Workers, subscribe_to_scalars};
use crate::ioc::{SearchCounter, Server, TimedSearches};
use crate::measure::Candidate;
use crate::measure::session::{Answer, Timeouts};
use crate::measure::stop::{Stop, failed};
use crate::process::{ProcessClock, available_memory_bytes, handles, monotonic_ns};
use crate::record::{FailureKind, Record, StormSeen};
use crate::worker_protocol::{Mode, Stage, StageCommand};

/// Two hundred interpreters start on two cores, and then connect.
const TIMEOUT: Duration = Duration::from_secs(120);

/// How long the IOC is away.
const OUTAGE: Duration = Duration::from_secs(1);

/// Clients have this long to come back.
const TO_COME_BACK: Duration = Duration::from_secs(40);

/// So many PVs each client subscribes to: those of before come back too, but not every library
/// keeps channels that nobody uses.
const SUBSCRIBED: usize = 10;

/// How long clients run between two looks at the server's subscriptions.
const TURN_S: f64 = 0.5;

/// The part of the memory that is free which clients may take.
const MOST_OF_FREE: f64 = 0.75;

/// What a worker calls searches that it counts itself.
const SEARCHES: &str = "searches";

/// Takes each approach through the storm.
pub(super) fn measure(
    given: Vec<(&Candidate, Record)>,
    ioc: &mut dyn Server,
    setup: &Setup<'_>,
    clients: usize,
) -> Result<Vec<Finished>, Stop> {
    let setup = Setup { timeouts: Timeouts::new(Some(TIMEOUT), TIMEOUT), ..setup.clone() };
    let mut all = Vec::new();
    for one in given {
        all.push(Storm { ioc: &mut *ioc, setup: &setup, clients }.through(one)?);
    }
    Ok(all)
}

struct Storm<'a> {
    ioc: &'a mut dyn Server,
    setup: &'a Setup<'a>,
    clients: usize,
}

impl Storm<'_> {
    fn through(mut self, given: (&Candidate, Record)) -> Result<Finished, Stop> {
        let (candidate, record) = given;
        let mut seen = StormSeen { clients: self.clients, ..StormSeen::default() };
        let first = self.first(candidate, record, &mut seen)?;
        if first.record.failure.is_some() {
            return Ok(first);
        }
        let record = Record { failure: None, ..first.record };
        self.all_at_once(candidate, record, seen)
    }

    /// One client alone: how long it takes, and how much memory.
    fn first(
        &mut self,
        candidate: &Candidate,
        record: Record,
        seen: &mut StormSeen,
    ) -> Result<Finished, Stop> {
        let mut workers = Workers::start(vec![(candidate, record)], self.ioc, self.setup)?;
        workers.ask(|worker| Ok(worker.plain(&[Stage::Context])))?;
        let answers = workers.ask(|worker| {
            worker.require(&[Stage::Subscribe])?;
            Ok(worker.plain(&[Stage::Create, Stage::Connect]))
        })?;
        let clients = self.clients;
        for (worker, answers) in workers.all().iter_mut().zip(answers) {
            let Some(answers) = answers else { continue };
            seen.alone_s = span(&answers).map_or(0.0, |(from, until)| seconds(from, until));
            let held = worker.hello().and_then(|hello| handles(hello.pid));
            seen.client_bytes = held.map_or(0, |held| held.rss_bytes);
            if let Err(stop) = check_memory(seen.client_bytes, clients) {
                worker.leave(stop)?;
            }
        }
        let ended = workers.end().into_iter().next();
        ended.ok_or_else(|| failed(FailureKind::Crashed, None, "no worker was started"))
    }

    fn all_at_once(
        &mut self,
        candidate: &Candidate,
        record: Record,
        mut seen: StormSeen,
    ) -> Result<Finished, Stop> {
        let counter = SearchCounter::start().ok();
        let setup = Setup { searches_at: counter.as_ref(), ..self.setup.clone() };
        let many = vec![(candidate, record.clone()); self.clients];
        let mut workers = Workers::start(many, self.ioc, &setup)?;
        workers.ask(|worker| Ok(worker.plain(&[Stage::Context])))?;
        let outcome = self.connect_all(&mut workers, &mut seen);
        let is_shared = !candidate.approach.floor;
        let times = counter.map_or(Vec::new(), |counter| counter.finish_timed().1);
        if let Ok((from_ns, until_ns)) = outcome
            && is_shared
        {
            seen.searches = searches_within(&times, from_ns, until_ns);
        }
        let outcome = outcome.and_then(|_| self.restart(&mut workers, &mut seen));
        let ended = workers.end();
        let failures = ended.iter().filter_map(|one| one.record.failure.as_ref());
        seen.lost = failures.clone().count();
        let mut record = record;
        if let Some(first) = failures.clone().next() {
            record.warnings.push(format!("the first client that failed: {}", first.message));
        }
        record.fault.get_or_insert_default().storm = Some(seen);
        record.failure = match outcome {
            Ok(()) => None,
            Err(Stop::Failed(failure)) => Some(failure),
            Err(Stop::Interrupted) => return Err(Stop::Interrupted),
        };
        let log = ended.into_iter().find(|one| !one.log.is_empty());
        Ok(Finished { record, log: log.map_or(String::new(), |one| one.log) })
    }

    /// Connects all clients; returns from when to when that lasted.
    fn connect_all(
        &mut self,
        workers: &mut Workers,
        seen: &mut StormSeen,
    ) -> Result<(u64, u64), Stop> {
        let mut clock = ProcessClock::of(self.ioc.pid());
        let mut used = || clock.as_mut().and_then(ProcessClock::read).map(|time| time.cpu_ns);
        let bytes = |pid: u32| handles(pid).map(|held| held.rss_bytes);
        let (cpu_before, bytes_before) = (used(), bytes(self.ioc.pid()));
        let from_ns = monotonic_ns();
        let answers = workers.ask(|worker| Ok(worker.plain(&[Stage::Create, Stage::Connect])))?;
        let (cpu_after, bytes_after) = (used(), bytes(self.ioc.pid()));
        let mut own_searches = 0;
        let mut ends: Vec<u64> = Vec::new();
        for answers in answers.iter().flatten() {
            ends.extend(span(answers).map(|(_, until)| until));
            let counters = answers.iter().filter_map(|answer| answer.done.counters.get(SEARCHES));
            own_searches += counters.sum::<u64>();
        }
        let (first, last) = (ends.iter().min(), ends.iter().max());
        let until_ns = last.copied().unwrap_or(from_ns);
        seen.searches = own_searches;
        seen.last_s = last.map(|last| seconds(from_ns, *last));
        seen.spread_s = first.zip(last).map(|(first, last)| seconds(*first, *last));
        seen.server_cpu_s = cpu_before.zip(cpu_after).map(|(before, after)| seconds(before, after));
        seen.server_bytes =
            bytes_before.zip(bytes_after).map(|(before, after)| after.saturating_sub(before));
        Ok((from_ns, until_ns))
    }

    /// Restarts the server, and waits until it has all subscriptions again.
    fn restart(&mut self, workers: &mut Workers, seen: &mut StormSeen) -> Result<(), Stop> {
        let pvs: Vec<usize> = (0..SUBSCRIBED.min(self.setup.pvs.len())).collect();
        workers.ask(|_| Ok(vec![subscribe(&pvs)]))?;
        if self.ioc.subscriptions_to(&pvs)?.is_none() {
            return Ok(());
        }
        self.ioc.crash();
        workers.ask(|_| Ok(vec![collect(OUTAGE.as_secs_f64())]))?;
        self.ioc.restart(None)?;
        let served = Instant::now();
        loop {
            workers.ask(|_| Ok(vec![collect(TURN_S)]))?;
            let wanted = (workers.running().count() * pvs.len()) as u64;
            let subscribed = self.ioc.subscriptions_to(&pvs)?.unwrap_or(0);
            seen.subscriptions_missing = Some(wanted.saturating_sub(subscribed));
            if subscribed >= wanted {
                seen.back_s = Some(served.elapsed().as_secs_f64());
                return Ok(());
            }
            if served.elapsed() > TO_COME_BACK {
                return Ok(());
            }
        }
    }
}

/// Fails when so many clients do not fit.
fn check_memory(client_bytes: u64, clients: usize) -> Result<(), Stop> {
    let Some(free) = available_memory_bytes() else { return Ok(()) };
    let needed = client_bytes.saturating_mul(clients as u64);
    if (needed as f64) < free as f64 * MOST_OF_FREE {
        return Ok(());
    }
    let message = format!(
        "{clients} clients of {} MB need {:.1} GB, and the machine has {:.1} GB free, so it was \
         not tried",
        client_bytes / 1_000_000,
        needed as f64 / 1e9,
        free as f64 / 1e9
    );
    Err(failed(FailureKind::Unable, None, message))
}

fn subscribe(pvs: &[usize]) -> StageCommand {
    // The first update, and that after the restart.
    StageCommand { pvs: Some(pvs.to_vec()), ..subscribe_to_scalars(2 * pvs.len()) }
}

fn collect(seconds: f64) -> StageCommand {
    StageCommand { seconds: Some(seconds), ..StageCommand::new(Stage::Collect, Mode::Bulk) }
}

/// From the start of the first stage to the end of the last.
fn span(answers: &[Answer]) -> Option<(u64, u64)> {
    Some((answers.first()?.done.start_ns, answers.last()?.done.end_ns))
}

fn seconds(from_ns: u64, until_ns: u64) -> f64 {
    until_ns.saturating_sub(from_ns) as f64 / 1e9
}

fn searches_within(times: &[TimedSearches], from_ns: u64, until_ns: u64) -> u64 {
    let within = |one: &&TimedSearches| (from_ns..=until_ns).contains(&one.at_ns);
    times.iter().filter(within).map(|one| one.searches).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_do_not_fit_are_not_started_and_the_row_gives_the_reason() {
        assert!(check_memory(1, 50).is_ok());
        let Err(Stop::Failed(failure)) = check_memory(1 << 40, 50) else { panic!("they fit") };
        assert_eq!(failure.kind, FailureKind::Unable);
        assert!(failure.message.contains("50 clients of 1099511 MB need"), "{}", failure.message);
    }

    #[test]
    fn searches_of_the_restart_are_not_those_of_the_storm() {
        let at = |at_ns, searches| TimedSearches { at_ns, searches };
        assert_eq!(searches_within(&[at(1, 5), at(2, 7), at(9, 11)], 1, 8), 12);
    }
}
