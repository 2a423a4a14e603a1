//! The approach `epics-ca-rs`: the crate of that name, Channel Access in pure Rust.
//!
//! Used as its documentation says to: channels are made by `create_channel` and
//! awaited; many are read by `get_many`; it has no call to write or to subscribe to
//! many, so these futures are joined. Each subscription is taken by a task of its
//! own. Its queue holds 256 updates and keeps the last one of those that follow; it
//! counts what it dropped.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use epics_base_rs::error::CaError;
use epics_base_rs::server::snapshot::Snapshot;
use epics_base_rs::types::EpicsValue;
use epics_ca_rs::client::{CaChannel, CaClient, EventWatcher, MonitorHandle};
use epics_ca_rs::protocol::{DBE_VALUE, ECA_DISCONN};
use futures::future::try_join_all;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::shared_sink::SharedSink;
use super::stack::{VERSION, runtime};
use crate::worker::client::StageError;
use crate::worker::future_client::{Batch, FutureLibrary, Subscribing};
use crate::worker::outcome::{failed, not_subscribed};
use crate::worker::updates::{Arrived, Update, number_and_sum};
use crate::worker_protocol::{Content, Job};

/// The crate `epics-ca-rs`; see the module.
pub(in crate::worker) struct EpicsCaRs {
    names: Vec<String>,
    /// By PV index.
    channels: Vec<CaChannel>,
    /// Each takes the updates of a subscription.
    takers: Vec<JoinHandle<()>>,
    /// Report connections and their ends while they live.
    watchers: Vec<EventWatcher>,
    client: CaClient,
    /// Updates that were dropped before `collect` was called last.
    dropped: u64,
}

impl FutureLibrary for EpicsCaRs {
    const APPROACH: &'static str = "epics-ca-rs";

    /// Only its own time limits show which of many PVs were late.
    const KEEPS_DEADLINES: bool = true;

    type Error = String;

    type Sink = SharedSink;

    fn versions() -> BTreeMap<String, String> {
        BTreeMap::from([("epics-ca-rs".to_owned(), VERSION.to_owned())])
    }

    fn runtime() -> io::Result<Runtime> {
        runtime()
    }

    fn new(job: &Job, runtime: &Runtime, _: Duration) -> Result<EpicsCaRs, StageError> {
        let client = runtime.block_on(CaClient::new());
        let client = client.map_err(|error| failed("the context", error))?;
        let channels = Vec::with_capacity(job.pvs.len());
        let (takers, watchers) = (Vec::new(), Vec::new());
        Ok(EpicsCaRs { names: job.pvs.clone(), channels, takers, watchers, client, dropped: 0 })
    }

    fn name(&self, pv: usize) -> String {
        self.names[pv].clone()
    }

    fn create_up_to(&mut self, count: usize) -> Result<(), StageError> {
        for pv in self.channels.len()..count {
            self.channels.push(self.client.create_channel(&self.names[pv]));
        }
        Ok(())
    }

    /// A channel that is made can be asked.
    fn connected(&self) -> usize {
        self.channels.len()
    }

    async fn connect(&mut self, batch: &Batch<'_, (), String>) -> Result<(), StageError> {
        let left = batch.left();
        let connect =
            async |pv: usize, _| self.channels[pv].wait_connected(left).await.ok().map(Ok);
        batch.ask_each(connect).await;
        Ok(())
    }

    async fn get(&mut self, batch: &Batch<'_, f64, String>) {
        let left = batch.left();
        let some: Vec<CaChannel>;
        let channels = match batch.pvs {
            [pv] => &self.channels[*pv..=*pv],
            pvs if pvs.len() == self.channels.len() && is_all(pvs) => &self.channels,
            pvs => {
                some = pvs.iter().map(|pv| self.channels[*pv].clone()).collect();
                &some
            }
        };
        let read = match channels {
            [one] => vec![one.get_with_timeout(left).await],
            many => CaChannel::get_many_with_timeout(many, left).await,
        };
        for (position, value) in read.into_iter().enumerate() {
            if let Some(value) = in_time(value) {
                let number = value.and_then(|(_, value)| value.to_f64().ok_or(not_a_number()));
                batch.answer(position, number);
            }
        }
    }

