//! Scenarios with monitors: subscribes, lets the server make updates at a rate,
//! and compares what arrived with what the server's own database counted.

mod clocks_apart;
mod observe;
mod replaced;
mod steady;

use self::observe::Observed;
use self::replaced::{Made, not_sent};
use super::PlannedConfiguration;
use super::arrivals::{Subscribed, Tally, tally};
use super::driven::Driven;
use super::latency_over_time;
use super::losses::losses;
use super::session::{Answer, PendingStages};
use super::stop::{Stop, failed};
use super::usage_recorder::UsageRecorder;
use crate::ioc::{Counted, LogEvent};
use crate::protocol::Protocol;
use crate::record::{
    Cores, FailureKind, Load, Monitored, Network, Recovery, ServerCounters, least_bytes,
};
use crate::scenario::{FRAME_PV, PROCESSED_FACTOR, course, least_update_bytes, pv_name};
use crate::worker_protocol::{
    Content, Hello, Mode, Monitor, Reported, Stage, StageCommand, Updates,
};

/// A server that makes fewer than this part of its updates did not hold its rate.
const RATE_HELD: f64 = 0.95;

/// Not more room for updates is asked for, in all.
const MOST_ROOM: f64 = 2e7;

/// What a worker needs beside its configuration.
pub(super) struct Given {
    /// A client that holds more memory is stopped.
    pub(super) most_memory_bytes: u64,
    /// The protocol that it speaks.
    pub(super) protocol: Protocol,
    /// The processor cores of client and server.
    pub(super) cores: Option<Cores>,
}

/// Drives a worker that has sent `hello` through subscribe and collect.
pub(super) fn run(
    driven: &mut Driven<'_>,
    planned: &PlannedConfiguration,
    load: Load,
    given: Given,
    hello: &Hello,
) -> Result<(), Stop> {
    if !hello.stages.contains(&Stage::Subscribe) {
        let message = "the approach has no monitors; name the scenarios to run without them";
        return Err(failed(FailureKind::StageFailed, Some(Stage::Subscribe), message));
    }
    driven.require_mode(hello, Mode::Bulk)?;
    driven.context(hello)?;
    driven.connect(Mode::Bulk, planned.pvs)?;
    // An overload is an answer, whoever gives up: what does arrive is counted.
    let may_be_silent = planned.may_be_overloaded() && hello.reports.contains(&Reported::Silent);
    let finished = MonitorRun { driven, planned, load, given, may_be_silent }.take()?;
    let made_hz = finished.monitored.made_hz;
    driven.record.monitored = Some(Box::new(finished.monitored));
    if let Some(wrong) = finished.wrong {
        return Err(failed(FailureKind::WrongUpdate, Some(Stage::Collect), wrong));
    }
    if load.disturbance.is_none()
        && made_hz < RATE_HELD * load.rate_hz
        && !planned.may_be_overloaded()
    {
        let message = format!(
            "the IOC made {made_hz:.1} of {} updates per second of each PV: it cannot hold this \
             rate here; ask for a lower --rate or smaller --pixels",
            load.rate_hz
        );
        return Err(failed(FailureKind::RateNotHeld, Some(Stage::Collect), message));
    }
    Ok(())
}

/// The result of a monitor run, and its first wrong update.
struct Finished {
    monitored: Monitored,
    wrong: Option<String>,
}

struct MonitorRun<'a, 'b> {
    driven: &'a mut Driven<'b>,
    planned: &'a PlannedConfiguration,
    load: Load,
    given: Given,
    /// Whether it goes on where subscriptions bring nothing.
    may_be_silent: bool,
}

