//! What a library's threads complete and the worker's thread waits for:
//! connections, requests, and the first update of each subscription.

mod awaited;
mod connections;
mod requests;
mod subscriptions;
mod update_sink;

pub(super) use self::connections::{Connections, NotConnected};
pub(super) use self::requests::Requests;
pub(super) use self::subscriptions::{Failure, NotRunning, Subscriptions};
pub(super) use self::update_sink::UpdateSink;

use std::sync::OnceLock;

use crate::worker_protocol::Monitor;

/// The completions of a job. `E` is why a request or a subscription failed.
pub(super) struct Completions<E> {
    /// Which channels are up.
    pub(super) connections: Connections,
    /// Answers to gets and puts.
    pub(super) requests: Requests<E>,
    /// Set before anything is subscribed to.
    updates: OnceLock<UpdateSink<E>>,
    pvs: usize,
}

impl<E: Clone> Completions<E> {
    /// Nothing has happened to `pvs` PVs.
    pub(super) fn new(pvs: usize) -> Completions<E> {
        Completions {
            connections: Connections::new(pvs),
            requests: Requests::new(),
            updates: OnceLock::new(),
            pvs,
        }
    }

    /// Makes room for the updates of `monitor`; none when that was done before.
    pub(super) fn start_updates(&self, monitor: Monitor) -> Option<&UpdateSink<E>> {
        if self.updates.get().is_some() {
            return None;
        }
        Some(self.updates.get_or_init(|| UpdateSink::new(monitor, self.pvs)))
    }

    /// Where updates go; none before something is subscribed to.
    pub(super) fn updates(&self) -> Option<&UpdateSink<E>> {
        self.updates.get()
    }
}