    async fn put(&mut self, batch: &Batch<'_, (), String>, values: &[f64]) {
        let left = batch.left();
        let put = async |pv: usize, position: usize| {
            let value = EpicsValue::Double(values[position]);
            in_time(self.channels[pv].put_with_timeout(&value, left).await)
        };
        batch.ask_each(put).await;
    }

    async fn subscribe(
        &mut self,
        subscriptions: Subscribing<'_>,
        sink: &SharedSink,
    ) -> Result<(), StageError> {
        let (channels, names) = (&self.channels, &self.names);
        let subscribe = async |(number, pv): (usize, usize)| {
            let handle = channels[pv].subscribe_with_mask(0.0, DBE_VALUE).await;
            handle.map(|handle| (number, handle)).map_err(|error| not_subscribed(&names[pv], error))
        };
        let handles = try_join_all(subscriptions.numbered().map(subscribe)).await?;
        for (number, handle) in handles {
            let content = subscriptions.content(number);
            let take = take(number, handle, content, Arc::clone(sink));
            self.takers.push(tokio::spawn(take));
        }
        for pv in subscriptions.pvs {
            let (pv, sink) = (*pv, Arc::clone(sink));
            let report = move |is_up| sink.record_state(pv, is_up);
            self.watchers.push(self.channels[pv].on_connection_change(report));
        }
        Ok(())
    }

    const PUTS_UNCONFIRMED: bool = true;

    async fn put_unconfirmed(&mut self, pvs: &[usize], values: &[f64]) -> Result<(), StageError> {
        for (pv, value) in pvs.iter().zip(values) {
            let put = self.channels[*pv].put_nowait(&EpicsValue::Double(*value)).await;
            put.map_err(|error| failed(&self.names[*pv], error))?;
        }
        Ok(())
    }

    /// A subscription ends with its handle, a channel with the last of its own.
    async fn disconnect(&mut self) -> Result<(), StageError> {
        self.watchers.clear();
        for taker in self.takers.drain(..) {
            taker.abort();
            // It was ended: nothing else can be wrong with it.
            let _ = taker.await;
        }
        self.channels.clear();
        Ok(())
    }

    async fn close(mut self) {
        // It cannot fail.
        let _ = self.disconnect().await;
        self.client.shutdown().await;
    }

    fn take_update_counters(&mut self) -> Vec<(&'static str, u64)> {
        let dropped = self.client.diagnostics().dropped_monitors;
        let before = std::mem::replace(&mut self.dropped, dropped);
        vec![("dropped_monitors", dropped - before)]
    }
}

/// Takes all updates of a subscription.
async fn take(number: usize, mut handle: MonitorHandle, content: Content, sink: SharedSink) {
    while let Some(update) = handle.recv().await {
        let arrived = Arrived::now();
        match update {
            Ok(snapshot) => sink.record(number, arrived, update_of(&snapshot, content)),
            // The crate subscribes again by itself.
            Err(CaError::Disconnected | CaError::ServerError(ECA_DISCONN)) => {}
            Err(error) => sink.record(number, arrived, Err(error.to_string())),
        }
    }
}

fn update_of(snapshot: &Snapshot, content: Content) -> Result<Update, String> {
    let (number, sum) = match (content, &snapshot.value) {
        (Content::Frames, EpicsValue::ShortArray(pixels)) => number_and_sum(pixels),
        (Content::Scalars, EpicsValue::Double(number)) => (*number, 0),
        _ => return Err("an update of another type".to_owned()),
    };
    let stamp = snapshot.timestamp.since_unix_epoch();
    Ok(Update { number, sum, stamp_ns: i64::try_from(stamp.as_nanos()).unwrap_or(i64::MAX) })
}

/// The answer to a request, unless it is late.
fn in_time<T>(answer: Result<T, CaError>) -> Option<Result<T, String>> {
    match answer {
        Err(CaError::Timeout) => None,
        answer => Some(answer.map_err(|error| error.to_string())),
    }
}

fn not_a_number() -> String {
    "not a number".to_owned()
}

fn is_all(pvs: &[usize]) -> bool {
    pvs.iter().enumerate().all(|(position, pv)| position == *pv)
}
