//! Updates of subscriptions: brought by libca's threads, awaited and summed up by
//! ours.

use std::ffi::c_int;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::protocol::{Monitor, Updates};
use crate::sys;
use crate::worker::updates::{Arrived, UpdateLog};

/// The subscriptions of a job, by PV index.
pub(super) struct Monitors {
    state: Mutex<State>,
    all_running: Condvar,
}

/// Invariant: whatever is done with it in a callback allocates nothing, unless
/// more updates come than there was room made for.
struct State {
    log: Option<UpdateLog>,
    /// Which subscriptions have brought nothing yet.
    silent: Vec<bool>,
    /// How many that are.
    missing: usize,
    failure: Option<Failure>,
}

/// What is noted of an update.
pub(super) struct Update {
    pub(super) number: f64,
    pub(super) sum: u64,
    pub(super) stamp_ns: i64,
    pub(super) arrived: Arrived,
}

/// A subscription that libca says has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    /// The PV.
    pub(super) pv: usize,
    /// One of `ECA_*`.
    pub(super) status: c_int,
}

/// Why not every subscription runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRunning {
    /// The first that failed.
    Failed(Failure),
    /// The deadline has passed: how many are silent, and the first of them.
    Silent(usize, usize),
}

impl Monitors {
    /// For `pvs` PVs, none of them subscribed to.
    pub(super) fn new(pvs: usize) -> Monitors {
        Monitors {
            state: Mutex::new(State {
                log: None,
                silent: vec![false; pvs],
                missing: 0,
                failure: None,
            }),
            all_running: Condvar::new(),
        }
    }

    /// Makes room for the updates of `monitor`; false when that was done before.
    pub(super) fn begin(&self, monitor: Monitor) -> bool {
        let mut state = self.lock();
        let is_first = state.log.is_none();
        state.log.get_or_insert_with(|| UpdateLog::new(monitor));
        is_first
    }

    /// Expects a first update of `pv`.
    pub(super) fn expect(&self, pv: usize) {
        let mut state = self.lock();
        state.silent[pv] = true;
        state.missing += 1;
    }

    /// Notes what a callback brought of `pv`.
    pub(super) fn note(&self, pv: usize, update: Result<Update, c_int>) {
        let mut state = self.lock();
        match update {
            Ok(Update { number, sum, stamp_ns, arrived }) => {
                if let Some(log) = &mut state.log {
                    log.note(pv, number, sum, stamp_ns, arrived);
                }
                if !std::mem::take(&mut state.silent[pv]) {
                    return;
                }
                state.missing -= 1;
                if state.missing > 0 {
                    return;
                }
            }
            Err(status) => {
                state.failure.get_or_insert(Failure { pv, status });
            }
        }
        drop(state);
        self.all_running.notify_one();
    }

    /// Waits until every subscription that is expected to has brought an update.
    pub(super) fn wait_for_all(&self, deadline: Instant) -> Result<(), NotRunning> {
        let left = deadline.saturating_duration_since(Instant::now());
        let is_unsettled = |state: &mut State| state.missing > 0 && state.failure.is_none();
        let (state, _) = self
            .all_running
            .wait_timeout_while(self.lock(), left, is_unsettled)
            .unwrap_or_else(PoisonError::into_inner);
        match (state.failure, state.missing) {
            (Some(failure), _) => Err(NotRunning::Failed(failure)),
            (None, 0) => Ok(()),
            (None, missing) => {
                let first = state.silent.iter().position(|silent| *silent).unwrap_or(0);
                Err(NotRunning::Silent(missing, first))
            }
        }
    }

    /// Sleeps for `duration` and takes what was noted; nothing if nothing was
    /// subscribed to.
    pub(super) fn collect(&self, duration: Duration) -> Result<Option<Updates>, Failure> {
        if let Some(log) = &mut self.lock().log {
            log.begin_collecting();
        }
        std::thread::sleep(duration);
        let mut state = self.lock();
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok(state.log.as_mut().map(UpdateLog::take)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A status that only tells of a circuit that is down: libca subscribes again by
/// itself when the PV is back.
pub(super) fn is_passing(status: c_int) -> bool {
    status == sys::ECA_DISCONN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Content;
    use crate::worker::updates::Arrived;

    fn update(number: f64) -> Result<Update, c_int> {
        Ok(Update { number, sum: 0, stamp_ns: 0, arrived: Arrived::now() })
    }

    fn expecting(pvs: usize) -> Monitors {
        let monitors = Monitors::new(pvs);
        let monitor = Monitor { content: Content::Scalars, step: 1.0, room: 8 };
        assert!(monitors.begin(monitor));
        assert!(!monitors.begin(monitor));
        (0..pvs).for_each(|pv| monitors.expect(pv));
        monitors
    }

    #[test]
    fn the_first_update_of_each_pv_is_awaited_and_every_one_is_noted() {
        let monitors = expecting(2);
        monitors.note(0, update(1.0));
        monitors.note(0, update(2.0));
        let now = Instant::now();
        assert_eq!(monitors.wait_for_all(now), Err(NotRunning::Silent(1, 1)));
        monitors.note(1, update(7.0));
        assert_eq!(monitors.wait_for_all(now), Ok(()));
        let runs = monitors.collect(Duration::ZERO).unwrap().unwrap().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.first, run.count)).collect();
        assert_eq!(shape, [(0, 1.0, 2), (1, 7.0, 1)]);
    }

    #[test]
    fn the_first_failure_ends_the_wait_and_the_collection() {
        let monitors = expecting(2);
        monitors.note(1, Err(sys::ECA_TOLARGE));
        monitors.note(0, Err(sys::ECA_GETFAIL));
        let failure = Failure { pv: 1, status: sys::ECA_TOLARGE };
        let endless = Instant::now() + Duration::from_secs(60);
        assert_eq!(monitors.wait_for_all(endless), Err(NotRunning::Failed(failure)));
        assert_eq!(monitors.collect(Duration::ZERO), Err(failure));
    }
}
