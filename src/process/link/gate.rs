//! Whether the link carries anything, each way: what a fault cuts and restores.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::link::Direction;

/// The state of a link that may be cut, for all threads that carry packets.
#[derive(Debug, Default)]
pub(super) struct Gate {
    cut: Mutex<Cut>,
    changed: Condvar,
}

/// Which ways are cut.
#[derive(Debug, Clone, Copy, Default)]
struct Cut {
    to_server: bool,
    to_client: bool,
}

impl Cut {
    fn is(self, way: Way) -> bool {
        match way {
            Way::ToServer => self.to_server,
            Way::ToClient => self.to_client,
        }
    }
}

/// One way over the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From clients to the server.
    ToServer,
    /// From the server to clients.
    ToClient,
}

impl Gate {
    /// Cuts these ways and opens the others.
    pub(super) fn cut(&self, direction: Direction) {
        *self.lock() = Cut {
            to_server: direction.includes_to_server(),
            to_client: direction.includes_to_client(),
        };
        self.changed.notify_all();
    }

    /// Opens both ways.
    pub(super) fn restore(&self) {
        *self.lock() = Cut::default();
        self.changed.notify_all();
    }

    /// Whether this way is cut.
    pub(super) fn is_cut(&self, way: Way) -> bool {
        self.lock().is(way)
    }

    /// Blocks while this way is cut, for `most` at most; answers whether it is open.
    pub(super) fn wait_until_open(&self, way: Way, most: Duration) -> bool {
        let is_cut = |cut: &mut Cut| cut.is(way);
        let waited = self.changed.wait_timeout_while(self.lock(), most, is_cut);
        let (cut, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !cut.is(way)
    }

    fn lock(&self) -> MutexGuard<'_, Cut> {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_of_one_way_leaves_the_other_open() {
        let gate = Gate::default();
        gate.cut(Direction::ToServer);
        assert!(gate.is_cut(Way::ToServer) && !gate.is_cut(Way::ToClient));
        assert!(!gate.wait_until_open(Way::ToServer, Duration::from_millis(1)));
        gate.cut(Direction::ToClient);
        assert!(!gate.is_cut(Way::ToServer) && gate.is_cut(Way::ToClient));
        gate.restore();
        assert!(gate.wait_until_open(Way::ToClient, Duration::ZERO));
    }
}
