//! The approach `epics-ca-rs`: the crate of that name, Channel Access in pure Rust.
//!
//! Used as its documentation says to: channels are made by `create_channel` and
//! awaited; many are read by `get_many`; it has no call to write or to subscribe to
//! many, so these futures are joined. Each subscription is taken by a task of its
//! own. Its queue holds 256 updates and keeps the last one of those that follow; it
//! counts what it dropped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use epics_base_rs::error::CaError;
use epics_base_rs::server::snapshot::Snapshot;
use epics_base_rs::types::EpicsValue;
use epics_ca_rs::client::{CaChannel, CaClient, MonitorHandle};
use epics_ca_rs::protocol::{DBE_VALUE, ECA_DISCONN};
use futures::future::{join_all, try_join_all};
use tokio::runtime::Runtime;

use super::notes::{Failure, Notes, Silent, Update};
use super::{VERSION, batches, failed, not_subscribed, runtime};
use crate::worker::updates::{Arrived, number_and_sum};
use crate::worker::{Client, PerPvTimes, StageError, libca};
use crate::worker_protocol::{Content, Job, Mode, Monitor, Updates};

/// The crate `epics-ca-rs` as a client; see the module.
#[derive(Default)]
pub struct EpicsCaRs {
    session: Option<Session>,
}

impl EpicsCaRs {
    /// A client without a job.
    pub fn new() -> EpicsCaRs {
        EpicsCaRs::default()
    }

    fn session(&mut self) -> Result<&mut Session, StageError> {
        self.session.as_mut().ok_or_else(|| StageError("no context was made".to_owned()))
    }
}

impl Client for EpicsCaRs {
    fn approach(&self) -> &'static str {
        "epics-ca-rs"
    }

    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("epics-ca-rs".to_owned(), VERSION.to_owned())])
    }

    fn context(&mut self, job: &Job) -> Result<(), StageError> {
        self.session = Some(Session::new(job)?);
        Ok(())
    }

    fn create(&mut self) -> Result<(), StageError> {
        self.session()?.create_up_to(usize::MAX);
        Ok(())
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        self.session()?.connect(mode)
    }

    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.session()?.get(mode, pvs, times)
    }

    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        self.session()?.put(mode, pvs, values, times)
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        self.session()?.subscribe(mode, pvs, monitor)
    }

    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError> {
        self.session()?.collect(duration)
    }
}

struct Session {
    names: Vec<String>,
    timeout: Duration,
    /// By PV index.
    channels: Vec<CaChannel>,
    notes: Option<Arc<Notes>>,
    client: CaClient,
    runtime: Runtime,
}

impl Session {
    fn new(job: &Job) -> Result<Session, StageError> {
        let timeout = libca::timeout_of(job)?;
        let runtime = runtime()?;
        let client = runtime.block_on(CaClient::new());
        let client = client.map_err(|error| failed("the context", error))?;
        let channels = Vec::with_capacity(job.pvs.len());
        Ok(Session { names: job.pvs.clone(), timeout, channels, notes: None, client, runtime })
    }

    fn create_up_to(&mut self, count: usize) {
        for name in &self.names[self.channels.len()..count.min(self.names.len())] {
            self.channels.push(self.client.create_channel(name));
        }
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.deadline();
        let first = self.channels.len();
        if mode == Mode::Serial && first < self.names.len() {
            for index in first..self.names.len() {
                self.create_up_to(index + 1);
                self.wait_for_connections(index, deadline)?;
            }
            return Ok(());
        }
        self.create_up_to(usize::MAX);
        self.wait_for_connections(0, deadline)
    }

    /// Waits for the channels from number `from` on.
    fn wait_for_connections(&self, from: usize, deadline: Instant) -> Result<(), StageError> {
        let left = left(deadline);
        let waits = self.channels[from..].iter().map(|channel| channel.wait_connected(left));
        let waited = self.runtime.block_on(join_all(waits));
        let missing = waited.iter().filter(|connected| connected.is_err()).count();
        match waited.iter().position(Result::is_err) {
            None => Ok(()),
            Some(first) => {
                let unmade = self.names.len() - self.channels.len();
                Err(self.unfinished("connected", missing + unmade, self.names.len(), from + first))
            }
        }
    }

    fn get(
        &self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        let deadline = self.deadline();
        let mut values = Vec::with_capacity(pvs.len());
        for batch in batches(mode, pvs) {
            let some;
            let channels = match self.channels.len() == batch.len() && is_all(batch) {
                true => &self.channels,
                false => {
                    some = self.channels_of(batch)?;
                    &some
                }
            };
            let left = left(deadline);
            let read = match channels.as_slice() {
                [one] => vec![self.runtime.block_on(one.get_with_timeout(left))],
                many => self.runtime.block_on(CaChannel::get_many_with_timeout(many, left)),
            };
            self.check("read", &read, batch, pvs.len())?;
            for (value, pv) in read.into_iter().flatten().zip(batch) {
                let number = value.1.to_f64();
                values.push(number.ok_or_else(|| failed(&self.names[*pv], "not a number"))?);
            }
            times.mark();
        }
        Ok(values)
    }

