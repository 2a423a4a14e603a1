//! How long each PV of a stage took that treats them one by one.

use std::time::Duration;

use super::clock::{nanoseconds, read};
use crate::worker_protocol::Mode;

/// The moments at which PVs were finished, one after the other; nothing where all are
/// asked at once.
///
/// A moment costs one look at a clock, about 20 ns, and no memory that was not there
/// before the stage began.
#[derive(Debug)]
pub(super) struct PerPvTimes {
    ends: Option<Vec<Duration>>,
}

impl PerPvTimes {
    /// With room for so many PVs.
    pub(super) fn new(mode: Mode, pvs: usize) -> PerPvTimes {
        PerPvTimes { ends: (mode == Mode::Serial).then(|| Vec::with_capacity(pvs)) }
    }

    /// To be called whenever what was asked at once is finished.
    pub(super) fn mark(&mut self) {
        if let Some(ends) = &mut self.ends {
            ends.push(read(libc::CLOCK_MONOTONIC));
        }
    }

    /// How long each PV took, in ns, the first of them from `start` on.
    pub(super) fn each_ns(&self, start: Duration) -> Vec<u64> {
        let ends = self.ends.as_deref().unwrap_or_default();
        let starts = std::iter::once(&start).chain(ends);
        let spans = starts.zip(ends).map(|(start, end)| end.saturating_sub(*start));
        spans.map(nanoseconds).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pv_took_from_the_end_of_the_one_before_to_its_own() {
        let ends = [130, 131, 181].map(Duration::from_nanos).to_vec();
        assert_eq!(PerPvTimes { ends: Some(ends) }.each_ns(Duration::from_nanos(100)), [30, 1, 50]);
    }

    #[test]
    fn all_at_once_have_no_times_of_their_own() {
        for (mode, count) in [(Mode::Bulk, 0), (Mode::Serial, 1)] {
            let mut times = PerPvTimes::new(mode, 1);
            times.mark();
            assert_eq!(times.each_ns(Duration::ZERO).len(), count);
        }
    }
}
