//! Answers to requests: told by libca's threads, awaited by ours.

use std::ffi::c_int;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What a callback brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Answer {
    /// How the request ended, one of `ECA_*`.
    pub(super) status: c_int,
    /// The value read; no number where there is none.
    pub(super) value: f64,
}

/// The answers to the requests of one batch after the other.
///
/// Every request of a context has a number of its own, and libca hands that
/// number back with the answer. What comes too late, after its batch was given
/// up, therefore fits no place of the next batch and is dropped.
pub(super) struct Answers {
    state: Mutex<State>,
    all_in: Condvar,
}

struct State {
    /// The number of the batch's first request.
    first: usize,
    answers: Vec<Option<Answer>>,
    missing: usize,
}

impl Answers {
    /// No request was made.
    pub(super) fn new() -> Answers {
        Answers {
            state: Mutex::new(State { first: 0, answers: Vec::new(), missing: 0 }),
            all_in: Condvar::new(),
        }
    }

    /// Gives up the last batch and begins one of `requests`; answers with the
    /// number of its first.
    pub(super) fn expect(&self, requests: usize) -> usize {
        let mut state = self.lock();
        state.first = state.first.wrapping_add(state.answers.len());
        state.answers.clear();
        state.answers.resize(requests, None);
        state.missing = requests;
        state.first
    }

    /// Notes the answer to the request `number`.
    pub(super) fn note(&self, number: usize, answer: Answer) {
        let mut state = self.lock();
        let position = number.wrapping_sub(state.first);
        match state.answers.get_mut(position) {
            Some(place @ None) => *place = Some(answer),
            // Of an earlier batch, or told twice.
            _ => return,
        }
        state.missing -= 1;
        let all = state.missing == 0;
        drop(state);
        if all {
            self.all_in.notify_one();
        }
    }

    /// Waits until all answers of the batch are in or the deadline has passed,
    /// and shows them to `read`.
    pub(super) fn wait<T>(
        &self,
        deadline: Instant,
        read: impl FnOnce(&[Option<Answer>]) -> T,
    ) -> T {
        let left = deadline.saturating_duration_since(Instant::now());
        let (state, _) = self
            .all_in
            .wait_timeout_while(self.lock(), left, |state| state.missing > 0)
            .unwrap_or_else(PoisonError::into_inner);
        read(&state.answers)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys;

    fn good(value: f64) -> Answer {
        Answer { status: sys::ECA_NORMAL, value }
    }

    fn seen(answers: &Answers) -> Vec<Option<f64>> {
        answers.wait(Instant::now(), |all| all.iter().map(|one| one.map(|it| it.value)).collect())
    }

    #[test]
    fn answers_find_their_places_in_any_order() {
        let answers = Answers::new();
        let first = answers.expect(2);
        answers.note(first + 1, good(1.0));
        answers.note(first, good(0.0));
        assert_eq!(seen(&answers), [Some(0.0), Some(1.0)]);
    }

    #[test]
    fn a_late_answer_does_not_reach_the_next_batch() {
        let answers = Answers::new();
        let old = answers.expect(2);
        answers.note(old, good(1.0));
        let new = answers.expect(2);
        assert_eq!(new, old + 2);
        answers.note(old + 1, good(2.0));
        answers.note(new + 1, good(4.0));
        assert_eq!(seen(&answers), [None, Some(4.0)]);
    }

    #[test]
    fn an_answer_told_twice_counts_once() {
        let answers = Answers::new();
        let first = answers.expect(2);
        answers.note(first, good(1.0));
        answers.note(first, good(9.0));
        assert_eq!(seen(&answers), [Some(1.0), None]);
    }
}
