//! Checks whether an answer fits its command: no I/O, no clock.

use std::time::Duration;

use super::latency_over_time;
use super::stop::{Stop, failed, garbage};
use crate::record::FailureKind;
use crate::scenario;
use crate::units::counted;
use crate::worker_protocol::{
    Done, FromWorker, Hello, Mode, OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION, Span, Stage,
    StageCommand,
};

/// Timers may fire a little early; a worker that ends much earlier has missed updates.
const SHORTEST_OF_ASKED: f64 = 0.999;

/// The first message, which came `waited` after the worker was started.
pub(super) fn check_hello(message: FromWorker, waited: Duration) -> Result<Hello, Stop> {
    match message {
        FromWorker::Hello(hello)
            if (OLDEST_PROTOCOL_VERSION..=PROTOCOL_VERSION).contains(&hello.protocol) =>
        {
            check_span(Stage::Import, &hello.import, waited, 0)?;
            Ok(hello)
        }
        FromWorker::Hello(Hello { protocol, .. }) => {
            let message = format!(
                "the worker speaks protocol {protocol}, this build speaks \
                 {OLDEST_PROTOCOL_VERSION} to {PROTOCOL_VERSION}"
            );
            Err(garbage(None, message))
        }
        FromWorker::Done(Done { stage, .. }) => {
            Err(garbage(None, format!("expected hello, got the end of {stage}")))
        }
        FromWorker::Failed(failed) => {
            let message =
                format!("expected hello, got a failed {}: {}", failed.stage, failed.error);
            Err(garbage(None, message))
        }
    }
}

/// A command to a worker, and when it was sent.
pub(super) struct Asked<'a> {
    pub(super) command: &'a StageCommand,
    /// How many PVs the job has.
    pub(super) pvs: usize,
    /// How long the harness waited for the answer.
    pub(super) waited: Duration,
    /// When the worker finished its previous stage, on its own clock.
    pub(super) free_since_ns: u64,
}

impl Asked<'_> {
    /// Checks the answer against the command: stage, times and number of values.
    pub(super) fn check(&self, done: &Done) -> Result<(), Stop> {
        let command = self.command;
        if (done.stage, done.mode) != (command.stage, command.mode) {
            let message = format!(
                "asked for {} in {} mode, answered for {} in {} mode",
                command.stage, command.mode, done.stage, done.mode
            );
            return Err(garbage(Some(command.stage), message));
        }
        let span = Span { start_ns: done.start_ns, end_ns: done.end_ns, cpu_ns: done.cpu_ns };
        let took = check_span(command.stage, &span, self.waited, self.free_since_ns)?;
        self.check_values(done)?;
        self.check_each(done, took)?;
        self.check_unconnected(done)?;
        self.check_collected(done, took)
    }

    /// How many PVs the command covers.
    fn meant(&self) -> usize {
        self.command.pvs.as_ref().map_or(self.pvs, Vec::len)
    }

    fn check_values(&self, done: &Done) -> Result<(), Stop> {
        let stage = self.command.stage;
        let expected = if scenario::reads(stage) { self.meant() } else { 0 };
        let got = done.values.as_ref().map_or(0, Vec::len);
        if got == expected {
            return Ok(());
        }
        let message =
            format!("{} came back for {}", counted(got, "value"), counted(expected, "PV"));
        Err(failed(FailureKind::WrongValue, Some(stage), message))
    }

    /// Only reads and writes one by one have times of single PVs, and their sum cannot exceed
    /// the stage's time.
    fn check_each(&self, done: &Done, took: Duration) -> Result<(), Stop> {
        if done.each_ns.is_empty() {
            return Ok(());
        }
        let stage = self.command.stage;
        let treats = scenario::reads(stage) || stage == Stage::Put;
        let timed = if self.command.mode == Mode::Serial && treats { self.meant() } else { 0 };
        let reported = done.each_ns.len();
        if reported != timed {
            let reported = counted(reported, "PV");
            return Err(garbage(Some(stage), format!("times of {reported} came back for {timed}")));
        }
        let sum_ns = done.each_ns.iter().fold(0, |sum: u64, one| sum.saturating_add(*one));
        let took_ns = took.as_nanos();
        if u128::from(sum_ns) > took_ns {
            let message = format!("its PVs claim {sum_ns} ns, but all took {took_ns} ns");
            return Err(garbage(Some(stage), message));
        }
        Ok(())
    }

    /// Only PVs that are known to be absent may be unconnected when `connect` is done.
    fn check_unconnected(&self, done: &Done) -> Result<(), Stop> {
        let absent = self.command.absent.as_deref().unwrap_or_default();
        match done.unconnected.iter().find(|pv| !absent.contains(pv)) {
            None => Ok(()),
            Some(pv) => {
                let message = format!("it is done, but PV {pv} of the job is not connected");
                Err(garbage(Some(self.command.stage), message))
            }
        }
    }

    /// Only `collect` returns updates, and it takes the requested time.
    fn check_collected(&self, done: &Done, took: Duration) -> Result<(), Stop> {
        let stage = self.command.stage;
        if (stage == Stage::Collect) != done.updates.is_some() {
            let with = if done.updates.is_some() { "with" } else { "without" };
            return Err(garbage(Some(stage), format!("the answer came {with} updates")));
        }
        let (asked_s, took_s) = (self.command.seconds.unwrap_or(0.0), took.as_secs_f64());
        if took_s < asked_s * SHORTEST_OF_ASKED {
            let message = format!("it took updates for {took_s:.3} s of {asked_s:.3} s");
            return Err(garbage(Some(stage), message));
        }
        let Some(updates) = &done.updates else { return Ok(()) };
        latency_over_time::check(updates, self.pvs).map_err(|wrong| garbage(Some(stage), wrong))
    }
}

/// A stage starts after the previous one, and cannot take longer than the harness waited.
/// Returns how long it took.
fn check_span(
    stage: Stage,
    span: &Span,
    waited: Duration,
    free_since_ns: u64,
) -> Result<Duration, Stop> {
    let Span { start_ns, end_ns, .. } = *span;
    let claim = format!("it claims to have worked from {start_ns} ns to {end_ns} ns");
    let took = end_ns.checked_sub(start_ns).map(Duration::from_nanos);
    let Some(took) = took.filter(|took| *took <= waited) else {
        let waited_ns = waited.as_nanos();
        let message = format!("{claim}, but the answer came after {waited_ns} ns");
        return Err(garbage(Some(stage), message));
    };
    if start_ns < free_since_ns {
        let message = format!("{claim}, but before that it was busy until {free_since_ns} ns");
        return Err(garbage(Some(stage), message));
    }
    Ok(took)
}
