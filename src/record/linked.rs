//! What is recorded of a worker whose server was at the other end of a link.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::link::{LinkConditions, LinkKind};

/// The link, and what went over it while the worker ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkUse {
    /// What it did to packets.
    pub conditions: LinkConditions,
    /// What carried them.
    pub kind: LinkKind,
    /// Packets to the server; on a relay datagrams and pieces of connections.
    pub to_server: PacketsSeen,
    /// Packets to the client.
    pub to_client: PacketsSeen,
    /// Searches over UDP.
    pub searches: SearchesSeen,
}

/// What went one way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PacketsSeen {
    /// Packets that came to the link.
    pub packets: u64,
    /// Their bytes, IP headers included; on a relay those of datagrams with their headers and
    /// those that connections carried.
    pub bytes: u64,
    /// Packets lost by chance.
    pub lost: u64,
    /// Packets lost because too many waited for the rate.
    pub overflowed: u64,
    /// Packets that came while this way was cut.
    pub cut: u64,
}

/// Searches over UDP, as they came to the link from the client, before any was lost.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchesSeen {
    /// Searches in all: each name in each datagram counts.
    pub sent: u64,
    /// Datagrams that held them.
    pub datagrams: u64,
    /// Different names.
    pub names: u64,
    /// Searches for the name that was searched most often.
    pub most_of_one: u64,
    /// From the start of create to the first search, s; none without searches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_s: Option<f64>,
    /// From the start of create to the last search, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_s: Option<f64>,
    /// Searches in each second from the start of create, to the last search.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_second: Vec<u64>,
}

/// Searches of an hour; later ones are counted in the last second of it.
const MOST_SECONDS: usize = 3_600;

impl SearchesSeen {
    /// From the times at which each name was searched; `start_ns` is the start of create on
    /// the same clock.
    pub fn of<'a>(
        times_ns: impl Iterator<Item = &'a [u64]>,
        datagrams: u64,
        start_ns: u64,
    ) -> SearchesSeen {
        let mut seen = SearchesSeen { datagrams, ..SearchesSeen::default() };
        for times in times_ns {
            seen.names += 1;
            seen.sent += times.len() as u64;
            seen.most_of_one = seen.most_of_one.max(times.len() as u64);
            for at_ns in times {
                let at_s = (*at_ns as f64 - start_ns as f64) / 1e9;
                seen.first_s = Some(seen.first_s.map_or(at_s, |first| first.min(at_s)));
                seen.last_s = Some(seen.last_s.map_or(at_s, |last| last.max(at_s)));
                let second = (at_s.max(0.0) as usize).min(MOST_SECONDS - 1);
                if seen.by_second.len() <= second {
                    seen.by_second.resize(second + 1, 0);
                }
                seen.by_second[second] += 1;
            }
        }
        seen
    }

    /// Searches beyond the first for each name.
    pub fn repeated(&self) -> u64 {
        self.sent - self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_are_counted_by_name_and_by_second_from_the_start() {
        let times: [&[u64]; 2] = [&[1_500_000_000], &[1_600_000_000, 2_900_000_000, 4_100_000_000]];
        let seen = SearchesSeen::of(times.into_iter(), 3, 1_000_000_000);
        assert_eq!((seen.sent, seen.names, seen.repeated(), seen.most_of_one), (4, 2, 2, 3));
        assert_eq!((seen.first_s, seen.last_s), (Some(0.5), Some(3.1)));
        assert_eq!(seen.by_second, [2, 1, 0, 1]);
    }

    #[test]
    fn without_searches_there_is_no_first() {
        let none = SearchesSeen::of(std::iter::empty(), 0, 0);
        assert_eq!(none, SearchesSeen::default());
    }
}
