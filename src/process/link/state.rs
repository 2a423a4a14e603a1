//! What all threads of a link share: the gate, the shapers and the counts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::counts::LinkCounts;
use super::gate::{Gate, Way};
use super::shaper::{Fate, Shaper};
use crate::link::LinkConditions;
use crate::process::monotonic_ns;

/// A link at work.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) gate: Gate,
    to_server: Mutex<Shaper>,
    to_client: Mutex<Shaper>,
    counts: Mutex<LinkCounts>,
}

impl LinkState {
    /// With these conditions both ways; `seed` decides which packets are lost.
    pub(super) fn new(conditions: &LinkConditions, seed: u64) -> LinkState {
        LinkState {
            gate: Gate::default(),
            to_server: Mutex::new(Shaper::new(conditions, seed)),
            to_client: Mutex::new(Shaper::new(conditions, seed.wrapping_add(1))),
            counts: Mutex::default(),
        }
    }

    /// When a packet arrives that comes now; none when it does not.
    pub(super) fn packet(&self, way: Way, bytes: usize) -> Option<Instant> {
        let is_cut = self.gate.is_cut(way);
        let fate = match is_cut {
            true => None,
            false => Some(lock(self.shaper(way)).packet(Instant::now(), bytes)),
        };
        let mut counts = lock(&self.counts);
        let counts = counts.of_way(way);
        counts.packets += 1;
        counts.bytes += bytes as u64;
        match fate {
            None => counts.cut += 1,
            Some(Fate::Lost) => counts.lost += 1,
            Some(Fate::Overflowed) => counts.overflowed += 1,
            Some(Fate::ArrivesAt(due)) => return Some(due),
        }
        None
    }

    /// When bytes of a connection arrive that come now.
    pub(super) fn bytes(&self, way: Way, bytes: usize) -> Instant {
        let due = lock(self.shaper(way)).bytes(Instant::now(), bytes);
        let mut counts = lock(&self.counts);
        let counts = counts.of_way(way);
        counts.packets += 1;
        counts.bytes += bytes as u64;
        due
    }

    /// How long what came before still takes to be sent this way.
    pub(super) fn waiting(&self, way: Way) -> Duration {
        lock(self.shaper(way)).waiting(Instant::now())
    }

    /// Notes the searches of a datagram that goes to the server.
    pub(super) fn note_searches(&self, datagram: &[u8]) {
        lock(&self.counts).note_searches(datagram, monotonic_ns());
    }

    /// What was counted since the last call.
    pub(super) fn take_counts(&self) -> LinkCounts {
        std::mem::take(&mut *lock(&self.counts))
    }

    fn shaper(&self, way: Way) -> &Mutex<Shaper> {
        match way {
            Way::ToServer => &self.to_server,
            Way::ToClient => &self.to_client,
        }
    }
}

/// A thread that panicked while it held the lock has no half-done work there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
