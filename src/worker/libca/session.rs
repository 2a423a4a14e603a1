//! One job on one context: makes the channels, asks, waits.

use std::ffi::{CString, c_int, c_long, c_void};
use std::ptr::from_ref;
use std::time::{Duration, Instant};

use super::answers::Answer;
use super::callbacks::{self, Callbacks, Owner};
use super::connections::NotConnected;
use super::context::Context;
use super::monitors::{Failure, NotRunning};
use super::sentences::{c_names, timeout_of, unfinished, why_dropped};
use super::status::{Refused, check};
use crate::sys;
use crate::worker::{PerPvTimes, StageError};
use crate::worker_protocol::{Content, Job, Mode, Monitor, Updates};

pub(super) struct Session {
    context: Context,
    names: Vec<CString>,
    timeout: Duration,
    callbacks: &'static Callbacks,
    owners: &'static [Owner],
    /// Those that are made, by PV index.
    channels: Vec<sys::chid>,
}

impl Session {
    /// Makes the context; touches no PV.
    pub(super) fn new(job: &Job) -> Result<Session, StageError> {
        let names = c_names(job)?;
        let timeout = timeout_of(job)?;
        let context = Context::new()?;
        let channels = Vec::with_capacity(names.len());
        let (callbacks, owners) = callbacks::leaked_callbacks(names.len());
        Ok(Session { context, names, timeout, callbacks, owners, channels })
    }

    /// Makes all channels that are not made yet.
    pub(super) fn create(&mut self) -> Result<(), StageError> {
        self.create_up_to(self.names.len())
    }

