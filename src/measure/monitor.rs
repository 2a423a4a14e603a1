//! Scenarios with monitors: subscribes, lets the server make updates at a rate,
//! and compares what arrived with what the server's own database counted.

use std::time::Duration;

use super::Cell;
use super::account::Account;
use super::arrivals::{Life, Tally, tally};
use super::driven::Driven;
use super::session::{Begun, Halt, failed};
use crate::ioc::{self, IocError};
use crate::process::{Deadline, monotonic_ns};
use crate::protocol::{Content, Done, Hello, Mode, Monitor, Stage, StageCommand, Updates};
use crate::record::{Disturbance, FailureKind, Load, Monitored, Network, Recovery, ServerCounters};
use crate::scenario::{PROCESSED_FACTOR, least_update_bytes};

/// The worker's turn to begin collecting before the server begins to scan.
const HEAD_START: Duration = Duration::from_millis(100);

/// What is on its way when the server stops has this long to arrive.
const DRAIN: Duration = Duration::from_millis(500);

/// The worker collects this much longer than the rest is planned to take: shell
/// commands take their time too.
const SPARE: Duration = Duration::from_secs(2);

/// Monitors watch this long before anything is done to them.
const UNDISTURBED: Duration = Duration::from_secs(1);

/// How long a stalled client is stopped.
const STALL: Duration = Duration::from_secs(5);

/// How long a stalled client has to catch up.
const CATCH_UP: Duration = Duration::from_secs(3);

/// How long a killed IOC stays away.
const OUTAGE: Duration = Duration::from_secs(1);

/// Starting an IOC takes most of a second; it may take more here.
const IOC_START: Duration = Duration::from_secs(5);

/// How often the client's memory is looked at.
const LOOK_AT_MEMORY: Duration = Duration::from_millis(200);

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

/// What happened while a worker collected.
struct Observed {
    start_ns: u64,
    end_ns: u64,
    /// How long the server scanned, in all.
    scanned: Duration,
    lives: Vec<Life>,
    /// When client and server could both work again, after a restart.
    served_again_ns: Option<u64>,
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

    /// Scans, with the disturbance in the middle, stops, and lets things drain.
    fn observe(
        &mut self,
        first: Vec<u64>,
        begun: &Begun,
        account: &Account,
    ) -> Result<Observed, Halt> {
        self.meanwhile(begun, account, HEAD_START)?;
        let mut observed = Observed {
            start_ns: 0,
            end_ns: 0,
            scanned: Duration::ZERO,
            lives: vec![Life { from_ns: 0, first: Some(first), last: Vec::new() }],
            served_again_ns: None,
        };
        let mut scanning_ns = self.start_scanning()?;
        self.meanwhile(begun, account, self.warm_up())?;
        observed.start_ns = monotonic_ns();
        match self.load.disturbance {
            None => self.meanwhile(begun, account, self.watch_time())?,
            Some(Disturbance::Stall) => self.stall(begun, account)?,
            Some(restart) => {
                self.meanwhile(begun, account, UNDISTURBED)?;
                self.stop_scanning(scanning_ns, &mut observed)?;
                self.restart(restart, begun, account, &mut observed)?;
                scanning_ns = self.start_scanning()?;
                self.meanwhile(begun, account, self.watch_time())?;
            }
        }
        observed.end_ns = monotonic_ns();
        self.stop_scanning(scanning_ns, &mut observed)?;
        self.meanwhile(begun, account, DRAIN)?;
        Ok(observed)
    }

    fn start_scanning(&mut self) -> Result<u64, Halt> {
        self.driven.ioc.start_scanning(self.load.rate_hz)?;
        Ok(monotonic_ns())
    }

    /// Stops the scan that began at `since_ns` and notes what this life made.
    fn stop_scanning(&mut self, since_ns: u64, observed: &mut Observed) -> Result<(), Halt> {
        let scanned_ns = monotonic_ns() - since_ns;
        self.driven.ioc.stop_scanning()?;
        observed.scanned += Duration::from_nanos(scanned_ns);
        let last = self.made()?;
        if let Some(life) = observed.lives.last_mut() {
            life.last = last;
        }
        Ok(())
    }

    fn stall(&mut self, begun: &Begun, account: &Account) -> Result<(), Halt> {
        self.meanwhile(begun, account, UNDISTURBED)?;
        self.driven.session.pause();
        let stalled = self.meanwhile(begun, account, STALL);
        self.driven.session.resume();
        stalled?;
        self.meanwhile(begun, account, CATCH_UP)
    }

    fn restart(
        &mut self,
        disturbance: Disturbance,
        begun: &Begun,
        account: &Account,
        observed: &mut Observed,
    ) -> Result<(), Halt> {
        self.driven.ioc.crash();
        let from_ns = monotonic_ns();
        self.driven.session.meanwhile(begun, OUTAGE, &mut || Ok(()))?;
        let without = (disturbance == Disturbance::Vanish).then_some(0);
        self.driven.ioc.restart(without)?;
        account.server_is_now(self.driven.ioc.pid());
        observed.served_again_ns = Some(monotonic_ns());
        observed.lives.push(Life { from_ns, first: None, last: Vec::new() });
        Ok(())
    }

    /// Lets time pass, but not while the client eats up the machine's memory: a
    /// leak, or a client that falls behind, can take gigabytes in seconds.
    fn meanwhile(
        &mut self,
        begun: &Begun,
        account: &Account,
        duration: Duration,
    ) -> Result<(), Halt> {
        let deadline = Deadline::after(duration);
        while !deadline.remaining().is_zero() {
            let ioc = &mut *self.driven.ioc;
            let mut look_after_ioc = || -> Result<(), IocError> { ioc.log().map(|_| ()) };
            let slice = LOOK_AT_MEMORY.min(deadline.remaining());
            self.driven.session.meanwhile(begun, slice, &mut look_after_ioc)?;
            let (held, most) = (account.client_rss_bytes(), self.most_memory_bytes);
            if held > most {
                let message = format!(
                    "the client held {} MiB, more than the {} MiB that it may (--most-memory); it \
                     was stopped",
                    held >> 20,
                    most >> 20
                );
                return Err(failed(FailureKind::TooMuchMemory, Some(Stage::Collect), message));
            }
        }
        Ok(())
    }

    /// The number of each PV's latest update, from the IOC's own database.
    fn made(&mut self) -> Result<Vec<u64>, Halt> {
        Ok(match self.load.pixels {
            Some(_) => vec![self.driven.ioc.frames_made()?],
            None => self.driven.ioc.processed()?,
        })
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

    /// How long to watch: without a disturbance all of it, with a restart the
    /// time to come back.
    fn watch_time(&self) -> Duration {
        Duration::from_secs_f64(self.load.seconds)
    }

    /// CPU and memory of the first moments are not those of steady work.
    fn warm_up(&self) -> Duration {
        if self.load.seconds < 5.0 { Duration::from_millis(500) } else { Duration::from_secs(2) }
    }

    /// How long the worker collects.
    fn longest(&self) -> Duration {
        let watched = match self.load.disturbance {
            None => self.watch_time(),
            Some(Disturbance::Stall) => UNDISTURBED + STALL + CATCH_UP,
            Some(_) => UNDISTURBED + OUTAGE + IOC_START + self.watch_time(),
        };
        HEAD_START + self.warm_up() + watched + DRAIN + SPARE
    }
}
