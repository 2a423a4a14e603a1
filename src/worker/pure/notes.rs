//! Updates noted on the runtime's threads, awaited on the worker's.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::worker::updates::{Arrived, Numbering, UpdateLog};
use crate::worker_protocol::{Monitor, Updates};

/// What was noted of all subscriptions of a job.
pub(super) struct Notes {
    numbering: Numbering,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    log: UpdateLog,
    /// By the number of the subscription.
    is_running: Vec<bool>,
    /// Subscriptions that were begun and have not brought an update.
    silent: usize,
    failure: Option<Failure>,
}

/// A subscription that has failed: the PV and why.
#[derive(Clone)]
pub(super) struct Failure(pub(super) usize, pub(super) String);

/// What is noted of one update.
pub(super) struct Update {
    pub(super) number: f64,
    /// That of a frame, else 0.
    pub(super) sum: u64,
    pub(super) stamp_ns: i64,
}

impl Notes {
    /// Makes room for the updates of `monitor` among `pvs` PVs.
    pub(super) fn new(monitor: Monitor, pvs: usize) -> Arc<Notes> {
        let numbering = Numbering::new(monitor, pvs);
        let state = State {
            log: UpdateLog::new(monitor, pvs),
            is_running: vec![false; numbering.count()],
            silent: 0,
            failure: None,
        };
        Arc::new(Notes { numbering, state: Mutex::new(state), changed: Condvar::new() })
    }

    /// The numbers of the subscriptions to `pvs`, with their PVs; they count as
    /// begun.
    pub(super) fn begin(&self, pvs: &[usize]) -> Vec<(usize, usize)> {
        let numbers = |pv: &usize| {
            let pv = *pv;
            self.numbering.of_pv(pv).map(move |number| (number, pv))
        };
        let begun: Vec<_> = pvs.iter().flat_map(numbers).collect();
        self.lock().silent += begun.len();
        begun
    }

    /// Notes an update, or why the subscription failed.
    pub(super) fn note(
        &self,
        subscription: usize,
        update: Result<Update, String>,
        arrived: Arrived,
    ) {
        let mut state = self.lock();
        match update {
            Ok(Update { number, sum, stamp_ns }) => {
                state.log.note(subscription, number, sum, stamp_ns, arrived);
                if !std::mem::replace(&mut state.is_running[subscription], true) {
                    state.silent -= 1;
                }
            }
            Err(why) => {
                let pv = self.numbering.pv(subscription);
                state.failure.get_or_insert(Failure(pv, why));
            }
        }
        if state.silent == 0 || state.failure.is_some() {
            self.changed.notify_all();
        }
    }

    /// Waits until every subscription that was begun has brought an update. What
    /// has not by the deadline is told by its PVs, in the order of `pvs`; none when
    /// one has failed.
    pub(super) fn wait_for_first(&self, pvs: &[usize], deadline: Instant) -> Result<(), Silent> {
        let mut state = self.lock();
        loop {
            if let Some(failure) = &state.failure {
                return Err(Silent::Failed(failure.clone()));
            }
            if state.silent == 0 {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let is_silent =
                    |pv: &usize| self.numbering.of_pv(*pv).any(|number| !state.is_running[number]);
                return Err(Silent::Pvs(pvs.iter().copied().filter(is_silent).collect()));
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes updates for `duration`.
    pub(super) fn collect(&self, duration: Duration) -> Result<Updates, Failure> {
        self.lock().log.begin_collecting();
        std::thread::sleep(duration);
        let mut state = self.lock();
        match state.failure.clone() {
            Some(failure) => Err(failure),
            None => Ok(state.log.take()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why not every subscription runs.
pub(super) enum Silent {
    Failed(Failure),
    /// These PVs have not brought an update of every subscription.
    Pvs(Vec<usize>),
}
