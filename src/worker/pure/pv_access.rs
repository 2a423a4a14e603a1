//! The approach `epics-pva-rs`: the crate of that name, pvAccess in pure Rust.
//!
//! Used as its documentation says to: channels are held by `connect`, many are read
//! by `pvget_many`; it has no call to write or to subscribe to many, so these futures
//! are joined. Every update goes to a callback.
//!
//! It is told the server's address, the one of `EPICS_PVA_NAME_SERVERS`. To search,
//! even over TCP, its client joins an IPv6 multicast group on whatever interface the
//! system chooses, which would leave this machine. So its connections cost no search.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use epics_pva_rs::client::PvaClient;
use epics_pva_rs::client_native::context::ConnectHandle;
use epics_pva_rs::client_native::ops_v2::SubscriptionHandle;
use epics_pva_rs::config::env::name_servers;
use epics_pva_rs::error::PvaError;
use epics_pva_rs::pvdata::{PvField, PvStructure, ScalarValue, TypedScalarArray};
use futures::future::{join_all, try_join_all};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::notes::{Failure, Notes, Silent, Update};
use super::{VERSION, batches, failed, not_subscribed, runtime};
use crate::worker::updates::{Arrived, number_and_sum};
use crate::worker::{Client, PerPvTimes, StageError, libca};
use crate::worker_protocol::{Content, Job, Mode, Monitor, Stage, Updates};

/// The crate `epics-pva-rs` as a client; see the module.
#[derive(Default)]
pub struct EpicsPvaRs {
    session: Option<Session>,
}

impl EpicsPvaRs {
    /// A client without a job.
    pub fn new() -> EpicsPvaRs {
        EpicsPvaRs::default()
    }

    fn session(&mut self) -> Result<&mut Session, StageError> {
        self.session.as_mut().ok_or_else(|| StageError("no context was made".to_owned()))
    }
}

impl Client for EpicsPvaRs {
    fn approach(&self) -> &'static str {
        "epics-pva-rs"
    }

    fn versions(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("epics-pva-rs".to_owned(), VERSION.to_owned())])
    }

    /// `connect` makes a channel and begins to connect it, in one call.
    fn stages(&self) -> Vec<Stage> {
        vec![Stage::Context, Stage::Connect, Stage::Get, Stage::Put, Stage::Subscribe]
    }

    fn context(&mut self, job: &Job) -> Result<(), StageError> {
        self.session = Some(Session::new(job)?);
        Ok(())
    }

    fn create(&mut self) -> Result<(), StageError> {
        Err(StageError("`connect` makes the channels".to_owned()))
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
    /// Hold the channels; without them the crate forgets those that are not used.
    held: Vec<ConnectHandle>,
    subscriptions: Vec<SubscriptionHandle>,
    notes: Option<Arc<Notes>>,
    client: PvaClient,
    runtime: Runtime,
}

impl Session {
    fn new(job: &Job) -> Result<Session, StageError> {
        let limit = libca::timeout_of(job)?;
        let nobody = || StageError("EPICS_PVA_NAME_SERVERS names no server".to_owned());
        let server = name_servers().first().copied().ok_or_else(nobody)?;
        Ok(Session {
            names: job.pvs.clone(),
            timeout: limit,
            held: Vec::with_capacity(job.pvs.len()),
            subscriptions: Vec::new(),
            notes: None,
            client: PvaClient::builder().server_addr(server).timeout(limit).build(),
            runtime: runtime()?,
        })
    }

