//! Whether a link does what it is to do, from what plain sockets on both sides of it saw.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::link::{LinkConditions, LinkKind};
use crate::process::ProcessError;
use crate::process::link::{Arrivals, ProbedLink};
use crate::stats::{median, proportion_interval};

/// How far a delay may be off.
const DELAY_TOLERANCE: f64 = 0.02;

/// How far a rate may be off.
const RATE_TOLERANCE: f64 = 0.05;

/// A loss that this confidence of what was seen does not cover is not the one that was asked
/// for: a right link is found wrong once in a thousand checks of one direction.
const LOSS_CONFIDENCE: f64 = 0.999;

/// Datagrams for the delay, one every millisecond: half a second of a link that is idle.
const DELAY_PROBES: usize = 500;

/// Datagrams for the loss: of 1 % the interval is then 0.7 to 1.4 %.
const LOSS_PROBES: usize = 10_000;

/// Sent every millisecond, so that no socket's buffer runs over.
const LOSS_AT_ONCE: usize = 5;

/// Round trips of a link that does nothing.
const ROUND_TRIPS: usize = 1_000;

/// How long a rate is measured.
const RATE_TIME: Duration = Duration::from_secs(2);

/// A full packet, and what it carries of a TCP connection: 20 bytes are the header of IP, 20
/// that of TCP and 12 its time stamps.
const PACKET_BYTES: f64 = 1_500.0;
const PAYLOAD_BYTES: f64 = 1_448.0;

/// What was found of a link.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkChecked {
    /// What carries packets.
    pub kind: LinkKind,
    /// One line for each thing that was checked.
    pub lines: Vec<LinkLine>,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct LinkLine {
    /// Whether it is as it should be.
    pub is_good: bool,
    /// In words, with the figures.
    pub text: String,
}

impl LinkChecked {
    /// Whether all is as it should be.
    pub fn is_good(&self) -> bool {
        self.lines.iter().all(|line| line.is_good)
    }
}

/// Why a link could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum LinkCheckError {
    /// It does not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The sockets that measure it fail.
    #[error("sockets at the ends of the link: {0}")]
    Sockets(#[from] io::Error),
}

/// Measures links with the conditions `actual` against `wanted`, which are the same unless a
/// failed check is wanted. Blocks for some seconds.
///
/// # Errors
/// When the link does not start, or sockets fail.
pub fn check_link(
    gauge: &Path,
    wanted: LinkConditions,
    actual: LinkConditions,
    seed: u64,
) -> Result<LinkChecked, LinkCheckError> {
    let probed = ProbedLink::start(gauge, Some(actual), seed)?;
    let kind = probed.kind().unwrap_or(LinkKind::Relay);
    let mut lines = Vec::new();
    if wanted.is_clean() {
        let over_link = median(&probed.round_trips(ROUND_TRIPS)?);
        let carried = probed.throughput(RATE_TIME)?;
        drop(probed);
        let direct = ProbedLink::start(gauge, None, seed)?;
        lines.push(added(over_link, median(&direct.round_trips(ROUND_TRIPS)?)));
        lines.push(carries(carried));
        return Ok(LinkChecked { kind, lines });
    }
    let ways = ["to the server", "to the client"];
    if wanted.delay_ns > 0 {
        let seen = probed.datagrams(DELAY_PROBES, 1)?;
        lines.extend(ways.iter().zip(&seen).map(|(way, seen)| delay(way, &wanted, seen)));
    }
    if wanted.loss_percent > 0.0 {
        let seen = probed.datagrams(LOSS_PROBES, LOSS_AT_ONCE)?;
        lines.extend(ways.iter().zip(&seen).map(|(way, seen)| loss(way, &wanted, seen)));
    }
    if let Some(rate) = wanted.rate_bit_per_s {
        match wanted.loss_percent > 0.0 {
            true => lines.push(LinkLine {
                is_good: true,
                text: "rate: not checked, since TCP slows down where packets are lost".to_owned(),
            }),
            false => lines.push(self::rate(rate, probed.throughput(RATE_TIME)?, kind)),
        }
    }
    Ok(LinkChecked { kind, lines })
}

fn added(over_link_s: f64, direct_s: f64) -> LinkLine {
    let text = format!(
        "a link that does nothing adds {:.0} µs to a round trip of {:.0} µs",
        (over_link_s - direct_s) * 1e6,
        direct_s * 1e6
    );
    LinkLine { is_good: true, text }
}

fn carries(bytes_per_s: f64) -> LinkLine {
    let text = format!("without a rate it carries {:.0} Mbit/s", bytes_per_s * 8.0 / 1e6);
    LinkLine { is_good: true, text }
}

