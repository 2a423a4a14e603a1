//! Runs the server while a worker collects: starts the scan, injects a fault if there is one,
//! stops the scan and reads the server's counts.

use std::time::Duration;

use super::MonitorRun;
use super::steady::LONGEST_TO_SETTLE;
use crate::measure::arrivals::IocInstance;
use crate::measure::session::PendingStages;
use crate::measure::stop::{Stop, failed};
use crate::measure::usage_recorder::UsageRecorder;
use crate::process::monotonic_ns;
use crate::record::{FailureKind, Steady};
use crate::scenario::{Course, Fault, Happening, RunLength, course};
use crate::worker_protocol::Stage;

/// How long the worker has to begin collecting before the server scans.
const HEAD_START: Duration = Duration::from_millis(100);

/// How long updates in transit may take to arrive after the server stops.
const DRAIN: Duration = Duration::from_millis(500);

/// The worker collects this much longer than planned, because shell commands take time too.
const SPARE: Duration = Duration::from_secs(1);

/// Starting an IOC takes almost a second; more is allowed here.
const IOC_START: Duration = Duration::from_secs(5);

/// How often the client's memory is checked.
const LOOK_AT_MEMORY: Duration = Duration::from_millis(200);

/// The record of what happened while a worker collected.
pub(super) struct Observed {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    /// How long the server scanned in total.
    pub(super) scanned: Duration,
    pub(super) instances: Vec<IocInstance>,
    /// When client and server both ran again, after a restart.
    pub(super) served_again_ns: Option<u64>,
    /// Whether CPU use was steady at the start, where the run waits for that.
    pub(super) steady: Option<Steady>,
}

impl MonitorRun<'_, '_> {
    /// Scans with the load's fault, stops, and waits for updates in transit.
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
        match self.planned.waits_for_steady_state() {
            true => observed.steady = Some(self.settle(pending, usage)?),
            false => self.meanwhile(pending, usage, self.warm_up())?,
        }
        observed.start_ns = monotonic_ns();
        if let Some(course) = self.course() {
            let mut passed = Duration::ZERO;
            for fault in course.faults {
                self.meanwhile(pending, usage, fault.at.saturating_sub(passed))?;
                self.carry_out(fault, pending, usage, &mut observed, &mut scanning_ns)?;
                passed = fault.at + fault.lasts;
            }
        }
        self.meanwhile(pending, usage, self.run_time())?;
        observed.end_ns = monotonic_ns();
        self.stop_scanning(scanning_ns, &mut observed)?;
        self.meanwhile(pending, usage, DRAIN)?;
        Ok(observed)
    }

    fn start_scanning(&mut self) -> Result<u64, Stop> {
        self.driven.ioc.start_scanning(self.load.rate_hz)?;
        Ok(monotonic_ns())
    }

    /// Stops the scan that began at `since_ns` and records the updates of this IOC process.
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

    fn carry_out(
        &mut self,
        fault: &Fault,
        pending: &PendingStages,
        usage: &UsageRecorder,
        observed: &mut Observed,
        scanning_ns: &mut u64,
    ) -> Result<(), Stop> {
        match fault.what {
            Happening::ClientStopped => {
                self.driven.session.pause();
                let stopped = self.meanwhile(pending, usage, fault.lasts);
                self.driven.session.resume();
                stopped
            }
            Happening::ServerStopped => {
                self.driven.ioc.pause();
                let stopped = self.driven.session.meanwhile(pending, fault.lasts, &mut || Ok(()));
                self.driven.ioc.resume();
                stopped
            }
            // No course of this scenario has one.
            Happening::LinkCut(_) | Happening::ServerMoved | Happening::ServerRetyped { .. } => {
                Ok(())
            }
            Happening::ServerKilled { without } => {
                self.stop_scanning(*scanning_ns, observed)?;
                self.driven.ioc.crash();
                let from_ns = monotonic_ns();
                self.driven.session.meanwhile(pending, fault.lasts, &mut || Ok(()))?;
                self.driven.ioc.restart(without)?;
                usage.server_is_now(self.driven.ioc.pid())?;
                observed.served_again_ns = Some(monotonic_ns());
                observed.instances.push(IocInstance { from_ns, first: None, last: Vec::new() });
                *scanning_ns = self.start_scanning()?;
                Ok(())
            }
        }
    }

    /// Waits, and stops a client that exceeds its memory: a leak, or a client that falls
    /// behind, can take gigabytes in seconds.
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
                    "the client held {} MiB, over the limit of {} MiB (--most-memory), and was \
                     stopped",
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
            Some(_) => vec![self.driven.ioc.frame_count()?],
            None => {
                let mut processed = self.driven.ioc.processed()?;
                processed.truncate(self.planned.pvs);
                processed
            }
        })
    }

    fn course(&self) -> Option<&'static Course> {
        self.load.disturbance.map(course)
    }

    /// How long the run lasts: without a disturbance all of it, with one the time that is left
    /// after it.
    fn run_time(&self) -> Duration {
        match self.course().map(|course| course.then) {
            Some(RunLength::For(duration)) => duration,
            Some(RunLength::AsTheLoadSays) | None => Duration::from_secs_f64(self.load.seconds),
        }
    }

    /// CPU use and memory are not steady at first.
    fn warm_up(&self) -> Duration {
        if self.planned.waits_for_steady_state() {
            return LONGEST_TO_SETTLE;
        }
        if self.load.seconds < 5.0 { Duration::from_millis(500) } else { Duration::from_secs(2) }
    }

    /// How long the worker collects.
    pub(super) fn longest(&self) -> Duration {
        let disturbed = self.course().map_or(Duration::ZERO, |course| {
            course.lasts() + IOC_START * u32::try_from(course.server_starts()).unwrap_or(u32::MAX)
        });
        HEAD_START + self.warm_up() + disturbed + self.run_time() + DRAIN + SPARE
    }
}
