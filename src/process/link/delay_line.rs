//! What is under way: a queue whose thread hands each item on when it is due.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use std::{io, thread};

/// A queue in the order of time. Its thread ends when the line and its clones are dropped, and
/// what is left in it is dropped then.
#[derive(Debug)]
pub(super) struct DelayLine<T> {
    queue: Arc<Queue<T>>,
}

#[derive(Debug)]
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<T> {
    under_way: VecDeque<(Instant, T)>,
    is_over: bool,
}

impl<T: Send + 'static> DelayLine<T> {
    /// A line whose thread gives each item to `arrives` when it is due.
    pub(super) fn start(
        name: &str,
        mut arrives: impl FnMut(T) + Send + 'static,
    ) -> io::Result<DelayLine<T>> {
        let state = State { under_way: VecDeque::new(), is_over: false };
        let queue = Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new() });
        let of_thread = Arc::clone(&queue);
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            exact_sleep();
            while let Some(item) = of_thread.next() {
                arrives(item);
            }
        })?;
        Ok(DelayLine { queue })
    }

    /// Sends an item on its way. Items arrive in the order in which they are sent.
    pub(super) fn send(&self, due: Instant, item: T) {
        self.queue.lock().under_way.push_back((due, item));
        self.queue.changed.notify_one();
    }
}

impl<T> Drop for DelayLine<T> {
    fn drop(&mut self) {
        self.queue.lock().is_over = true;
        self.queue.changed.notify_one();
    }
}

impl<T> Queue<T> {
    /// Blocks until the next item is due; none when the line is over.
    fn next(&self) -> Option<T> {
        let mut state = self.lock();
        loop {
            if state.is_over {
                return None;
            }
            let now = Instant::now();
            let due = state.under_way.front().map(|(due, _)| *due);
            state = match due {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(due) if due <= now => {
                    return state.under_way.pop_front().map(|(_, item)| item);
                }
                Some(due) => {
                    let waited = self.changed.wait_timeout(state, due - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has this thread wake up when it wants to: Linux else allows itself 50 µs.
pub(super) fn exact_sleep() {
    #[cfg(target_os = "linux")]
    // SAFETY: sets a number of this thread; no pointers are involved.
    unsafe {
        libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[test]
    fn items_arrive_in_order_and_not_before_they_are_due() {
        let (sender, arrived) = mpsc::channel();
        let line = DelayLine::start("test", move |item: u32| {
            let _ = sender.send((item, Instant::now()));
        })
        .unwrap();
        let begin = Instant::now();
        let due = |ms: u64| begin + Duration::from_millis(ms);
        for (item, ms) in [(1, 20), (2, 20), (3, 40)] {
            line.send(due(ms), item);
        }
        let seen: Vec<(u32, Instant)> = arrived.iter().take(3).collect();
        assert_eq!(seen.iter().map(|(item, _)| *item).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(seen[0].1 >= due(20) && seen[2].1 >= due(40));
    }

    #[test]
    fn a_line_that_is_over_drops_what_is_under_way() {
        let (sender, arrived) = mpsc::channel::<u32>();
        let line = DelayLine::start("test", move |item| {
            let _ = sender.send(item);
        })
        .unwrap();
        line.send(Instant::now() + Duration::from_secs(3600), 1);
        drop(line);
        assert!(arrived.recv_timeout(Duration::from_secs(10)).is_err());
    }
}
