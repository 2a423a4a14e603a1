//! How long the answer to a datagram takes.

use std::time::Duration;

/// The time-out before any round trip was measured.
const FIRST_TIMEOUT: Duration = Duration::from_millis(25);
/// No time-out is shorter: a busy machine's scheduler answers that late, for each
/// of the servers that share it.
const MINIMUM_TIMEOUT: Duration = Duration::from_millis(4);
/// No time-out is longer, however often a PV was asked for.
const MAXIMUM_TIMEOUT: Duration = Duration::from_millis(500);
/// The minimum grows with the servers up to this.
const MOST_TIMEOUT: Duration = Duration::from_millis(100);

/// The round trip of a datagram, smoothed as in RFC 6298.
#[derive(Debug)]
pub(super) struct RoundTrip {
    minimum: Duration,
    /// The mean and the mean deviation, once measured.
    smoothed: Option<(Duration, Duration)>,
}

impl RoundTrip {
    /// Nothing measured yet, among that many servers.
    pub(super) fn among(servers: usize) -> RoundTrip {
        let minimum = MINIMUM_TIMEOUT.saturating_mul(servers as u32).min(MOST_TIMEOUT);
        RoundTrip { minimum, smoothed: None }
    }

    /// Takes a measured round trip.
    pub(super) fn measured(&mut self, sample: Duration) {
        self.smoothed = Some(match self.smoothed {
            None => (sample, sample / 2),
            Some((mean, deviation)) => {
                ((mean * 7 + sample) / 8, (deviation * 3 + mean.abs_diff(sample)) / 4)
            }
        });
    }

    /// How long to wait for the answer of a PV that was sent `sends` times
    /// before.
    pub(super) fn timeout(&self, sends: u8) -> Duration {
        let first = match self.smoothed {
            None => FIRST_TIMEOUT.max(self.minimum),
            Some((mean, deviation)) => (mean + deviation * 4).max(self.minimum),
        };
        (first * (1 << sends.min(16))).min(MAXIMUM_TIMEOUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_out_follows_what_was_measured_between_its_limits() {
        let mut round_trip = RoundTrip::among(1);
        assert_eq!(round_trip.timeout(0), FIRST_TIMEOUT);
        (0..100).for_each(|_| round_trip.measured(Duration::from_micros(50)));
        assert_eq!(round_trip.timeout(0), MINIMUM_TIMEOUT);
        (0..100).for_each(|_| round_trip.measured(Duration::from_millis(40)));
        let usual = round_trip.timeout(0);
        assert!(usual >= Duration::from_millis(40) && usual < Duration::from_millis(60));
        assert_eq!(round_trip.timeout(1), usual * 2);
        assert_eq!(round_trip.timeout(9), MAXIMUM_TIMEOUT);
        assert_eq!(RoundTrip::among(100).timeout(0), MOST_TIMEOUT);
    }
}
