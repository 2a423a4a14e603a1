//! What pvxs' thread tells, and ours waits for: connections, answers and updates.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::worker::updates::{Arrived, Numbering, UpdateLog};
use crate::worker_protocol::{Monitor, Updates};

/// What a get or a put ended in; a put has no value.
pub(super) type Answer = Result<f64, String>;

/// Everything that was told of a job.
pub(super) struct Told {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    /// By PV.
    is_up: Vec<bool>,
    /// How many of the channels that are made are not up.
    down: usize,
    /// The number of the first request of a batch. What comes after its batch was
    /// given up has a number of none that is awaited.
    first_request: usize,
    answers: Vec<Option<Answer>>,
    unanswered: usize,
    monitors: Option<Monitors>,
}

/// Invariant: noting an update allocates nothing, unless more come than there was
/// room made for.
struct Monitors {
    numbering: Numbering,
    log: UpdateLog,
    /// Which subscriptions are made and have brought nothing yet, by number.
    is_silent: Vec<bool>,
    silent: usize,
    failure: Option<Failure>,
}

/// What is noted of an update.
pub(super) struct Update {
    pub(super) number: f64,
    pub(super) sum: u64,
    pub(super) stamp_ns: i64,
    pub(super) arrived: Arrived,
}

/// A subscription that has failed: its PV and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure(pub(super) usize, pub(super) String);

/// How many are not finished, and the first PV of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished(pub(super) usize, pub(super) usize);

/// Why not every subscription runs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRunning {
    /// The first that failed.
    Failed(Failure),
    /// The deadline has passed.
    Silent(Unfinished),
}

impl Told {
    /// Nothing, of `pvs` PVs.
    pub(super) fn new(pvs: usize) -> Told {
        Told {
            state: Mutex::new(State {
                is_up: vec![false; pvs],
                down: 0,
                first_request: 0,
                answers: Vec::new(),
                unanswered: 0,
                monitors: None,
            }),
            changed: Condvar::new(),
        }
    }

    /// Counts one channel more that is about to be made.
    pub(super) fn expect_connection(&self) {
        self.lock().down += 1;
    }

    /// Notes that a channel is connected, or that it is not any more.
    pub(super) fn note_connection(&self, pv: usize, is_up: bool) {
        let mut state = self.lock();
        if state.is_up[pv] == is_up {
            return;
        }
        state.is_up[pv] = is_up;
        state.down = if is_up { state.down - 1 } else { state.down + 1 };
        if state.down == 0 {
            self.tell(state);
        }
    }

    /// Waits until every channel that was expected is up.
    pub(super) fn wait_for_connections(&self, deadline: Instant) -> Result<(), Unfinished> {
        let state = self.wait(deadline, |state| state.down == 0);
        match state.down {
            0 => Ok(()),
            // Channels are made in the order of their PVs.
            down => Err(Unfinished(down, first(&state.is_up, |up| !up))),
        }
    }

    /// Gives up the last batch and begins one of `requests`; answers with the
    /// number of its first.
    pub(super) fn expect_answers(&self, requests: usize) -> usize {
        let mut state = self.lock();
        state.first_request = state.first_request.wrapping_add(state.answers.len());
        state.answers.clear();
        state.answers.resize(requests, None);
        state.unanswered = requests;
        state.first_request
    }

    /// Notes what the request `number` ended in.
    pub(super) fn note_answer(&self, number: usize, answer: Answer) {
        let mut state = self.lock();
        let position = number.wrapping_sub(state.first_request);
        match state.answers.get_mut(position) {
            Some(place @ None) => *place = Some(answer),
            // Of an earlier batch, or told twice.
            _ => return,
        }
        state.unanswered -= 1;
        if state.unanswered == 0 {
            self.tell(state);
        }
    }

    /// Waits until all answers of the batch are in or the deadline has passed,
    /// and takes them.
    pub(super) fn wait_for_answers(&self, deadline: Instant) -> Vec<Option<Answer>> {
        let mut state = self.wait(deadline, |state| state.unanswered == 0);
        state.first_request = state.first_request.wrapping_add(state.answers.len());
        std::mem::take(&mut state.answers)
    }

    /// Makes room for the updates of `monitor`; nothing when that was done before.
    pub(super) fn begin_monitors(&self, monitor: Monitor) -> Option<Numbering> {
        let mut state = self.lock();
        let pvs = state.is_up.len();
        let numbering = Numbering::new(monitor, pvs);
        if state.monitors.is_some() {
            return None;
        }
        state.monitors = Some(Monitors {
            numbering,
            log: UpdateLog::new(monitor, pvs),
            is_silent: vec![false; numbering.count()],
            silent: 0,
            failure: None,
        });
        Some(numbering)
    }

    /// Expects a first update of a subscription.
    pub(super) fn expect_update(&self, subscription: usize) {
        if let Some(monitors) = &mut self.lock().monitors {
            monitors.is_silent[subscription] = true;
            monitors.silent += 1;
        }
    }

    /// Notes what a subscription brought.
    pub(super) fn note_update(&self, subscription: usize, update: Result<Update, String>) {
        let mut state = self.lock();
        let Some(monitors) = &mut state.monitors else { return };
        match update {
            Ok(Update { number, sum, stamp_ns, arrived }) => {
                monitors.log.note(subscription, number, sum, stamp_ns, arrived);
                if !std::mem::take(&mut monitors.is_silent[subscription]) {
                    return;
                }
                monitors.silent -= 1;
                if monitors.silent > 0 {
                    return;
                }
            }
            Err(why) => {
                let pv = monitors.numbering.pv(subscription);
                monitors.failure.get_or_insert(Failure(pv, why));
            }
        }
        self.tell(state);
    }