impl MonitorRun<'_, '_> {
    fn take(mut self) -> Result<Finished, Stop> {
        let first = self.made()?;
        let clocks = self.driven.ioc.clocks()?;
        self.subscribe()?;
        let counters_before = self.driven.ioc.counted()?;
        let usage = UsageRecorder::start(self.driven.session.pid(), &*self.driven.ioc)?;
        let pending = self.begin_collecting();
        let observed = self.observe(first, &pending, &usage)?;
        let recorded = usage.finish()?;
        let counters = self.counters_since(&counters_before, &observed)?;
        let Answer { done, .. } = self.finish_collecting(pending)?;
        let updates = done.updates.unwrap_or_default();
        let subscribed = Subscribed { pixels: self.load.pixels, monitors: self.load.monitors };
        let (tallies, wrong) = match tally(&updates.runs, &observed.instances, subscribed) {
            Ok(tallies) => (tallies, None),
            Err(wrong) => (Vec::new(), Some(wrong)),
        };
        let mut monitored = self.monitored(&observed, &tallies, updates);
        if let Some(clocks) = clocks {
            let warning = clocks_apart::correct(&mut monitored.latencies, clocks.day);
            // Each slice has percentiles that were taken in the worker.
            monitored.latency_over_time = None;
            self.driven.record.warnings.extend(warning);
        }
        monitored.server_counters = counters;
        monitored.client = recorded.client;
        monitored.server = recorded.server;
        monitored.sampler_cpu_ns = recorded.sampler_cpu_ns;
        monitored.machine = recorded.machine;
        monitored.network = recorded.bytes.map(|(received_bytes, sent_bytes)| Network {
            received_bytes,
            sent_bytes,
            least_bytes: self.least_bytes(&monitored),
        });
        self.driven.record.warnings.extend(recorded.warnings);
        Ok(Finished { monitored, wrong })
    }

    fn subscribe(&mut self) -> Result<(), Stop> {
        let content = self.load.content();
        let step = match content {
            Content::Frames => 1.0,
            Content::Scalars => PROCESSED_FACTOR,
        };
        let updates = self.load.updates_hz(self.planned.pvs) * self.longest().as_secs_f64();
        let monitors = self.load.monitors;
        let room = (updates.min(MOST_ROOM) as usize) + self.planned.pvs * monitors;
        let command = StageCommand {
            monitor: Some(Monitor {
                content,
                step,
                room,
                monitors,
                callback_s: None,
                frames: 0,
                may_be_silent: self.may_be_silent,
            }),
            ..StageCommand::new(Stage::Subscribe, Mode::Bulk)
        };
        let answer = self.driven.ask_one(command).map_err(|stop| self.explained(stop))?;
        self.driven.keep(&answer, self.planned.pvs);
        Ok(())
    }

    /// When the first update never arrives, the frame is probably larger than the client
    /// accepts.
    fn explained(&self, stop: Stop) -> Stop {
        match (stop, self.load.pixels, self.load.array_bytes) {
            (Stop::Failed(mut failure), Some(pixels), Some(limit)) if pixels.bytes() > limit => {
                failure.message += &format!(
                    "\na frame of {pixels} has {} bytes, EPICS_CA_MAX_ARRAY_BYTES is {limit}",
                    pixels.bytes()
                );
                Stop::Failed(failure)
            }
            (stop, _, _) => stop,
        }
    }

    fn begin_collecting(&mut self) -> PendingStages {
        let command = StageCommand {
            seconds: Some(self.longest().as_secs_f64()),
            ..StageCommand::new(Stage::Collect, Mode::Bulk)
        };
        self.driven.session.begin(&[command])
    }

    fn finish_collecting(&mut self, pending: PendingStages) -> Result<Answer, Stop> {
        let ioc = &mut *self.driven.ioc;
        let check_ioc = &mut || Ok(ioc.check()?);
        let mut answers = self.driven.session.finish(pending, check_ioc)?;
        let answer = answers.remove(0);
        self.driven.keep(&answer, self.planned.pvs);
        Ok(answer)
    }

