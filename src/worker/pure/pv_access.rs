//! The approach `epics-pva-rs`: the crate of that name, pvAccess in pure Rust.
//!
//! Used as its documentation says to: channels are held by `connect`, many are read
//! by `pvget_many`; it has no call to write or to subscribe to many, so these futures
//! are joined. Every update goes to a callback.
//!
//! Left to itself the crate joins the IPv6 multicast group of beacons, on whatever
//! interface the system chooses, which leaves this machine. It does without when it
//! cannot bind the port of beacons for IPv6: so that port is held here.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use epics_pva_rs::client::PvaClient;
use epics_pva_rs::client_native::context::ConnectHandle;
use epics_pva_rs::client_native::ops_v2::{MonitorConnEvent, SubscriptionHandle};
use epics_pva_rs::config::env::broadcast_port;
use epics_pva_rs::error::PvaError;
use epics_pva_rs::pvdata::{PvField, PvStructure, ScalarValue, TypedScalarArray};
use futures::future::try_join_all;
use tokio::runtime::Runtime;

use super::shared_sink::SharedSink;
use super::stack::{VERSION, runtime};
use crate::worker::client::{StageError, stages_without};
use crate::worker::future_client::{Batch, FutureLibrary, Subscribing};
use crate::worker::outcome::{failed, not_subscribed};
use crate::worker::updates::{Arrived, Update, number_and_sum};
use crate::worker_protocol::{Content, Job, Stage};

/// The crate `epics-pva-rs`; see the module.
pub(in crate::worker) struct EpicsPvaRs {
    names: Vec<String>,
    /// Hold the channels; without them the crate forgets those that are not used.
    held: Vec<ConnectHandle>,
    subscriptions: Vec<SubscriptionHandle>,
    client: PvaClient,
    _beacon_port: Option<UdpSocket>,
}

impl FutureLibrary for EpicsPvaRs {
    const APPROACH: &'static str = "epics-pva-rs";

    type Error = String;

    type Sink = SharedSink;

    fn versions() -> BTreeMap<String, String> {
        BTreeMap::from([("epics-pva-rs".to_owned(), VERSION.to_owned())])
    }

    /// `connect` makes a channel and begins to connect it, in one call.
    fn stages() -> Vec<Stage> {
        stages_without(&[Stage::Create])
    }

    fn runtime() -> io::Result<Runtime> {
        runtime()
    }

    fn new(job: &Job, _: &Runtime, timeout: Duration) -> Result<EpicsPvaRs, StageError> {
        Ok(EpicsPvaRs {
            names: job.pvs.clone(),
            held: Vec::with_capacity(job.pvs.len()),
            subscriptions: Vec::new(),
            client: PvaClient::builder().timeout(timeout).build(),
            _beacon_port: held_beacon_port(),
        })
    }

    fn name(&self, pv: usize) -> String {
        self.names[pv].clone()
    }

    /// A channel is made by the call that waits for it.
    const SEEKS_WHEN_MADE: bool = false;

    fn create_up_to(&mut self, _: usize) -> Result<(), StageError> {
        Ok(())
    }

    fn connected(&self) -> usize {
        self.held.len()
    }

    async fn connect(&mut self, batch: &Batch<'_, (), String>) -> Result<(), StageError> {
        let (client, names) = (&self.client, &self.names);
        let hold = async |pv: &usize| {
            let held = client.connect(&names[*pv]).exec().await;
            held.map_err(|error| failed(&names[*pv], error))
        };
        let held = try_join_all(batch.pvs.iter().map(hold)).await?;
        self.held.extend(held);
        let connect = async |pv: usize, _| in_time(client.pvconnect(&names[pv]).await.map(drop));
        batch.ask_each(connect).await;
        Ok(())
    }

    async fn get(&mut self, batch: &Batch<'_, f64, String>) {
        let read = match batch.pvs {
            [pv] => vec![self.client.pvget(&self.names[*pv]).await],
            pvs => {
                let names: Vec<&str> = pvs.iter().map(|pv| &*self.names[*pv]).collect();
                self.client.pvget_many(&names).await
            }
        };
        for (position, field) in read.into_iter().enumerate() {
            if let Some(field) = in_time(field) {
                let value = field.and_then(|field| structure(&field).and_then(number));
                batch.answer(position, value);
            }
        }
    }

    async fn put(&mut self, batch: &Batch<'_, (), String>, values: &[f64]) {
        let put = async |pv: usize, position: usize| {
            let value = PvField::Scalar(ScalarValue::Double(values[position]));
            in_time(self.client.pvput_pv_field(&self.names[pv], &value).await.map(drop))
        };
        batch.ask_each(put).await;
    }

    async fn subscribe(
        &mut self,
        subscriptions: Subscribing<'_>,
        sink: &SharedSink,
    ) -> Result<(), StageError> {
        let (client, names) = (&self.client, &self.names);
        let subscribe = async |(number, pv): (usize, usize)| {
            let (sink, states) = (Arc::clone(sink), Arc::clone(sink));
            let content = subscriptions.content(number);
            let report = move |event| states.record_state(pv, is_connected(&event));
            let take = move |_: &_, field: &PvField| {
                let arrived = Arrived::now();
                sink.record(number, arrived, update_of(field, content));
            };
            let handle = client.pvmonitor_handle(&names[pv], take, report).await;
            handle.map_err(|error| not_subscribed(&names[pv], error))
        };
        let handles = try_join_all(subscriptions.numbered().map(subscribe)).await?;
        self.subscriptions.extend(handles);
        Ok(())
    }

    /// Subscriptions end with their handles. The crate keeps channels that nobody uses,
    /// unless it is asked to clear them.
    async fn disconnect(&mut self) -> Result<(), StageError> {
        self.subscriptions.clear();
        for held in self.held.drain(..) {
            held.wait().await;
        }
        self.client.cache_clear("").await;
        Ok(())
    }

    async fn close(self) {
        self.client.close();
    }

    /// Updates that were merged.
    fn take_update_counters(&mut self) -> Vec<(&'static str, u64)> {
        let (mut by_server, mut by_client) = (0, 0);
        for subscription in &self.subscriptions {
            let counted = subscription.stats(true);
            by_server += counted.n_srv_squash;
            by_client += counted.n_cli_squash;
        }
        vec![("n_srv_squash", by_server), ("n_cli_squash", by_client)]
    }
}

/// None where the system has no IPv6, so no group to join either.
fn held_beacon_port() -> Option<UdpSocket> {
    UdpSocket::bind((Ipv6Addr::LOCALHOST, broadcast_port())).ok()
}

fn is_connected(event: &MonitorConnEvent) -> bool {
    matches!(event, MonitorConnEvent::Connected { .. })
}

fn update_of(field: &PvField, content: Content) -> Result<Update, String> {
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

/// The answer to a request, unless it is late.
fn in_time<T>(answer: Result<T, PvaError>) -> Option<Result<T, String>> {
    match answer {
        Err(PvaError::Timeout) => None,
        answer => Some(answer.map_err(|error| error.to_string())),
    }
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
