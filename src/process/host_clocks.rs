//! Clocks of two hosts. A time stamp carries its host in its type: only differences on one host
//! compile, and the way from one to the other goes through an offset with a bound.

use std::marker::PhantomData;
use std::ops::Sub;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::monotonic_ns;

/// The host of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Here {}

/// The other host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum There {}

/// A time in ns on one clock of the host `H`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOn<H>(u64, PhantomData<H>);

impl<H> TimeOn<H> {
    /// The time that this host's clock shows as `ns`.
    pub fn of_ns(ns: u64) -> TimeOn<H> {
        TimeOn(ns, PhantomData)
    }
}

impl TimeOn<Here> {
    /// On the clock of this host, in ns.
    pub fn ns(self) -> u64 {
        self.0
    }
}

impl<H> Sub for TimeOn<H> {
    type Output = Duration;

    /// Zero where `earlier` is later.
    fn sub(self, earlier: TimeOn<H>) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Both clocks of a host at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockReading {
    /// The time of day, since 1970.
    pub day_ns: u64,
    /// The monotonic clock.
    pub monotonic_ns: u64,
}

impl ClockReading {
    /// The clocks of this host, now.
    pub fn now() -> ClockReading {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        ClockReading {
            day_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            monotonic_ns: monotonic_ns(),
        }
    }

    /// The same on clocks that are ahead of these.
    #[must_use]
    pub fn ahead_by(self, ahead: Duration) -> ClockReading {
        let ahead_ns = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
        ClockReading {
            day_ns: self.day_ns.saturating_add(ahead_ns),
            monotonic_ns: self.monotonic_ns.saturating_add(ahead_ns),
        }
    }
}

/// One clock of another host against the same clock of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockOffset {
    /// Its time minus ours.
    pub offset_ns: i64,
    /// The true offset is within this much of `offset_ns`: half the round trip.
    pub bound_ns: u64,
}

impl ClockOffset {
    fn of(sent_ns: u64, there_ns: u64, round_trip_ns: u64) -> ClockOffset {
        let middle_ns = sent_ns.saturating_add(round_trip_ns / 2);
        ClockOffset {
            offset_ns: there_ns.wrapping_sub(middle_ns).cast_signed(),
            bound_ns: round_trip_ns.div_ceil(2),
        }
    }

    /// The same moment on this host's clock, within the bound.
    pub fn here(&self, there: TimeOn<There>) -> TimeOn<Here> {
        TimeOn::of_ns(there.0.saturating_add_signed(self.offset_ns.saturating_neg()))
    }
}

/// Both clocks of another host, by one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostClocks {
    /// The time of day.
    pub day: ClockOffset,
    /// The monotonic clock.
    pub monotonic: ClockOffset,
    /// From the question to its answer.
    pub round_trip_ns: u64,
}

impl HostClocks {
    /// From one exchange: the clocks here when it was asked, those there, and the round trip.
    pub fn of_exchange(
        asked: ClockReading,
        there: ClockReading,
        round_trip: Duration,
    ) -> HostClocks {
        let round_trip_ns = u64::try_from(round_trip.as_nanos()).unwrap_or(u64::MAX);
        HostClocks {
            day: ClockOffset::of(asked.day_ns, there.day_ns, round_trip_ns),
            monotonic: ClockOffset::of(asked.monotonic_ns, there.monotonic_ns, round_trip_ns),
            round_trip_ns,
        }
    }

    /// The exchange with the least round trip says most.
    #[must_use]
    pub fn better(self, other: HostClocks) -> HostClocks {
        if other.round_trip_ns < self.round_trip_ns { other } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(day_ns: u64, round_trip_ns: u64) -> HostClocks {
        let asked = ClockReading { day_ns: 10_000, monotonic_ns: 500 };
        let there = ClockReading { day_ns, monotonic_ns: 99_000 };
        HostClocks::of_exchange(asked, there, Duration::from_nanos(round_trip_ns))
    }

    #[test]
    fn the_offset_is_taken_from_the_middle_of_the_round_trip() {
        let ahead = exchange(10_600, 200);
        assert_eq!(ahead.day, ClockOffset { offset_ns: 500, bound_ns: 100 });
        assert_eq!(exchange(9_600, 200).day.offset_ns, -500);
        assert_eq!(ahead.better(exchange(10_600, 100)).round_trip_ns, 100);
        assert_eq!(ahead.better(exchange(10_600, 300)).round_trip_ns, 200);
    }

    #[test]
    fn a_time_of_the_other_host_becomes_one_of_this_host() {
        let clock = exchange(10_600, 200).monotonic;
        assert_eq!(clock.here(TimeOn::of_ns(99_000)).ns(), 600);
        let (early, late) = (TimeOn::<There>::of_ns(5), TimeOn::of_ns(8));
        assert_eq!(late - early, Duration::from_nanos(3));
    }

    #[test]
    fn the_clocks_of_this_host_move_on() {
        let before = ClockReading::now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(ClockReading::now().monotonic_ns >= before.monotonic_ns + 2_000_000);
    }
}
