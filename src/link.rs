//! A network between clients and a server: what it does to packets.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the link does to each packet, in each direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkConditions {
    /// How long a packet takes one way, ns; a round trip takes it twice.
    pub delay_ns: u64,
    /// How many packets of 100 are lost, one way.
    pub loss_percent: f64,
    /// Bits per second one way, IP headers included; none without a limit.
    pub rate_bit_per_s: Option<u64>,
}

/// The longest delay one way.
const MOST_DELAY: Duration = Duration::from_secs(10);

/// At less, a full packet takes 12 s.
const LEAST_RATE_BIT_PER_S: f64 = 1_000.0;

/// The most that a text may ask for.
const MOST_RATE_BIT_PER_S: f64 = 100e9;

/// The word for a link that does nothing to packets.
const CLEAN: &str = "clean";

impl LinkConditions {
    /// The delay one way.
    pub fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay_ns)
    }

    /// Whether packets pass as they are.
    pub fn is_clean(&self) -> bool {
        *self == LinkConditions::default()
    }

    /// As it is written on the command line.
    pub fn option(&self) -> String {
        let mut parts = Vec::new();
        if self.delay_ns > 0 {
            parts.push(format!("delay={}ms", self.delay_ns as f64 / 1e6));
        }
        if self.loss_percent > 0.0 {
            parts.push(format!("loss={}%", self.loss_percent));
        }
        parts.extend(self.rate_bit_per_s.map(|rate| format!("rate={}mbit", rate as f64 / 1e6)));
        if parts.is_empty() { CLEAN.to_owned() } else { parts.join(",") }
    }
}

impl fmt::Display for LinkConditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.delay_ns > 0 {
            parts.push(format!("{} ms delay", self.delay_ns as f64 / 1e6));
        }
        if self.loss_percent > 0.0 {
            parts.push(format!("{} % loss", self.loss_percent));
        }
        parts.extend(self.rate_bit_per_s.map(|rate| format!("{} Mbit/s", rate as f64 / 1e6)));
        f.pad(&if parts.is_empty() { "a clean link".to_owned() } else { parts.join(", ") })
    }
}

impl FromStr for LinkConditions {
    type Err = String;

    fn from_str(text: &str) -> Result<LinkConditions, String> {
        let mut conditions = LinkConditions::default();
        if text == CLEAN {
            return Ok(conditions);
        }
        for part in text.split(',') {
            match part.trim().split_once('=') {
                Some(("delay", value)) => conditions.delay_ns = parse_delay(value)?,
                Some(("loss", value)) => conditions.loss_percent = parse_loss(value)?,
                Some(("rate", value)) => conditions.rate_bit_per_s = Some(parse_rate(value)?),
                _ => {
                    return Err(format!(
                        "`{part}` is no part of a link; write delay=10ms,loss=1%,rate=100mbit, or \
                         `{CLEAN}` for a link that only counts"
                    ));
                }
            }
        }
        Ok(conditions)
    }
}

fn parse_delay(text: &str) -> Result<u64, String> {
    let units = [("ms", 1e-3), ("us", 1e-6), ("s", 1.0)];
    let seconds = number_with(text, &units).filter(|s| *s <= MOST_DELAY.as_secs_f64());
    let seconds = seconds.ok_or_else(|| {
        format!(
            "`{text}` is no delay; write 10ms, 500us or 0.1s, {} s at most",
            MOST_DELAY.as_secs()
        )
    })?;
    Ok((seconds * 1e9).round() as u64)
}

fn parse_loss(text: &str) -> Result<f64, String> {
    let percent = number_with(text, &[("%", 1.0)]).filter(|percent| *percent < 100.0);
    percent.ok_or_else(|| format!("`{text}` is no loss; write 1%, less than 100%"))
}

fn parse_rate(text: &str) -> Result<u64, String> {
    let rate = number_with(text, &[("kbit", 1e3), ("mbit", 1e6), ("gbit", 1e9)]);
    let rate = rate.filter(|rate| (LEAST_RATE_BIT_PER_S..=MOST_RATE_BIT_PER_S).contains(rate));
    let rate =
        rate.ok_or_else(|| format!("`{text}` is no rate; write 100mbit, 500kbit or 1gbit"))?;
    Ok(rate.round() as u64)
}

/// A number that is not negative, with one of these units.
fn number_with(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number * factor)
}

/// Which way packets go over the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From clients to the server.
    ToServer,
    /// From the server to clients.
    ToClient,
    /// Both ways.
    Both,
}

impl Direction {
    /// All of them.
    pub const ALL: [Direction; 3] = [Direction::ToServer, Direction::ToClient, Direction::Both];

    /// The name in files and on the link's control line.
    pub fn name(self) -> &'static str {
        match self {
            Direction::ToServer => "to-server",
            Direction::ToClient => "to-client",
            Direction::Both => "both",
        }
    }

    /// Whether packets to the server are meant.
    pub fn includes_to_server(self) -> bool {
        self != Direction::ToClient
    }

    /// Whether packets to clients are meant.
    pub fn includes_to_client(self) -> bool {
        self != Direction::ToServer
    }
}

impl FromStr for Direction {
    type Err = String;

    fn from_str(text: &str) -> Result<Direction, String> {
        let found = Direction::ALL.into_iter().find(|direction| direction.name() == text);
        found.ok_or_else(|| format!("`{text}` is no direction of a link"))
    }
}

/// What carries the packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// A program between two network namespaces: every packet passes it.
    Namespaces,
    /// A relay on loopback, where there may be no namespaces: it delays, loses and cuts
    /// datagrams as they are, and delays, slows down and holds back the bytes of TCP
    /// connections, of which it loses none.
    Relay,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_as_they_are_written() {
        for text in ["delay=10ms,loss=1%,rate=100mbit", "delay=0.5ms", "loss=0.1%", "clean"] {
            let conditions: LinkConditions = text.parse().unwrap();
            assert_eq!(conditions.option(), text);
            assert_eq!(conditions.option().parse(), Ok(conditions));
        }
        let all: LinkConditions = "rate=1gbit, delay=500us, loss=2.5%".parse().unwrap();
        assert_eq!(all.delay(), Duration::from_micros(500));
        assert_eq!(all.rate_bit_per_s, Some(1_000_000_000));
        assert_eq!(all.to_string(), "0.5 ms delay, 2.5 % loss, 1000 Mbit/s");
        assert!("delay=0ms".parse::<LinkConditions>().unwrap().is_clean());
    }

    #[test]
    fn what_is_no_condition_names_one_that_is() {
        for (text, word) in [
            ("delay=10", "10ms"),
            ("delay=11s", "10 s at most"),
            ("delay=-1ms", "10ms"),
            ("loss=100%", "less than 100%"),
            ("loss=1", "1%"),
            ("rate=0mbit", "100mbit"),
            ("rate=nanmbit", "100mbit"),
            ("jitter=1ms", "delay=10ms,loss=1%,rate=100mbit"),
            ("", "clean"),
        ] {
            let error = text.parse::<LinkConditions>().unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn directions_are_read_by_their_names() {
        for direction in Direction::ALL {
            assert_eq!(direction.name().parse(), Ok(direction));
        }
        assert!("up".parse::<Direction>().is_err());
    }
}