    /// Waits until all channels are connected; makes them where need be.
    pub(super) fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.deadline();
        if mode == Mode::Serial {
            for made in self.channels.len()..self.names.len() {
                self.create_up_to(made + 1)?;
                self.wait_for_connections(deadline)?;
            }
        }
        self.create()?;
        self.wait_for_connections(deadline)
    }

    /// Reads one `DBR_DOUBLE` each.
    pub(super) fn get(
        &self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.ask(mode, "read", pvs, times, |channel, _, request| {
            // SAFETY: the channel is alive, its user pointer leads to an owner,
            // and the argument is a number.
            unsafe {
                sys::ca_array_get_callback(
                    c_long::from(sys::DBR_DOUBLE),
                    1,
                    channel,
                    Some(callbacks::value_arrived),
                    request,
                )
            }
        })
    }

    /// Writes one `DBR_DOUBLE` each and waits for the confirmations.
    pub(super) fn put(
        &self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        let confirmed = self.ask(mode, "confirmed", pvs, times, |channel, position, request| {
            // SAFETY: as for a get; libca copies the value before it returns.
            unsafe {
                sys::ca_array_put_callback(
                    c_long::from(sys::DBR_DOUBLE),
                    1,
                    channel,
                    from_ref(&values[position]).cast(),
                    Some(callbacks::put_confirmed),
                    request,
                )
            }
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
        let Some(numbering) = self.callbacks.monitors.begin(monitor) else {
            return Err(StageError("this job has its subscriptions already".to_owned()));
        };
        let deadline = self.deadline();
        let batch_size = match mode {
            Mode::Serial => 1,
            Mode::Bulk => pvs.len().max(1),
        };
        for (batch, pvs_before) in pvs.chunks(batch_size).zip((0..).step_by(batch_size)) {
            for pv in batch {
                for number in numbering.of_pv(*pv) {
                    self.callbacks.monitors.expect(number);
                    let request =
                        self.add_subscription(self.channel(*pv)?, monitor.content, number);
                    request.map_err(|refused| refused.of(&self.name(*pv)))?;
                }
            }
            self.context.flush()?;
            let unbegun = pvs.len() - pvs_before - batch.len();
            let waited = self.callbacks.monitors.wait_for_all(deadline);
            waited.map_err(|why| self.not_running(&why, unbegun, pvs.len()))?;
        }
        Ok(())
    }

    /// Takes updates for `duration`.
    pub(super) fn collect(&self, duration: Duration) -> Result<Updates, StageError> {
        let collected = self.callbacks.monitors.collect(duration);
        let updates = collected.map_err(|failure| self.failed(failure))?;
        updates.ok_or_else(|| StageError("nothing is subscribed to".to_owned()))
    }

    /// With count 0, which means all elements that the PV has at the time.
    fn add_subscription(
        &self,
        channel: sys::chid,
        content: Content,
        number: usize,
    ) -> Result<(), Refused> {
        const ALL_ELEMENTS: u8 = 0;
        let kind = match content {
            Content::Scalars => sys::DBR_TIME_DOUBLE,
            Content::Frames => sys::DBR_TIME_SHORT,
        };
        // SAFETY: the channel is alive and its user pointer leads to an owner. The
        // subscription ends with its channel, so its identifier is not needed.
        check(unsafe {
            sys::ca_create_subscription(
                c_long::from(kind),
                ALL_ELEMENTS.into(),
                channel,
                c_long::from(sys::DBE_VALUE),
                Some(callbacks::update_arrived),
                callbacks::user_argument(number),
                std::ptr::null_mut(),
            )
        })
    }

    /// `unbegun` of `all` PVs were not even subscribed to.
    fn not_running(&self, why: &NotRunning, unbegun: usize, all: usize) -> StageError {
        let (silent, first) = match *why {
            NotRunning::Failed(failure) => return self.failed(failure),
            NotRunning::Silent(silent, first) => (silent, first),
        };
        let name = self.name(first);
        let StageError(said) = unfinished(silent + unbegun, all, "subscribed", self.timeout, &name);
        // SAFETY: a channel that is expected to bring updates is alive.
        let elements = unsafe { sys::ca_element_count(self.channels[first]) };
        let bytes = elements as usize * size_of::<sys::dbr_short_t>();
        let reason = why_dropped(bytes, |name| std::env::var(name).ok());
        StageError(reason.map_or(said.clone(), |reason| format!("{said}: {reason}")))
    }

    fn failed(&self, failure: Failure) -> StageError {
        let name = self.name(failure.pv);
        Refused(failure.status).of(&format!("the subscription to {name}"))
    }

    /// Sends a request for each PV and waits for the answers: for each at once
    /// in serial mode, for all in bulk mode. `request` gets the channel, the
    /// position in `pvs` and what libca shall hand to the callback.
    fn ask(
        &self,
        mode: Mode,
        what: &str,
        pvs: &[usize],
        times: &mut PerPvTimes,
        request: impl Fn(sys::chid, usize, *mut c_void) -> c_int,
    ) -> Result<Vec<f64>, StageError> {
        let deadline = self.deadline();
        let batch_size = match mode {
            Mode::Serial => 1,
            Mode::Bulk => pvs.len().max(1),
        };
        let mut values = Vec::with_capacity(pvs.len());
        for batch in pvs.chunks(batch_size) {
            let done = values.len();
            let first_number = self.callbacks.answers.expect(batch.len());
            for (offset, pv) in batch.iter().enumerate() {
                let number = callbacks::user_argument(first_number.wrapping_add(offset));
                check(request(self.channel(*pv)?, done + offset, number))
                    .map_err(|refused| refused.of(&self.name(*pv)))?;
            }
            self.context.flush()?;
            self.callbacks.answers.wait(deadline, |answers| {
                self.check_answers(what, pvs.len() - done, pvs.len(), batch, answers)?;
                values.extend(answers.iter().flatten().map(|answer| answer.value));
                Ok(())
            })?;
            times.mark();
        }
        Ok(values)
    }

    /// `unfinished_before` of `all` PVs had no answer before these came.
    fn check_answers(
        &self,
        what: &str,
        unfinished_before: usize,
        all: usize,
        batch: &[usize],
        answers: &[Option<Answer>],
    ) -> Result<(), StageError> {
        for (pv, answer) in batch.iter().zip(answers) {
            if let Some(answer) = answer
                && answer.status != sys::ECA_NORMAL
            {
                return Err(Refused(answer.status).of(&self.name(*pv)));
            }
        }
        let Some(first) = answers.iter().position(Option::is_none) else {
            return Ok(());
        };
        let missing = unfinished_before - answers.iter().flatten().count();
        Err(unfinished(missing, all, what, self.timeout, &self.name(batch[first])))
    }

    fn create_up_to(&mut self, count: usize) -> Result<(), StageError> {
        let made = self.channels.len();
        // Before the first is made: it may be connected before the last is.
        self.callbacks.connections.expect(count - made);
        let created = (made..count).try_for_each(|pv| self.create_channel(pv));
        self.callbacks.connections.forget(count - self.channels.len());
        created?;
        self.context.flush()
    }

    fn create_channel(&mut self, pv: usize) -> Result<(), StageError> {
        // SAFETY: the user pointer leads to an owner, which is never freed.
        let channel = unsafe {
            self.context.create_channel(
                &self.names[pv],
                callbacks::connection_changed,
                from_ref(&self.owners[pv]).cast(),
            )
        };
        self.channels.push(channel.map_err(|refused| refused.of(&self.name(pv)))?);
        Ok(())
    }

    fn wait_for_connections(&self, deadline: Instant) -> Result<(), StageError> {
        let waited = self.callbacks.connections.wait_for_all(deadline);
        waited.map_err(|NotConnected { count, first }| {
            // Those that are not even made are not connected either.
            let missing = count + self.names.len() - self.channels.len();
            unfinished(missing, self.names.len(), "connected", self.timeout, &self.name(first))
        })
    }

    fn channel(&self, pv: usize) -> Result<sys::chid, StageError> {
        self.channels
            .get(pv)
            .copied()
            .ok_or_else(|| StageError(format!("{}: no channel was made", self.name(pv))))
    }

    fn name(&self, pv: usize) -> String {
        self.names[pv].to_string_lossy().into_owned()
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// Channels go before their context does, as libca asks for.
impl Drop for Session {
    fn drop(&mut self) {
        for channel in self.channels.drain(..) {
            // SAFETY: the channel is alive and nobody uses it after this. The
            // status can only tell that it was not alive.
            unsafe { sys::ca_clear_channel(channel) };
        }
    }
}
