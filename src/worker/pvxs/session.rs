//! One job on one context: makes the channels, asks, waits.

use std::ffi::CString;
use std::time::{Duration, Instant};

use super::context::Context;
use super::told::{Failure, NotRunning, Unfinished};
use crate::worker::libca::{c_names, timeout_of, unfinished};
use crate::worker::{PerPvTimes, StageError};
use crate::worker_protocol::{Job, Mode, Monitor, Updates};

pub(super) struct Session {
    context: Context,
    names: Vec<CString>,
    timeout: Duration,
}

impl Session {
    /// Makes the context; touches no PV.
    pub(super) fn new(job: &Job) -> Result<Session, StageError> {
        let names = c_names(job)?;
        let timeout = timeout_of(job)?;
        let context = Context::new(names.len());
        let context = context.map_err(|why| StageError(format!("pvxs' context: {why}")))?;
        Ok(Session { context, names, timeout })
    }

    /// Makes all channels that are not made yet.
    pub(super) fn create(&mut self) -> Result<(), StageError> {
        self.create_up_to(self.names.len())
    }

    /// Waits until all channels are connected; makes them where need be.
    pub(super) fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.deadline();
        if mode == Mode::Serial {
            for made in self.context.created()..self.names.len() {
                self.create_up_to(made + 1)?;
                self.wait_for_connections(deadline)?;
            }
        }
        self.create()?;
        self.wait_for_connections(deadline)
    }

    /// Reads one value each.
    pub(super) fn get(
        &self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.ask(mode, "read", pvs, times, |pv, _, request| self.context.get(pv, request))
    }

    /// Writes one value each and waits for the confirmations.
    pub(super) fn put(
        &self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        let confirmed = self.ask(mode, "confirmed", pvs, times, |pv, position, request| {
            self.context.put(pv, values[position], request)
        });
        confirmed.map(drop)
    }

    /// Subscribes to `pvs` and waits for the first update of each subscription.
    pub(super) fn subscribe(
        &self,
        mode: Mode,
        pvs: &[usize],
        monitor: Monitor,
    ) -> Result<(), StageError> {
        let Some(numbering) = self.context.told().begin_monitors(monitor) else {
            return Err(StageError("this job has its subscriptions already".to_owned()));
        };
        let deadline = self.deadline();
        for (batch, pvs_before) in batches(mode, pvs) {
            for pv in batch {
                self.check_created(*pv)?;
                for subscription in numbering.of_pv(*pv) {
                    let made = self.context.subscribe(*pv, subscription, monitor.content);
                    made.map_err(|why| self.not_subscribed(&Failure(*pv, why)))?;
                }
            }
            let unbegun = pvs.len() - pvs_before - batch.len();
            let waited = self.context.told().wait_for_updates(deadline);
            waited.map_err(|why| self.not_running(&why, unbegun, pvs.len(), monitor.monitors))?;
        }
        Ok(())
    }

    /// Takes updates for `duration`.
    pub(super) fn collect(&self, duration: Duration) -> Result<Updates, StageError> {
        self.context.told().begin_collecting();
        std::thread::sleep(duration);
        let taken = self.context.told().take_updates();
        let taken = taken.map_err(|failure| self.not_subscribed(&failure))?;
        let mut updates = taken.ok_or_else(|| StageError("nothing is subscribed to".to_owned()))?;
        let squashed = self.context.take_squashed();
        updates.counters.insert("nSrvSquash".to_owned(), squashed.by_server);
        updates.counters.insert("nCliSquash".to_owned(), squashed.by_client);
        Ok(updates)
    }

    /// Sends a request for each PV and waits for the answers: for each at once
    /// in serial mode, for all in bulk mode. `request` gets the PV, its position
    /// in `pvs` and the request's number.
    fn ask(
        &self,
        mode: Mode,
        what: &str,
        pvs: &[usize],
        times: &mut PerPvTimes,
        request: impl Fn(usize, usize, usize) -> Result<(), String>,
    ) -> Result<Vec<f64>, StageError> {
        let deadline = self.deadline();
        let mut values = Vec::with_capacity(pvs.len());
        for (batch, done) in batches(mode, pvs) {
            let first_number = self.context.told().expect_answers(batch.len());
            for (offset, pv) in batch.iter().enumerate() {
                self.check_created(*pv)?;
                request(*pv, done + offset, first_number.wrapping_add(offset))
                    .map_err(|why| self.failed(*pv, &why))?;
            }
            let answers = self.context.told().wait_for_answers(deadline);
            self.context.end_requests();
            for (pv, answer) in batch.iter().zip(&answers) {
                if let Some(Err(why)) = answer {
                    return Err(self.failed(*pv, why));
                }
            }
            if let Some(first) = answers.iter().position(Option::is_none) {
                let missing = pvs.len() - done - answers.iter().flatten().count();
                return Err(self.unfinished(what, missing, pvs.len(), batch[first]));
            }
            values.extend(answers.into_iter().flatten().flatten());
            times.mark();
        }
        Ok(values)
    }

    fn create_up_to(&mut self, count: usize) -> Result<(), StageError> {
        for pv in self.context.created()..count {
            let created = self.context.create(&self.names[pv]);
            created.map_err(|why| self.failed(pv, &why))?;
        }
        self.context.hurry_up().map_err(|why| StageError(format!("hurryUp: {why}")))
    }

    fn wait_for_connections(&self, deadline: Instant) -> Result<(), StageError> {
        let waited = self.context.told().wait_for_connections(deadline);
        waited.map_err(|Unfinished(down, first)| {
            // Those that are not even made are not connected either.
            let missing = down + self.names.len() - self.context.created();
            self.unfinished("connected", missing, self.names.len(), first)
        })
    }

    /// `unbegun` of `all` PVs were not even subscribed to.
    fn not_running(
        &self,
        why: &NotRunning,
        unbegun: usize,
        all: usize,
        monitors: usize,
    ) -> StageError {
        match why {
            NotRunning::Failed(failure) => self.not_subscribed(failure),
            NotRunning::Silent(Unfinished(silent, first)) => {
                self.unfinished("subscribed", silent.div_ceil(monitors) + unbegun, all, *first)
            }
        }
    }

    fn check_created(&self, pv: usize) -> Result<(), StageError> {
        if pv < self.context.created() {
            return Ok(());
        }
        Err(StageError(format!("{}: no channel was made", self.name(pv))))
    }

    fn not_subscribed(&self, Failure(pv, why): &Failure) -> StageError {
        StageError(format!("the subscription to {}: {why}", self.name(*pv)))
    }

    fn failed(&self, pv: usize, why: &str) -> StageError {
        StageError(format!("{}: {why}", self.name(pv)))
    }

    fn unfinished(&self, what: &str, missing: usize, all: usize, first: usize) -> StageError {
        unfinished(missing, all, what, self.timeout, &self.name(first))
    }

    fn name(&self, pv: usize) -> String {
        self.names[pv].to_string_lossy().into_owned()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// What is asked for together, with how many PVs come before.
fn batches(mode: Mode, pvs: &[usize]) -> impl Iterator<Item = (&[usize], usize)> {
    let size = match mode {
        Mode::Serial => 1,
        Mode::Bulk => pvs.len().max(1),
    };
    pvs.chunks(size).zip((0..).step_by(size))
}