fn delay(way: &str, wanted: &LinkConditions, seen: &Arrivals) -> LinkLine {
    let wanted_s = wanted.delay().as_secs_f64();
    if seen.took_s.is_empty() {
        return LinkLine { is_good: false, text: format!("delay {way}: nothing arrived") };
    }
    let took_s = median(&seen.took_s);
    let off = took_s / wanted_s - 1.0;
    let text = format!(
        "delay {way}: {:.3} ms (median of {}), {:+.2} % off; ±{:.0} % allowed",
        took_s * 1e3,
        seen.took_s.len(),
        off * 100.0,
        DELAY_TOLERANCE * 100.0
    );
    LinkLine { is_good: off.abs() <= DELAY_TOLERANCE, text }
}

fn loss(way: &str, wanted: &LinkConditions, seen: &Arrivals) -> LinkLine {
    let lost = seen.sent.saturating_sub(seen.took_s.len());
    let (low, high) = proportion_interval(lost, seen.sent, LOSS_CONFIDENCE);
    let wanted = wanted.loss_percent / 100.0;
    let text = format!(
        "loss {way}: {lost} of {} lost, {:.2} % ({:.2} to {:.2} % with 99.9 %)",
        seen.sent,
        100.0 * lost as f64 / seen.sent.max(1) as f64,
        low * 100.0,
        high * 100.0
    );
    LinkLine { is_good: (low..=high).contains(&wanted), text }
}

fn rate(wanted_bit_per_s: u64, payload_bytes_per_s: f64, kind: LinkKind) -> LinkLine {
    // A relay counts the bytes of connections without headers.
    let factor = match kind {
        LinkKind::Namespaces => PACKET_BYTES / PAYLOAD_BYTES,
        LinkKind::Relay => 1.0,
    };
    let carried = payload_bytes_per_s * 8.0 * factor;
    let off = carried / wanted_bit_per_s as f64 - 1.0;
    let text = format!(
        "rate: {:.2} Mbit/s, {:+.2} % off; ±{:.0} % allowed",
        carried / 1e6,
        off * 100.0,
        RATE_TOLERANCE * 100.0
    );
    LinkLine { is_good: off.abs() <= RATE_TOLERANCE, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(text: &str) -> LinkConditions {
        text.parse().unwrap()
    }

    fn arrived(sent: usize, took_s: &[f64]) -> Arrivals {
        Arrivals { sent, took_s: took_s.to_vec() }
    }

    #[test]
    fn a_delay_of_two_percent_more_is_good_and_of_ten_is_not() {
        let wanted = conditions("delay=10ms");
        for (took_s, is_good) in
            [(0.010_15, true), (0.009_85, true), (0.011, false), (0.009, false)]
        {
            let line = delay("to the server", &wanted, &arrived(3, &[took_s; 3]));
            assert_eq!(line.is_good, is_good, "{}", line.text);
        }
        assert!(!delay("to the server", &wanted, &arrived(3, &[])).is_good);
    }

    #[test]
    fn a_loss_is_good_within_its_interval() {
        let wanted = conditions("loss=1%");
        for (lost, is_good) in [(100, true), (70, true), (60, false), (150, false), (0, false)] {
            let line = loss("to the server", &wanted, &arrived(10_000, &vec![0.1; 10_000 - lost]));
            assert_eq!(line.is_good, is_good, "{}", line.text);
        }
    }

    #[test]
    fn a_rate_counts_headers_between_namespaces_only() {
        // 100 Mbit/s of packets carry 96.5 of payload.
        let payload = 12.5e6 * PAYLOAD_BYTES / PACKET_BYTES;
        for (bytes_per_s, kind, is_good) in [
            (payload, LinkKind::Namespaces, true),
            (payload * 0.94, LinkKind::Namespaces, false),
            (payload * 1.06, LinkKind::Namespaces, false),
            (12.5e6, LinkKind::Relay, true),
            (11.8e6, LinkKind::Relay, false),
        ] {
            let line = rate(100_000_000, bytes_per_s, kind);
            assert_eq!(line.is_good, is_good, "{}", line.text);
        }
    }

    #[test]
    fn one_line_that_is_not_good_is_enough() {
        let line = |is_good| LinkLine { is_good, text: String::new() };
        let kind = LinkKind::Relay;
        assert!(LinkChecked { kind, lines: vec![line(true)] }.is_good());
        assert!(!LinkChecked { kind, lines: vec![line(true), line(false)] }.is_good());
    }
}
