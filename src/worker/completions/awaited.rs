//! A state that one thread waits for and others change.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A state under a lock, and a way to wake the thread that waits for it.
pub(super) struct Awaited<T> {
    state: Mutex<T>,
    changed: Condvar,
}

impl<T> Awaited<T> {
    pub(super) fn new(state: T) -> Awaited<T> {
        Awaited { state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Changes the state. The waiting thread is woken when `change` says that it
    /// has something to see.
    pub(super) fn change(&self, change: impl FnOnce(&mut T) -> bool) {
        let mut state = self.lock();
        let is_worth_seeing = change(&mut state);
        drop(state);
        if is_worth_seeing {
            self.changed.notify_one();
        }
    }

    /// Waits until `is_settled` or the deadline has passed.
    pub(super) fn wait(
        &self,
        deadline: Instant,
        is_settled: impl Fn(&T) -> bool,
    ) -> MutexGuard<'_, T> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.changed
            .wait_timeout_while(self.lock(), left, |state| !is_settled(state))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
