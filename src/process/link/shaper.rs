//! One direction of a link: what happens to each packet, and when. No I/O and no clock.

use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::link::LinkConditions;

/// Packets that may wait for the rate; further ones are lost, as in the queue of a switch.
/// As many as netem keeps by default.
const MOST_WAITING: u32 = 1_000;

/// The largest packet, by which the queue is measured in time.
const FULL_PACKET_BYTES: u64 = 1_500;

/// What happens to a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is lost by chance.
    Lost,
    /// It is lost, because too much waits before it.
    Overflowed,
    /// It arrives then.
    ArrivesAt(Instant),
}

/// Decides in the order in which packets come.
#[derive(Debug)]
pub(super) struct Shaper {
    delay: Duration,
    loss: f64,
    seconds_per_byte: Option<f64>,
    /// When everything that came before is sent.
    free_at: Option<Instant>,
    random: StdRng,
}

impl Shaper {
    /// One direction with these conditions; `seed` decides which packets are lost.
    pub(super) fn new(conditions: &LinkConditions, seed: u64) -> Shaper {
        Shaper {
            delay: conditions.delay(),
            loss: conditions.loss_percent / 100.0,
            seconds_per_byte: conditions.rate_bit_per_s.map(|rate| 8.0 / rate as f64),
            free_at: None,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// The fate of a packet of so many bytes that comes now.
    pub(super) fn packet(&mut self, now: Instant, bytes: usize) -> Fate {
        if self.loss > 0.0 && self.random.random::<f64>() < self.loss {
            return Fate::Lost;
        }
        if self.waiting(now) > self.longest_queue() {
            return Fate::Overflowed;
        }
        Fate::ArrivesAt(self.bytes(now, bytes))
    }

    /// When bytes arrive that come now and are not lost: those of a connection.
    pub(super) fn bytes(&mut self, now: Instant, bytes: usize) -> Instant {
        let Some(seconds_per_byte) = self.seconds_per_byte else { return now + self.delay };
        let begins = self.free_at.map_or(now, |free_at| free_at.max(now));
        let sent = begins + Duration::from_secs_f64(bytes as f64 * seconds_per_byte);
        self.free_at = Some(sent);
        sent + self.delay
    }

    /// How long what came before still takes to be sent.
    pub(super) fn waiting(&self, now: Instant) -> Duration {
        self.free_at.map_or(Duration::ZERO, |free_at| free_at.saturating_duration_since(now))
    }

    fn longest_queue(&self) -> Duration {
        let packet = self.seconds_per_byte.unwrap_or(0.0) * FULL_PACKET_BYTES as f64;
        Duration::from_secs_f64(packet * f64::from(MOST_WAITING))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shaper(text: &str, seed: u64) -> Shaper {
        Shaper::new(&text.parse().unwrap(), seed)
    }

    #[test]
    fn a_clean_link_delivers_at_once() {
        let now = Instant::now();
        assert_eq!(shaper("clean", 1).packet(now, 1500), Fate::ArrivesAt(now));
    }

    #[test]
    fn a_packet_takes_its_delay_after_those_before_it_are_sent() {
        let now = Instant::now();
        // 1250 bytes are 10 000 bits: 1 ms at 10 Mbit/s.
        let mut shaper = shaper("delay=10ms,rate=10mbit", 1);
        let at = |ms: u64| Fate::ArrivesAt(now + Duration::from_millis(ms));
        assert_eq!(shaper.packet(now, 1250), at(11));
        assert_eq!(shaper.packet(now, 1250), at(12));
        // After a pause the line is free.
        let later = now + Duration::from_millis(100);
        assert_eq!(shaper.packet(later, 1250), at(111));
    }

    #[test]
    fn packets_over_a_full_queue_are_lost() {
        let now = Instant::now();
        let mut shaper = shaper("rate=12mbit", 1);
        let fates: Vec<Fate> = (0..1100).map(|_| shaper.packet(now, 1500)).collect();
        let lost = fates.iter().filter(|fate| **fate == Fate::Overflowed).count();
        assert_eq!(lost, 1100 - 1001);
    }

    #[test]
    fn a_seed_loses_the_same_packets_and_as_many_as_asked() {
        let now = Instant::now();
        let lost = |seed| {
            let mut shaper = shaper("loss=1%", seed);
            let is_lost = |_: &usize| shaper.packet(now, 100) == Fate::Lost;
            (0..100_000).filter(is_lost).collect::<Vec<usize>>()
        };
        assert_eq!(lost(1), lost(1));
        assert_ne!(lost(1), lost(2));
        // 1000 with a standard deviation of 31.
        assert!((850..1150).contains(&lost(1).len()), "{}", lost(1).len());
    }
}