    fn counters_since(
        &mut self,
        before: &Counted,
        observed: &Observed,
    ) -> Result<ServerCounters, Stop> {
        let counted = self.driven.ioc.counted()?.since(before);
        let not_sent = self.not_sent(&counted, observed);
        let named = |(event, count): (LogEvent, u64)| (event.name().to_owned(), count);
        Ok(ServerCounters {
            subscriptions: counted.subscriptions,
            scan_overruns: counted.scan_overruns,
            // What the database replaced was not sent either.
            merged_updates: not_sent.max(counted.merged_updates),
            callback_overflows: counted.callback_overflows,
            overloads: counted.overloads.into_iter().map(named).collect(),
        })
    }

    /// Updates that the server did not send, where it shows its sent bytes; a restarted server
    /// counts from its restart.
    fn not_sent(&self, counted: &Counted, observed: &Observed) -> Option<u64> {
        let sent_bytes = counted.sent_bytes.as_ref()?;
        let [instance] = &observed.instances[..] else { return None };
        let before = instance.first.as_ref()?;
        let made = instance.last.iter().zip(before).enumerate().map(|(pv, (last, first))| Made {
            pv: self.name_of(pv),
            updates: last.saturating_sub(*first),
        });
        let update_bytes = least_update_bytes(Protocol::Pva, self.load.pixels);
        let is_asked = self.given.protocol == Protocol::Pva;
        is_asked.then(|| not_sent(made, self.load.monitors, sent_bytes, update_bytes))
    }

    fn monitored(&self, observed: &Observed, tallies: &[Tally], updates: Updates) -> Monitored {
        let sum = |part: fn(&Tally) -> u64| tallies.iter().map(part).sum();
        Monitored {
            start_ns: observed.start_ns,
            end_ns: observed.end_ns,
            made_hz: self.made_hz(observed),
            steady: observed.steady,
            cores: self.given.cores.clone(),
            expected: sum(|tally| tally.expected),
            received: sum(|tally| tally.received),
            repeated: sum(|tally| tally.repeated),
            late: tallies.last().map_or(0, |tally| tally.late),
            silent: tallies.last().map_or(0, Tally::silent),
            latencies: updates.latencies,
            library_counters: updates.counters,
            latency_over_time: updates
                .latency_over_time
                .map(|series| latency_over_time::recorded(series, |pv| self.name_of(pv))),
            losses: losses(tallies, (observed.start_ns, observed.end_ns), |pv| self.name_of(pv)),
            recovery: tallies.last().and_then(|tally| self.recovery(observed, tally)),
            server_counters: ServerCounters::default(),
            client: Default::default(),
            server: Default::default(),
            sampler_cpu_ns: 0,
            machine: None,
            network: None,
        }
    }

    fn name_of(&self, pv: usize) -> String {
        if self.load.pixels.is_some() { FRAME_PV.to_owned() } else { pv_name(pv) }
    }

    fn made_hz(&self, observed: &Observed) -> f64 {
        let made: u64 = observed
            .instances
            .iter()
            .map(|instance| {
                let before: u64 = instance.first.iter().flatten().sum();
                instance.last.iter().sum::<u64>().saturating_sub(before)
            })
            .sum();
        made as f64 / self.planned.pvs as f64 / observed.scanned.as_secs_f64()
    }

    fn recovery(&self, observed: &Observed, last: &Tally) -> Option<Recovery> {
        let gone = course(self.load.disturbance?).pvs_gone();
        let slowest_ns = last.began_ns.iter().flatten().max();
        let slowest_s = observed
            .served_again_ns
            .zip(slowest_ns)
            .map(|(served_ns, began_ns)| (*began_ns as f64 - served_ns as f64).max(0.0) / 1e9);
        Some(Recovery { wanted: self.planned.pvs - gone, recovered: last.caught_up, slowest_s })
    }

    fn least_bytes(&self, monitored: &Monitored) -> Option<u64> {
        let counts = (monitored.received, monitored.repeated);
        least_bytes(self.given.protocol, &self.load, self.planned.pvs, counts)
    }
}