    fn connect(&mut self, mode: Mode) -> Result<(), StageError> {
        let deadline = self.deadline();
        let all: Vec<usize> = (0..self.names.len()).collect();
        for batch in batches(mode, &all) {
            let held = self.runtime.block_on(try_join_all(batch.iter().map(async |pv| {
                let name = &self.names[*pv];
                self.client.connect(name).exec().await.map_err(|error| failed(name, error))
            })))?;
            self.held.extend(held);
            let connect = async |name: &str| self.client.pvconnect(name).await;
            self.ask_batch("connected", batch, deadline, all.len(), connect)?;
        }
        Ok(())
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
            let read = match batch {
                [one] => vec![self.runtime.block_on(self.client.pvget(&self.names[*one]))],
                many => {
                    let names: Vec<&str> = many.iter().map(|pv| &*self.names[*pv]).collect();
                    let left = deadline.saturating_duration_since(Instant::now());
                    let read = async { timeout(left, self.client.pvget_many(&names)).await };
                    // It tells nothing of those that it had read.
                    let late = |_| self.unfinished("read", pvs.len(), pvs.len(), pvs[0]);
                    self.runtime.block_on(read).map_err(late)?
                }
            };
            self.check("read", &read, batch, pvs.len())?;
            for (field, pv) in read.iter().flatten().zip(batch) {
                let number = structure(field).and_then(number);
                values.push(number.map_err(|why| failed(&self.names[*pv], why))?);
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
        let mut left = values;
        for batch in batches(mode, pvs) {
            let (now, later) = left.split_at(batch.len());
            left = later;
            let values = std::cell::RefCell::new(now.iter());
            let put = async |name: &str| {
                let value = values.borrow_mut().next().copied().unwrap_or(f64::NAN);
                let value = PvField::Scalar(ScalarValue::Double(value));
                self.client.pvput_pv_field(name, &value).await
            };
            self.ask_batch("confirmed", batch, deadline, pvs.len(), put)?;
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
            let (client, names) = (&self.client, &self.names);
            let subscribe = |(number, pv): (usize, usize)| {
                let notes = Arc::clone(&notes);
                let take = move |_: &_, field: &PvField| {
                    let arrived = Arrived::now();
                    notes.note(number, noted(field, monitor.content), arrived);
                };
                let name = &names[pv];
                async move {
                    let handle = client.pvmonitor_handle(name, take, |_| ()).await;
                    handle.map_err(|error| not_subscribed(name, error))
                }
            };
            let begun = notes.begin(batch).into_iter().map(subscribe);
            let handles = self.runtime.block_on(try_join_all(begun))?;
            self.subscriptions.extend(handles);
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
        let collected = self.notes.as_ref().ok_or_else(nothing)?.collect(duration);
        let mut updates = collected.map_err(|failure| self.failure(&failure))?;
        let (mut by_server, mut by_client) = (0, 0);
        for subscription in &self.subscriptions {
            let counted = subscription.stats(true);
            by_server += counted.n_srv_squash;
            by_client += counted.n_cli_squash;
        }
        updates.counters.insert("n_srv_squash".to_owned(), by_server);
        updates.counters.insert("n_cli_squash".to_owned(), by_client);
        Ok(updates)
    }

    /// Asks all of `batch` together and waits for the answers.
    fn ask_batch<T>(
        &self,
        what: &str,
        batch: &[usize],
        deadline: Instant,
        all: usize,
        request: impl AsyncFn(&str) -> Result<T, PvaError>,
    ) -> Result<(), StageError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let ask = async |pv: &usize| {
            let answer = timeout(left, request(&self.names[*pv])).await;
            answer.unwrap_or(Err(PvaError::Timeout))
        };
        let answers = self.runtime.block_on(async { join_all(batch.iter().map(ask)).await });
        self.check(what, &answers, batch, all)
    }

    /// The error of the first PV of `batch` that has one.
    fn check<T>(
        &self,
        what: &str,
        answers: &[Result<T, PvaError>],
        batch: &[usize],
        all: usize,
    ) -> Result<(), StageError> {
        let errors = || {
            answers.iter().zip(batch).filter_map(|(answer, pv)| Some((answer.as_ref().err()?, *pv)))
        };
        match errors().next() {
            None => Ok(()),
            Some((PvaError::Timeout, first)) => {
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

fn noted(field: &PvField, content: Content) -> Result<Update, String> {
    let update = structure(field)?;
    let (number, sum) = match content {
        Content::Scalars => (number(update)?, 0),
        Content::Frames => match update.get_field("value") {
            Some(PvField::ScalarArrayTyped(TypedScalarArray::Short(pixels))) => {
                number_and_sum(pixels)
            }
            _ => return Err("an update of another type".to_owned()),
        },
    };
    let stamp_ns = stamp_ns(update).ok_or("an update without a time stamp")?;
    Ok(Update { number, sum, stamp_ns })
}

fn structure(field: &PvField) -> Result<&PvStructure, String> {
    match field {
        PvField::Structure(structure) => Ok(structure),
        _ => Err("not a structure".to_owned()),
    }
}

fn number(structure: &PvStructure) -> Result<f64, String> {
    match structure.get_value() {
        Some(ScalarValue::Double(number)) => Ok(*number),
        _ => Err("not a double".to_owned()),
    }
}

/// Since the Unix epoch, from which pvAccess counts.
fn stamp_ns(structure: &PvStructure) -> Option<i64> {
    let stamp = structure.get_timestamp()?;
    match (stamp.get_field("secondsPastEpoch")?, stamp.get_field("nanoseconds")?) {
        (PvField::Scalar(ScalarValue::Long(seconds)), PvField::Scalar(ScalarValue::Int(ns))) => {
            Some(seconds * 1_000_000_000 + i64::from(*ns))
        }
        _ => None,
    }
}
