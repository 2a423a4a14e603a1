//! Where a library's threads put updates.

use std::thread;
use std::time::{Duration, Instant};

use super::awaited::Awaited;
use super::subscriptions::{Failure, NotRunning, Subscriptions};
use crate::worker::updates::{Arrived, Numbering, Update};
use crate::worker_protocol::{Monitor, Updates};

/// The subscriptions of a job, shared with the threads that bring updates.
pub(in crate::worker) struct UpdateSink<E>(Awaited<Subscriptions<E>>);

impl<E: Clone> UpdateSink<E> {
    /// Makes room for the updates of `monitor` among `pvs` PVs.
    pub(in crate::worker) fn new(monitor: Monitor, pvs: usize) -> UpdateSink<E> {
        UpdateSink(Awaited::new(Subscriptions::new(monitor, pvs)))
    }

    /// Counts all subscriptions to `pvs` as begun, and numbers them.
    pub(in crate::worker) fn begin(&self, pvs: &[usize]) -> Numbering {
        self.0.lock().begin(pvs)
    }

    /// Records what a subscription brought, by its number.
    pub(in crate::worker) fn record(
        &self,
        subscription: usize,
        arrived: Arrived,
        update: Result<Update, E>,
    ) {
        let mut callback = Duration::ZERO;
        self.0.change(|subscriptions| {
            callback = subscriptions.callback();
            subscriptions.record(subscription, arrived, update)
        });
        // Without the lock: what waits for it is not what is slow.
        if !callback.is_zero() {
            thread::sleep(callback);
        }
    }

    /// Records that the library reports a PV as connected, or as disconnected.
    pub(in crate::worker) fn record_state(&self, pv: usize, connected: bool) {
        self.0.lock().record_state(pv, connected);
    }

    /// Forgets all subscriptions and gives their room back.
    pub(in crate::worker) fn end(&self) {
        *self.0.lock() = Subscriptions::none();
    }

    /// Makes room for the subscriptions of `monitor`; those before have ended.
    pub(in crate::worker) fn begin_again(&self, monitor: Monitor, pvs: usize) {
        *self.0.lock() = Subscriptions::new(monitor, pvs);
    }

    /// Waits until every subscription that is begun has brought an update; else says
    /// which of `pvs` have not.
    pub(in crate::worker) fn wait_for_first(
        &self,
        pvs: &[usize],
        deadline: Instant,
    ) -> Result<(), NotRunning<E>> {
        self.0.wait(deadline, Subscriptions::is_settled).check_running(pvs)
    }

    /// From now on latencies count.
    pub(in crate::worker) fn begin_collecting(&self) {
        self.0.lock().begin_collecting();
    }

    /// Takes what was recorded.
    pub(in crate::worker) fn taken(&self) -> Result<Updates, Failure<E>> {
        self.0.lock().take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker_protocol::Content;

    #[test]
    fn a_wait_ends_with_the_last_first_update_and_at_once_with_a_failure() {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 1.0,
            room: 8,
            monitors: 1,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let sink = UpdateSink::new(monitor, 2);
        sink.begin(&[0, 1]);
        let endless = Instant::now() + Duration::from_secs(60);
        thread::scope(|scope| {
            scope.spawn(|| {
                for pv in [0, 1] {
                    let update = Update { number: 1.0, sum: 0, stamp_ns: 0 };
                    sink.record(pv, Arrived::now(), Ok(update));
                }
            });
            assert_eq!(sink.wait_for_first(&[0, 1], endless), Ok(()));
        });
        assert_eq!(sink.taken().unwrap().runs.len(), 2);
        sink.record(1, Arrived::now(), Err("gone"));
        let failure = Failure { pv: 1, why: "gone" };
        let failed = Err(NotRunning::Failed(failure.clone()));
        assert_eq!(sink.wait_for_first(&[0, 1], endless), failed);
        assert_eq!(sink.taken(), Err(failure));
    }
}
