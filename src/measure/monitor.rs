//! Scenarios with monitors: subscribes, lets the server make updates at a rate,
//! and compares what arrived with what the server's own database counted.

mod observe;

use self::observe::Observed;
use super::Cell;
use super::account::Account;
use super::arrivals::{Tally, tally};
use super::driven::Driven;
use super::session::{Begun, Halt, failed};
use crate::ioc;
use crate::protocol::{Content, Done, Hello, Mode, Monitor, Stage, StageCommand, Updates};
use crate::record::{Disturbance, FailureKind, Load, Monitored, Network, Recovery, ServerCounters};
use crate::scenario::{PROCESSED_FACTOR, least_update_bytes};

/// A server that makes fewer than this part of its updates did not hold its rate.
const RATE_HELD: f64 = 0.95;

/// Not more room for updates is asked for, in all.
const MOST_ROOM: f64 = 2e7;

/// Takes a worker that has said `hello` through subscribing and collecting.
pub(super) fn run(
    driven: &mut Driven<'_>,
    cell: &Cell,
    load: Load,
    most_memory_bytes: u64,
    hello: &Hello,
) -> Result<(), Halt> {
    if !hello.stages.contains(&Stage::Subscribe) {
        let message = "the approach has no monitors; name the scenarios to run without them";
        return Err(failed(FailureKind::StageFailed, Some(Stage::Subscribe), message));
    }
    driven.require_mode(hello, Mode::Bulk)?;
    driven.context(hello)?;
    driven.connect(Mode::Bulk, cell.pvs)?;
    let watched = Watch { driven, pvs: cell.pvs, load, most_memory_bytes }.watch()?;
    let made_hz = watched.monitored.made_hz;
    driven.record.monitored = Some(Box::new(watched.monitored));
    if let Some(wrong) = watched.wrong {
        return Err(failed(FailureKind::WrongUpdate, Some(Stage::Collect), wrong));
    }
    if load.disturbance.is_none() && made_hz < RATE_HELD * load.rate_hz && !cell.is_probe() {
        let message = format!(
            "the IOC made {made_hz:.1} of {} updates per second of each PV: it cannot hold this \
             rate here; ask for a lower --rate or smaller --pixels",
            load.rate_hz
        );
        return Err(failed(FailureKind::RateNotHeld, Some(Stage::Collect), message));
    }
    Ok(())
}

/// What came of a watch, and the first update that was wrong.
struct Watched {
    monitored: Monitored,
    wrong: Option<String>,
}

struct Watch<'a, 'b> {
    driven: &'a mut Driven<'b>,
    pvs: usize,
    load: Load,
    most_memory_bytes: u64,
}

impl Watch<'_, '_> {
    fn watch(mut self) -> Result<Watched, Halt> {
        let first = self.made()?;
        self.subscribe()?;
        let counters_before = self.driven.ioc.counters()?;
        let account = Account::open(self.driven.session.pid(), self.driven.ioc.pid());
        let begun = self.begin_collecting();
        let observed = self.observe(first, &begun, &account)?;
        let books = account.close();
        let counters = self.counters_since(&counters_before)?;
        let done = self.finish_collecting(begun)?;
        let updates = done.updates.clone().unwrap_or_default();
        let (tallies, wrong) = match tally(&updates.runs, &observed.lives, self.load.pixels) {
            Ok(tallies) => (tallies, None),
            Err(wrong) => (Vec::new(), Some(wrong)),
        };
        let mut monitored = self.monitored(&observed, &tallies, updates);
        monitored.server_counters = counters;
        monitored.client = books.client;
        monitored.server = books.server;
        monitored.sampler_cpu_ns = books.sampler_cpu_ns;
        monitored.network = books.bytes.map(|(received_bytes, sent_bytes)| Network {
            received_bytes,
            sent_bytes,
            least_bytes: self.least_bytes(monitored.received),
        });
        self.driven.record.warnings.extend(books.warnings);
        Ok(Watched { monitored, wrong })
    }

