//! Updates of subscriptions: brought by libca's threads, awaited and summed up by
//! ours.

use std::ffi::c_int;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::sys;
use crate::worker::updates::{Arrived, Numbering, UpdateLog};
use crate::worker_protocol::{Monitor, Updates};

/// The subscriptions of a job, by number.
pub(super) struct Monitors {
    state: Mutex<State>,
    all_running: Condvar,
}

/// Invariant: whatever is done with it in a callback allocates nothing, unless
/// more updates come than there was room made for.
struct State {
    pvs: usize,
    /// Once subscribing began.
    log: Option<(Numbering, UpdateLog)>,
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
    /// The deadline has passed: how many PVs have a silent subscription, and the
    /// first of them.
    Silent(usize, usize),
}

impl Monitors {
    /// For `pvs` PVs, none of them subscribed to.
    pub(super) fn new(pvs: usize) -> Monitors {
        Monitors {
            state: Mutex::new(State {
                pvs,
                log: None,
                silent: Vec::new(),
                missing: 0,
                failure: None,
            }),
            all_running: Condvar::new(),
        }
    }

    /// Makes room for the updates of `monitor` and numbers its subscriptions; not
    /// when that was done before.
    pub(super) fn begin(&self, monitor: Monitor) -> Option<Numbering> {
        let mut state = self.lock();
        if state.log.is_some() {
            return None;
        }
        let numbering = Numbering::new(monitor, state.pvs);
        state.log = Some((numbering, UpdateLog::new(monitor, state.pvs)));
        state.silent = vec![false; numbering.count()];
        Some(numbering)
    }

    /// Expects a first update of a subscription.
    pub(super) fn expect(&self, subscription: usize) {
        let mut state = self.lock();
        state.silent[subscription] = true;
        state.missing += 1;
    }

    /// Notes what a callback brought of a subscription.
    pub(super) fn note(&self, subscription: usize, update: Result<Update, c_int>) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some((numbering, log)) = &mut state.log else {
            return;
        };
        match update {
            Ok(Update { number, sum, stamp_ns, arrived }) => {
                log.note(subscription, number, sum, stamp_ns, arrived);
                if !std::mem::take(&mut state.silent[subscription]) {
                    return;
                }
                state.missing -= 1;
                if state.missing > 0 {
                    return;
                }
            }
            Err(status) => {
                let pv = numbering.pv(subscription);
                state.failure.get_or_insert(Failure { pv, status });
            }
        }
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
            (None, _) => Err(state.silent_pvs()),
        }
    }

    /// Sleeps for `duration` and takes what was noted; nothing if nothing was
    /// subscribed to.
    pub(super) fn collect(&self, duration: Duration) -> Result<Option<Updates>, Failure> {
        if let Some((_, log)) = &mut self.lock().log {
            log.begin_collecting();
        }
        std::thread::sleep(duration);
        let mut state = self.lock();
        match state.failure {
            Some(failure) => Err(failure),
            None => Ok(state.log.as_mut().map(|(_, log)| log.take())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn silent_pvs(&self) -> NotRunning {
        let is_silent = |pv: &usize| self.silent.iter().skip(*pv).step_by(self.pvs).any(|it| *it);
        let mut silent = (0..self.pvs).filter(is_silent);
        let first = silent.next();
        NotRunning::Silent(silent.count() + usize::from(first.is_some()), first.unwrap_or(0))
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
    use crate::worker::updates::Arrived;
    use crate::worker_protocol::Content;

    fn update(number: f64) -> Result<Update, c_int> {
        Ok(Update { number, sum: 0, stamp_ns: 0, arrived: Arrived::now() })
    }

    fn expecting(pvs: usize) -> Monitors {
        let monitors = Monitors::new(pvs);
        let monitor = Monitor { content: Content::Scalars, step: 1.0, room: 8, monitors: 1 };
        assert!(monitors.begin(monitor).is_some());
        assert!(monitors.begin(monitor).is_none());
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
    fn a_pv_is_silent_until_each_of_its_subscriptions_has_brought_an_update() {
        let monitors = Monitors::new(2);
        let monitor = Monitor { content: Content::Scalars, step: 1.0, room: 8, monitors: 3 };
        let numbering = monitors.begin(monitor).unwrap();
        (0..2).flat_map(|pv| numbering.of_pv(pv)).for_each(|number| monitors.expect(number));
        let now = Instant::now();
        assert_eq!(monitors.wait_for_all(now), Err(NotRunning::Silent(2, 0)));
        numbering.of_pv(0).for_each(|number| monitors.note(number, update(1.0)));
        numbering.of_pv(1).take(2).for_each(|number| monitors.note(number, update(1.0)));
        assert_eq!(monitors.wait_for_all(now), Err(NotRunning::Silent(1, 1)));
        monitors.note(5, update(1.0));
        assert_eq!(monitors.wait_for_all(now), Ok(()));
        let runs = monitors.collect(Duration::ZERO).unwrap().unwrap().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.monitor)).collect();
        assert_eq!(shape, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
        monitors.note(3, Err(sys::ECA_GETFAIL));
        let failure = Failure { pv: 1, status: sys::ECA_GETFAIL };
        assert_eq!(monitors.wait_for_all(now), Err(NotRunning::Failed(failure)));
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
