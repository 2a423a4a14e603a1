//! Which channels are connected: told by libca's threads, awaited by ours.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The connections of all channels of a job, by PV index.
pub(super) struct Connections {
    state: Mutex<State>,
    all_up: Condvar,
}

struct State {
    up: Vec<bool>,
    /// How many of the channels that are made are not up.
    down: usize,
}

/// Not all channels came up in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotConnected {
    /// How many of the channels that are made.
    pub(super) count: usize,
    /// The first of them.
    pub(super) first: usize,
}

impl Connections {
    /// For `pvs` channels, none of them made.
    pub(super) fn new(pvs: usize) -> Connections {
        Connections {
            state: Mutex::new(State { up: vec![false; pvs], down: 0 }),
            all_up: Condvar::new(),
        }
    }

    /// Counts `channels` more that are about to be made.
    pub(super) fn expect(&self, channels: usize) {
        self.lock().down += channels;
    }

    /// Counts `channels` less, which could not be made after all.
    pub(super) fn forget(&self, channels: usize) {
        self.lock().down -= channels;
    }

    /// Notes that a channel is connected, or that it is not any more.
    pub(super) fn note(&self, pv: usize, is_up: bool) {
        let mut state = self.lock();
        if state.up[pv] == is_up {
            return;
        }
        state.up[pv] = is_up;
        if !is_up {
            state.down += 1;
            return;
        }
        state.down -= 1;
        let all = state.down == 0;
        drop(state);
        if all {
            self.all_up.notify_one();
        }
    }

    /// Waits until every channel that was expected is up.
    pub(super) fn wait_for_all(&self, deadline: Instant) -> Result<(), NotConnected> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (state, _) = self
            .all_up
            .wait_timeout_while(self.lock(), left, |state| state.down > 0)
            .unwrap_or_else(PoisonError::into_inner);
        match state.down {
            0 => Ok(()),
            count => {
                // Channels are made in the order of their PVs.
                let first = state.up.iter().position(|up| !up).unwrap_or(0);
                Err(NotConnected { count, first })
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_counts_once_however_often_it_is_told_to_be_up() {
        let connections = Connections::new(3);
        connections.expect(2);
        connections.note(0, true);
        connections.note(0, true);
        let now = Instant::now();
        assert_eq!(connections.wait_for_all(now), Err(NotConnected { count: 1, first: 1 }));
        connections.note(1, true);
        assert_eq!(connections.wait_for_all(now), Ok(()));
    }

    #[test]
    fn a_channel_that_went_down_is_missing_again() {
        let connections = Connections::new(1);
        connections.expect(1);
        connections.note(0, true);
        connections.note(0, false);
        let waited = connections.wait_for_all(Instant::now());
        assert_eq!(waited, Err(NotConnected { count: 1, first: 0 }));
    }
}
