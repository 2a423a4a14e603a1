//! Which channels are connected.

use std::time::Instant;

use super::awaited::Awaited;

/// The connections of all channels of a job, by PV index.
pub(in crate::worker) struct Connections(Awaited<State>);

struct State {
    is_up: Vec<bool>,
    /// How many of the channels that are made are not up, those that are spared left out.
    down: usize,
    /// Those that nobody waits for; none where everybody is waited for.
    spared: Vec<bool>,
}

/// Not all channels came up in time.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::worker) struct NotConnected {
    /// How many of the channels that are made.
    pub(in crate::worker) count: usize,
    /// The first of them.
    pub(in crate::worker) first: usize,
}

impl Connections {
    /// For `pvs` channels, none of them made.
    pub(super) fn new(pvs: usize) -> Connections {
        Connections(Awaited::new(State { is_up: vec![false; pvs], down: 0, spared: Vec::new() }))
    }

    /// Counts `channels` more that are about to be made.
    pub(in crate::worker) fn add(&self, channels: usize) {
        self.0.lock().down += channels;
    }

    /// Counts `channels` less, which could not be made after all.
    pub(in crate::worker) fn remove(&self, channels: usize) {
        self.0.lock().down -= channels;
    }

    /// Before any channel is made: does not wait for those of `pvs`.
    pub(in crate::worker) fn spare(&self, pvs: &[usize]) {
        let mut state = self.0.lock();
        state.spared = vec![false; state.is_up.len()];
        pvs.iter().for_each(|pv| state.spared[*pv] = true);
    }

    /// The channels that are not up.
    pub(in crate::worker) fn down(&self) -> Vec<usize> {
        let state = self.0.lock();
        (0..state.is_up.len()).filter(|pv| !state.is_up[*pv]).collect()
    }

    /// Records that a channel is connected, or that it is not any more.
    pub(in crate::worker) fn record(&self, pv: usize, is_up: bool) {
        self.0.change(|state| {
            if std::mem::replace(&mut state.is_up[pv], is_up) == is_up {
                return false;
            }
            if state.spared.get(pv).copied().unwrap_or(false) {
                return false;
            }
            state.down = if is_up { state.down - 1 } else { state.down + 1 };
            state.down == 0
        });
    }

    /// No channel is made any more.
    pub(super) fn begin_again(&self) {
        let mut state = self.0.lock();
        state.is_up.fill(false);
        state.down = 0;
        state.spared.clear();
    }

    /// Waits until every channel that was added is up.
    pub(in crate::worker) fn wait(&self, deadline: Instant) -> Result<(), NotConnected> {
        let state = self.0.wait(deadline, |state| state.down == 0);
        match state.down {
            0 => Ok(()),
            // Channels are made in the order of their PVs.
            count => {
                let is_missing = |pv: &usize| {
                    !state.is_up[*pv] && !state.spared.get(*pv).copied().unwrap_or(false)
                };
                let first = (0..state.is_up.len()).find(is_missing).unwrap_or(0);
                Err(NotConnected { count, first })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_counts_once_however_often_it_is_reported_to_be_up() {
        let connections = Connections::new(3);
        connections.add(2);
        connections.record(0, true);
        connections.record(0, true);
        let now = Instant::now();
        assert_eq!(connections.wait(now), Err(NotConnected { count: 1, first: 1 }));
        connections.record(1, true);
        assert_eq!(connections.wait(now), Ok(()));
    }

    #[test]
    fn a_channel_that_is_spared_is_not_awaited_and_distinguished() {
        let connections = Connections::new(3);
        connections.spare(&[0, 2]);
        connections.add(3);
        connections.remove(2);
        let waited = connections.wait(Instant::now());
        assert_eq!(waited, Err(NotConnected { count: 1, first: 1 }));
        connections.record(1, true);
        connections.record(2, true);
        assert_eq!(connections.wait(Instant::now()), Ok(()));
        assert_eq!(connections.down(), [0]);
    }

    #[test]
    fn a_channel_that_went_down_is_missing_again() {
        let connections = Connections::new(1);
        connections.add(1);
        connections.record(0, true);
        connections.record(0, false);
        let waited = connections.wait(Instant::now());
        assert_eq!(waited, Err(NotConnected { count: 1, first: 0 }));
    }

    #[test]
    fn a_channel_that_could_not_be_made_is_not_awaited() {
        let connections = Connections::new(2);
        connections.add(2);
        connections.record(0, true);
        connections.remove(1);
        assert_eq!(connections.wait(Instant::now()), Ok(()));
    }
}
