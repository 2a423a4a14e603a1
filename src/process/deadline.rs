//! Waits that end: at a moment, or when the user interrupts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// How often a wait looks whether it was interrupted.
const LOOK: Duration = Duration::from_millis(50);

/// Ends every wait of this process with [`Stopped::Interrupted`]; safe in a
/// signal handler.
pub fn interrupt() {
    INTERRUPTED.store(true, Ordering::SeqCst);
}

/// Whether [`interrupt`] was called.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Why a wait ended without what it waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The deadline passed.
    TimedOut,
    /// The user interrupted.
    Interrupted,
    /// Nothing can come any more: the senders are gone.
    Closed,
}

/// A moment after which waiting is over.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    /// The moment `allowed` from now.
    pub fn after(allowed: Duration) -> Deadline {
        Deadline::since(Instant::now(), allowed)
    }

    /// The moment `allowed` after `start`.
    pub fn since(start: Instant, allowed: Duration) -> Deadline {
        Deadline { end: start + allowed, allowed }
    }

    /// How long it was from the start, in seconds; for messages.
    pub fn seconds(&self) -> f64 {
        self.allowed.as_secs_f64()
    }

    /// What is left; zero when over.
    pub fn remaining(&self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    /// Blocks until something arrives on `receiver`.
    ///
    /// # Errors
    /// [`Stopped`], as soon as it is clear that nothing will come in time.
    pub fn receive<T>(&self, receiver: &Receiver<T>) -> Result<T, Stopped> {
        loop {
            if interrupted() {
                return Err(Stopped::Interrupted);
            }
            let remaining = self.remaining();
            match receiver.recv_timeout(remaining.min(LOOK)) {
                Ok(received) => return Ok(received),
                Err(RecvTimeoutError::Disconnected) => return Err(Stopped::Closed),
                Err(RecvTimeoutError::Timeout) if remaining.is_zero() => {
                    return Err(Stopped::TimedOut);
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}
