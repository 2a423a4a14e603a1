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
use std::sync::atomic::{AtomicBool, Ordering};

use crate::worker_protocol::Monitor;

/// The completions of a job. `E` is why a request or a subscription failed.
pub(super) struct Completions<E> {
    /// Which channels are up.
    pub(super) connections: Connections,
    /// Answers to gets and puts.
    pub(super) requests: Requests<E>,
    /// Set before anything is subscribed to.
    updates: OnceLock<UpdateSink<E>>,
    is_subscribed: AtomicBool,
    pvs: usize,
}

impl<E: Clone> Completions<E> {
    /// Nothing has happened to `pvs` PVs.
    pub(super) fn new(pvs: usize) -> Completions<E> {
        Completions {
            connections: Connections::new(pvs),
            requests: Requests::new(),
            updates: OnceLock::new(),
            is_subscribed: AtomicBool::new(false),
            pvs,
        }
    }

    /// Makes room for the updates of `monitor`; none when that was done before.
    pub(super) fn start_updates(&self, monitor: Monitor) -> Option<&UpdateSink<E>> {
        if self.is_subscribed.swap(true, Ordering::Relaxed) {
            return None;
        }
        if let Some(sink) = self.updates.get() {
            sink.begin_again(monitor, self.pvs);
        }
        Some(self.updates.get_or_init(|| UpdateSink::new(monitor, self.pvs)))
    }

    /// All channels and subscriptions are gone. To be called when no callback of theirs
    /// can come any more.
    pub(super) fn begin_again(&self) {
        self.connections.begin_again();
        if let Some(sink) = self.updates() {
            sink.end();
        }
        self.is_subscribed.store(false, Ordering::Relaxed);
    }

    /// Records that a channel is connected, or that it is not any more.
    pub(super) fn record_connection(&self, pv: usize, is_up: bool) {
        self.connections.record(pv, is_up);
        if let Some(sink) = self.updates() {
            sink.record_state(pv, is_up);
        }
    }

    /// The updates of subscriptions that have not ended; none before `start_updates`.
    pub(super) fn subscribed(&self) -> Option<&UpdateSink<E>> {
        self.updates().filter(|_| self.is_subscribed.load(Ordering::Relaxed))
    }

    /// Where updates go; none before something is subscribed to.
    pub(super) fn updates(&self) -> Option<&UpdateSink<E>> {
        self.updates.get()
    }
}
