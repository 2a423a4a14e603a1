//! Answers to gets and puts.

use std::time::Instant;

use super::awaited::Awaited;

/// The answers to the requests of one batch after the other.
///
/// Every request of a context has a number of its own, and the library hands that
/// number back with the answer. What comes too late, after its batch was given
/// up, therefore fits no place of the next batch and is dropped.
pub(in crate::worker) struct Requests<E>(Awaited<State<E>>);

struct State<E> {
    /// The number of the batch's first request.
    first: usize,
    /// The value of each; no number for a put.
    answers: Vec<Option<Result<f64, E>>>,
    missing: usize,
}

impl<E> Requests<E> {
    /// No request was made.
    pub(super) fn new() -> Requests<E> {
        Requests(Awaited::new(State { first: 0, answers: Vec::new(), missing: 0 }))
    }

    /// Gives up the last batch and begins one of `requests`; answers with the
    /// number of its first.
    pub(in crate::worker) fn begin(&self, requests: usize) -> usize {
        let mut state = self.0.lock();
        state.first = state.first.wrapping_add(state.answers.len());
        state.answers.clear();
        state.answers.resize_with(requests, || None);
        state.missing = requests;
        state.first
    }

    /// Records the answer to the request `number`.
    pub(in crate::worker) fn record(&self, number: usize, answer: Result<f64, E>) {
        self.0.change(|state| {
            match state.answers.get_mut(number.wrapping_sub(state.first)) {
                Some(place @ None) => *place = Some(answer),
                // Of an earlier batch, or answered twice.
                _ => return false,
            }
            state.missing -= 1;
            state.missing == 0
        });
    }

    /// Waits until all answers of the batch are in or the deadline has passed,
    /// and shows them to `read`.
    pub(in crate::worker) fn wait<T>(
        &self,
        deadline: Instant,
        read: impl FnOnce(&[Option<Result<f64, E>>]) -> T,
    ) -> T {
        read(&self.0.wait(deadline, |state| state.missing == 0).answers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Answer = Option<Result<f64, &'static str>>;

    fn seen(requests: &Requests<&'static str>) -> Vec<Answer> {
        requests.wait(Instant::now(), |answers| answers.to_vec())
    }

    #[test]
    fn answers_find_their_places_in_any_order() {
        let requests = Requests::new();
        let first = requests.begin(2);
        requests.record(first + 1, Err("gone"));
        requests.record(first, Ok(0.0));
        assert_eq!(seen(&requests), [Some(Ok(0.0)), Some(Err("gone"))]);
    }

    #[test]
    fn a_late_answer_does_not_reach_the_next_batch() {
        let requests = Requests::new();
        let old = requests.begin(2);
        requests.record(old, Ok(1.0));
        let new = requests.begin(2);
        assert_eq!(new, old + 2);
        requests.record(old + 1, Ok(2.0));
        requests.record(new + 1, Ok(4.0));
        assert_eq!(seen(&requests), [None, Some(Ok(4.0))]);
    }

    #[test]
    fn a_request_answered_twice_counts_once() {
        let requests = Requests::new();
        let first = requests.begin(2);
        requests.record(first, Ok(1.0));
        requests.record(first, Ok(9.0));
        assert_eq!(seen(&requests), [Some(Ok(1.0)), None]);
    }
}
