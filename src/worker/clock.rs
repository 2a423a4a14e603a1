//! The clocks that a worker reads.

use std::time::Duration;

use crate::worker_protocol::Span;

/// The monotonic clock and the process's CPU clock, read together.
pub(super) struct Clock {
    pub(super) wall: Duration,
    pub(super) cpu: Duration,
}

impl Clock {
    /// Reads both.
    pub(super) fn now() -> Clock {
        Clock { wall: read(libc::CLOCK_MONOTONIC), cpu: read(libc::CLOCK_PROCESS_CPUTIME_ID) }
    }

    /// What passed on both since they were read.
    pub(super) fn until_now(&self) -> Span {
        let now = Clock::now();
        Span {
            start_ns: nanoseconds(self.wall),
            end_ns: nanoseconds(now.wall),
            cpu_ns: nanoseconds(now.cpu.saturating_sub(self.cpu)),
        }
    }
}

/// What a clock of the system shows.
pub(super) fn read(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock exists on every system we build for and `time` is a
    // valid place for the answer.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// As messages carry a time.
pub(super) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