    /// Waits until every subscription that is expected to has brought an update.
    pub(super) fn wait_for_updates(&self, deadline: Instant) -> Result<(), NotRunning> {
        let state = self.wait(deadline, |state| match &state.monitors {
            Some(monitors) => monitors.silent == 0 || monitors.failure.is_some(),
            None => true,
        });
        let Some(monitors) = &state.monitors else { return Ok(()) };
        match (&monitors.failure, monitors.silent) {
            (Some(failure), _) => Err(NotRunning::Failed(failure.clone())),
            (None, 0) => Ok(()),
            (None, silent) => {
                let pv = monitors.numbering.pv(first(&monitors.is_silent, |silent| silent));
                Err(NotRunning::Silent(Unfinished(silent, pv)))
            }
        }
    }

    /// From now on latencies count.
    pub(super) fn begin_collecting(&self) {
        if let Some(monitors) = &mut self.lock().monitors {
            monitors.log.begin_collecting();
        }
    }

    /// Takes what was noted; nothing if nothing was subscribed to.
    pub(super) fn take_updates(&self) -> Result<Option<Updates>, Failure> {
        match &mut self.lock().monitors {
            Some(Monitors { failure: Some(failure), .. }) => Err(failure.clone()),
            Some(monitors) => Ok(Some(monitors.log.take())),
            None => Ok(None),
        }
    }

    /// Waits until the state is `settled` or the deadline has passed.
    fn wait(&self, deadline: Instant, settled: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.changed
            .wait_timeout_while(self.lock(), left, |state| !settled(state))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn tell(&self, state: MutexGuard<'_, State>) {
        drop(state);
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn first(all: &[bool], is_meant: impl Fn(bool) -> bool) -> usize {
    all.iter().position(|one| is_meant(*one)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::worker_protocol::Content;

    fn update(number: f64) -> Result<Update, String> {
        Ok(Update { number, sum: 0, stamp_ns: 0, arrived: Arrived::now() })
    }

    /// Two PVs with two subscriptions each.
    fn subscribed() -> Told {
        let told = Told::new(2);
        let monitor = Monitor { content: Content::Scalars, step: 1.0, room: 8, monitors: 2 };
        let numbering = told.begin_monitors(monitor).unwrap();
        assert!(told.begin_monitors(monitor).is_none());
        (0..numbering.count()).for_each(|subscription| told.expect_update(subscription));
        told
    }

    #[test]
    fn a_channel_counts_once_however_often_it_is_told_to_be_up() {
        let told = Told::new(3);
        (0..2).for_each(|_| told.expect_connection());
        told.note_connection(0, true);
        told.note_connection(0, true);
        let now = Instant::now();
        assert_eq!(told.wait_for_connections(now), Err(Unfinished(1, 1)));
        told.note_connection(1, true);
        assert_eq!(told.wait_for_connections(now), Ok(()));
        told.note_connection(0, false);
        assert_eq!(told.wait_for_connections(now), Err(Unfinished(1, 0)));
    }

    #[test]
    fn answers_find_their_places_and_late_ones_none() {
        let told = Told::new(1);
        let old = told.expect_answers(2);
        told.note_answer(old + 1, Ok(1.0));
        let now = Instant::now();
        assert_eq!(told.wait_for_answers(now), [None, Some(Ok(1.0))]);
        let new = told.expect_answers(2);
        told.note_answer(old, Ok(9.0));
        told.note_answer(new, Err("gone".to_owned()));
        told.note_answer(new, Ok(9.0));
        assert_eq!(told.wait_for_answers(now), [Some(Err("gone".to_owned())), None]);
    }

    #[test]
    fn the_first_update_of_each_subscription_is_awaited_and_every_one_is_noted() {
        let told = subscribed();
        for subscription in [0, 1, 2, 2] {
            told.note_update(subscription, update(1.0 + subscription as f64));
        }
        let now = Instant::now();
        let silent = NotRunning::Silent(Unfinished(1, 1));
        assert_eq!(told.wait_for_updates(now), Err(silent));
        told.note_update(3, update(7.0));
        assert_eq!(told.wait_for_updates(now), Ok(()));
        let runs = told.take_updates().unwrap().unwrap().runs;
        let shape: Vec<_> = runs.iter().map(|run| (run.pv, run.monitor, run.first)).collect();
        assert_eq!(shape, [(0, 0, 1.0), (1, 0, 2.0), (0, 1, 3.0), (0, 1, 3.0), (1, 1, 7.0)]);
    }

    #[test]
    fn the_first_failure_ends_the_wait_and_the_collection() {
        let told = subscribed();
        told.note_update(3, Err("no such field".to_owned()));
        told.note_update(0, Err("gone".to_owned()));
        let failure = Failure(1, "no such field".to_owned());
        let endless = Instant::now() + Duration::from_secs(60);
        assert_eq!(told.wait_for_updates(endless), Err(NotRunning::Failed(failure.clone())));
        assert_eq!(told.take_updates(), Err(failure));
    }
}