    fn subscribe(&mut self) -> Result<(), Halt> {
        let content = self.load.content();
        let step = match content {
            Content::Frames => 1.0,
            Content::Scalars => PROCESSED_FACTOR,
        };
        let updates = self.load.updates_hz(self.pvs) * self.longest().as_secs_f64();
        let room = (updates.min(MOST_ROOM) as usize) + self.pvs;
        let command = StageCommand {
            monitor: Some(Monitor { content, step, room }),
            ..StageCommand::new(Stage::Subscribe, Mode::Bulk)
        };
        let done = self.driven.ask_one(command).map_err(|halt| self.explained(halt))?;
        self.driven.keep(&done, self.pvs);
        Ok(())
    }

    /// A frame that does not fit is the likely reason for a first update that
    /// never comes.
    fn explained(&self, halt: Halt) -> Halt {
        match (halt, self.load.pixels, self.load.array_bytes) {
            (Halt::Failed(mut failure), Some(pixels), Some(limit)) if pixels.bytes() > limit => {
                failure.message += &format!(
                    "\na frame of {pixels} has {} bytes, EPICS_CA_MAX_ARRAY_BYTES is {limit}",
                    pixels.bytes()
                );
                Halt::Failed(failure)
            }
            (halt, _, _) => halt,
        }
    }

    fn begin_collecting(&mut self) -> Begun {
        let command = StageCommand {
            seconds: Some(self.longest().as_secs_f64()),
            ..StageCommand::new(Stage::Collect, Mode::Bulk)
        };
        self.driven.session.begin(&command)
    }

    fn finish_collecting(&mut self, begun: Begun) -> Result<Done, Halt> {
        let ioc = &mut *self.driven.ioc;
        let done = self.driven.session.finish(begun, &mut || ioc.log().map(|_| ()))?;
        self.driven.keep(&done, self.pvs);
        Ok(done)
    }

    fn counters_since(&mut self, before: &ioc::ServerCounters) -> Result<ServerCounters, Halt> {
        let counted = self.driven.ioc.counters()?.since(before);
        Ok(ServerCounters {
            scan_overruns: counted.scan_overruns,
            merged_updates: counted.merged_updates,
            callback_overflows: counted.callback_overflows,
        })
    }

    fn monitored(&self, observed: &Observed, tallies: &[Tally], updates: Updates) -> Monitored {
        let sum = |part: fn(&Tally) -> u64| tallies.iter().map(part).sum();
        Monitored {
            start_ns: observed.start_ns,
            end_ns: observed.end_ns,
            made_hz: self.made_hz(observed),
            expected: sum(|tally| tally.expected),
            received: sum(|tally| tally.received),
            repeated: sum(|tally| tally.repeated),
            late: tallies.last().map_or(0, |tally| tally.late),
            latencies: updates.latencies,
            library_counters: updates.counters,
            recovery: tallies.last().and_then(|tally| self.recovery(observed, tally)),
            server_counters: ServerCounters::default(),
            client: Default::default(),
            server: Default::default(),
            sampler_cpu_ns: 0,
            network: None,
        }
    }

    fn made_hz(&self, observed: &Observed) -> f64 {
        let made: u64 = observed
            .lives
            .iter()
            .map(|life| {
                let before: u64 = life.first.iter().flatten().sum();
                life.last.iter().sum::<u64>().saturating_sub(before)
            })
            .sum();
        made as f64 / self.pvs as f64 / observed.scanned.as_secs_f64()
    }

    fn recovery(&self, observed: &Observed, last: &Tally) -> Option<Recovery> {
        let disturbance = self.load.disturbance?;
        let gone = usize::from(disturbance == Disturbance::Vanish);
        let slowest_ns = last.began_ns.iter().flatten().max();
        let slowest_s = observed
            .served_again_ns
            .zip(slowest_ns)
            .map(|(served_ns, began_ns)| (*began_ns as f64 - served_ns as f64).max(0.0) / 1e9);
        Some(Recovery { wanted: self.pvs - gone, recovered: last.caught_up, slowest_s })
    }

    /// The first update of each PV was counted before the books were opened.
    fn least_bytes(&self, received: u64) -> u64 {
        received.saturating_sub(self.pvs as u64) * least_update_bytes(self.load.pixels)
    }
}