    fn put(
        &self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError> {
        let deadline = self.deadline();
        let mut values = values.iter().map(|value| EpicsValue::Double(*value));
        for batch in batches(mode, pvs) {
            let channels = self.channels_of(batch)?;
            let left = left(deadline);
            let puts = channels.iter().zip(&mut values);
            let puts =
                puts.map(async |(channel, value)| channel.put_with_timeout(&value, left).await);
            let confirmed = self.runtime.block_on(join_all(puts));
            self.check("confirmed", &confirmed, batch, pvs.len())?;
            times.mark();
        }
        Ok(())
    }

    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError> {
        if self.notes.is_some() {
            return Err(StageError("this job has its subscriptions already".to_owned()));
        }
        let notes = self.notes.insert(Notes::new(monitor, self.names.len())).clone();
        let deadline = self.deadline();
        for batch in batches(mode, pvs) {
            self.channels_of(batch)?;
            let (channels, names) = (&self.channels, &self.names);
            let subscribe = |(number, pv): (usize, usize)| async move {
                let handle = channels[pv].subscribe_with_mask(0.0, DBE_VALUE).await;
                handle
                    .map(|handle| (number, handle))
                    .map_err(|error| not_subscribed(&names[pv], error))
            };
            let begun = notes.begin(batch).into_iter().map(subscribe);
            for (number, handle) in self.runtime.block_on(try_join_all(begun))? {
                self.runtime.spawn(take(number, handle, monitor.content, Arc::clone(&notes)));
            }
            match notes.wait_for_first(pvs, deadline) {
                Ok(()) => {}
                Err(Silent::Failed(failure)) => return Err(self.failure(&failure)),
                Err(Silent::Pvs(silent)) => {
                    let first = silent.first().copied().unwrap_or(0);
                    return Err(self.unfinished("subscribed", silent.len(), pvs.len(), first));
                }
            }
        }
        Ok(())
    }

    fn collect(&self, duration: Duration) -> Result<Updates, StageError> {
        let nothing = || StageError("nothing is subscribed to".to_owned());
        let before = self.client.diagnostics().dropped_monitors;
        let collected = self.notes.as_ref().ok_or_else(nothing)?.collect(duration);
        let mut updates = collected.map_err(|failure| self.failure(&failure))?;
        let dropped = self.client.diagnostics().dropped_monitors - before;
        updates.counters.insert("dropped_monitors".to_owned(), dropped);
        Ok(updates)
    }

    fn channels_of(&self, pvs: &[usize]) -> Result<Vec<CaChannel>, StageError> {
        let channel = |pv: &usize| {
            let channel = self.channels.get(*pv).cloned();
            channel.ok_or_else(|| failed(&self.names[*pv], "no channel was made"))
        };
        pvs.iter().map(channel).collect()
    }

    /// The error of the first PV of `batch` that has one.
    fn check<T>(
        &self,
        what: &str,
        answers: &[Result<T, CaError>],
        batch: &[usize],
        all: usize,
    ) -> Result<(), StageError> {
        let errors = || {
            answers.iter().zip(batch).filter_map(|(answer, pv)| Some((answer.as_ref().err()?, *pv)))
        };
        match errors().next() {
            None => Ok(()),
            Some((CaError::Timeout, first)) => {
                Err(self.unfinished(what, errors().count(), all, first))
            }
            Some((error, pv)) => Err(failed(&self.names[pv], error)),
        }
    }

    fn failure(&self, Failure(pv, why): &Failure) -> StageError {
        not_subscribed(&self.names[*pv], why)
    }

    fn unfinished(&self, what: &str, missing: usize, all: usize, first: usize) -> StageError {
        libca::unfinished(missing, all, what, self.timeout, &self.names[first])
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }
}

/// Takes all updates of a subscription.
async fn take(number: usize, mut handle: MonitorHandle, content: Content, notes: Arc<Notes>) {
    while let Some(update) = handle.recv().await {
        let arrived = Arrived::now();
        match update {
            Ok(snapshot) => notes.note(number, noted(&snapshot, content), arrived),
            // The crate subscribes again by itself.
            Err(CaError::Disconnected | CaError::ServerError(ECA_DISCONN)) => {}
            Err(error) => notes.note(number, Err(error.to_string()), arrived),
        }
    }
}

fn noted(snapshot: &Snapshot, content: Content) -> Result<Update, String> {
    let (number, sum) = match (content, &snapshot.value) {
        (Content::Frames, EpicsValue::ShortArray(pixels)) => number_and_sum(pixels),
        (Content::Scalars, EpicsValue::Double(number)) => (*number, 0),
        _ => return Err("an update of another type".to_owned()),
    };
    let stamp = snapshot.timestamp.since_unix_epoch();
    Ok(Update { number, sum, stamp_ns: i64::try_from(stamp.as_nanos()).unwrap_or(i64::MAX) })
}

fn is_all(pvs: &[usize]) -> bool {
    pvs.iter().enumerate().all(|(position, pv)| position == *pv)
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
