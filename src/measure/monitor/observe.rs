//! What happens while a worker collects: the server scans, something disturbs it
//! perhaps, the server stops, and its counts are read.

use std::time::Duration;

use super::Watch;
use super::steady::LONGEST_TO_SETTLE;
use crate::measure::arrivals::IocInstance;
use crate::measure::session::PendingStages;
use crate::measure::stop::{Stop, failed};
use crate::measure::usage_recorder::UsageRecorder;
use crate::process::monotonic_ns;
use crate::record::{Disturbance, FailureKind, Steady};
use crate::worker_protocol::Stage;

/// The worker's turn to begin collecting before the server begins to scan.
const HEAD_START: Duration = Duration::from_millis(100);

/// What is on its way when the server stops has this long to arrive.
const DRAIN: Duration = Duration::from_millis(500);

/// The worker collects this much longer than the rest is planned to take: shell
/// commands take their time too.
const SPARE: Duration = Duration::from_secs(1);

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

/// What happened while a worker collected.
pub(super) struct Observed {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    /// How long the server scanned, in all.
    pub(super) scanned: Duration,
    pub(super) instances: Vec<IocInstance>,
    /// When client and server could both work again, after a restart.
    pub(super) served_again_ns: Option<u64>,
    /// Whether CPU use was steady at the start, where that was waited for.
    pub(super) steady: Option<Steady>,
}

impl Watch<'_, '_> {
    /// Scans, with the disturbance in the middle, stops, and lets things drain.
    pub(super) fn observe(
        &mut self,
        first: Vec<u64>,
        pending: &PendingStages,
        usage: &UsageRecorder,
    ) -> Result<Observed, Stop> {
        self.meanwhile(pending, usage, HEAD_START)?;
        let mut observed = Observed {
            start_ns: 0,
            end_ns: 0,
            scanned: Duration::ZERO,
            instances: vec![IocInstance { from_ns: 0, first: Some(first), last: Vec::new() }],
            served_again_ns: None,
            steady: None,
        };
        let mut scanning_ns = self.start_scanning()?;
        match self.cell.waits_for_steady_state() {
            true => observed.steady = Some(self.settle(pending, usage)?),
            false => self.meanwhile(pending, usage, self.warm_up())?,
        }
        observed.start_ns = monotonic_ns();
        match self.load.disturbance {
            None => self.meanwhile(pending, usage, self.watch_time())?,
            Some(Disturbance::Stall) => self.stall(pending, usage)?,
            Some(restart) => {
                self.meanwhile(pending, usage, UNDISTURBED)?;
                self.stop_scanning(scanning_ns, &mut observed)?;
                self.restart(restart, pending, usage, &mut observed)?;
                scanning_ns = self.start_scanning()?;
                self.meanwhile(pending, usage, self.watch_time())?;
            }
        }
        observed.end_ns = monotonic_ns();
        self.stop_scanning(scanning_ns, &mut observed)?;
        self.meanwhile(pending, usage, DRAIN)?;
        Ok(observed)
    }

    fn start_scanning(&mut self) -> Result<u64, Stop> {
        self.driven.ioc.start_scanning(self.load.rate_hz)?;
        Ok(monotonic_ns())
    }

    /// Stops the scan that began at `since_ns` and notes what this instance made.
    fn stop_scanning(&mut self, since_ns: u64, observed: &mut Observed) -> Result<(), Stop> {
        let scanned_ns = monotonic_ns() - since_ns;
        self.driven.ioc.stop_scanning()?;
        observed.scanned += Duration::from_nanos(scanned_ns);
        let last = self.made()?;
        if let Some(instance) = observed.instances.last_mut() {
            instance.last = last;
        }
        Ok(())
    }

    fn stall(&mut self, pending: &PendingStages, usage: &UsageRecorder) -> Result<(), Stop> {
        self.meanwhile(pending, usage, UNDISTURBED)?;
        self.driven.session.pause();
        let stalled = self.meanwhile(pending, usage, STALL);
        self.driven.session.resume();
        stalled?;
        self.meanwhile(pending, usage, CATCH_UP)
    }

    fn restart(
        &mut self,
        disturbance: Disturbance,
        pending: &PendingStages,
        usage: &UsageRecorder,
        observed: &mut Observed,
    ) -> Result<(), Stop> {
        self.driven.ioc.crash();
        let from_ns = monotonic_ns();
        self.driven.session.meanwhile(pending, OUTAGE, &mut || Ok(()))?;
        let without = (disturbance == Disturbance::Vanish).then_some(0);
        self.driven.ioc.restart(without)?;
        usage.server_is_now(self.driven.ioc.pid());
        observed.served_again_ns = Some(monotonic_ns());
        observed.instances.push(IocInstance { from_ns, first: None, last: Vec::new() });
        Ok(())
    }

    /// Lets time pass, but not while the client eats up the machine's memory: a
    /// leak, or a client that falls behind, can take gigabytes in seconds.
    pub(super) fn meanwhile(
        &mut self,
        pending: &PendingStages,
        usage: &UsageRecorder,
        duration: Duration,
    ) -> Result<(), Stop> {
        let until = self.driven.session.now() + duration;
        while self.driven.session.now() < until {
            let ioc = &mut *self.driven.ioc;
            let slice = LOOK_AT_MEMORY.min(until.saturating_sub(self.driven.session.now()));
            self.driven.session.meanwhile(pending, slice, &mut || Ok(ioc.check()?))?;
            let (held, most) = (usage.client_rss_bytes(), self.given.most_memory_bytes);
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
    pub(super) fn made(&mut self) -> Result<Vec<u64>, Stop> {
        Ok(match self.load.pixels {
            Some(_) => vec![self.driven.ioc.frames_made()?],
            None => {
                let mut processed = self.driven.ioc.processed()?;
                processed.truncate(self.cell.pvs);
                processed
            }
        })
    }

    /// How long to watch: without a disturbance all of it, with a restart the
    /// time to come back.
    fn watch_time(&self) -> Duration {
        Duration::from_secs_f64(self.load.seconds)
    }

    /// CPU and memory of the first moments are not those of steady work.
    fn warm_up(&self) -> Duration {
        if self.cell.waits_for_steady_state() {
            return LONGEST_TO_SETTLE;
        }
        if self.load.seconds < 5.0 { Duration::from_millis(500) } else { Duration::from_secs(2) }
    }

    /// How long the worker collects.
    pub(super) fn longest(&self) -> Duration {
        let watched = match self.load.disturbance {
            None => self.watch_time(),
            Some(Disturbance::Stall) => UNDISTURBED + STALL + CATCH_UP,
            Some(_) => UNDISTURBED + OUTAGE + IOC_START + self.watch_time(),
        };
        HEAD_START + self.warm_up() + watched + DRAIN + SPARE
    }
}
