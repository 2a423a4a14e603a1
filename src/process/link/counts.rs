//! What a link counts: packets of each direction, and searches by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::gate::Way;
use crate::{channel_access, pv_access};

/// Searches that are remembered with their time; further ones are only counted.
const MOST_TIMES: u64 = 1_000_000;

/// What went over a link since it was last asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LinkCounts {
    /// From clients to the server.
    pub to_server: PacketCounts,
    /// From the server to clients.
    pub to_client: PacketCounts,
    /// When each name was searched over UDP, on the machine's monotonic clock, ns, as the
    /// search came to the link; also those that it lost.
    pub searches: BTreeMap<String, Vec<u64>>,
    /// Datagrams that held searches.
    pub search_datagrams: u64,
    /// Searches whose times are kept.
    pub searches_with_time: u64,
    /// Searches whose times were not kept, because there were too many.
    pub searches_without_time: u64,
}

/// What went one way: packets, or datagrams and pieces of connections on a relay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PacketCounts {
    /// Those that came to the link.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those lost by chance.
    pub lost: u64,
    /// Those lost because too many waited before them.
    pub overflowed: u64,
    /// Those that came while this way was cut.
    pub cut: u64,
}

impl LinkCounts {
    pub(super) fn of_way(&mut self, way: Way) -> &mut PacketCounts {
        match way {
            Way::ToServer => &mut self.to_server,
            Way::ToClient => &mut self.to_client,
        }
    }

    /// Notes the searches of a datagram that goes to the server.
    pub(super) fn note_searches(&mut self, datagram: &[u8], now_ns: u64) {
        let names = searched_names(datagram);
        self.search_datagrams += u64::from(!names.is_empty());
        for name in names {
            if self.searches_with_time >= MOST_TIMES {
                self.searches_without_time += 1;
                continue;
            }
            self.searches_with_time += 1;
            self.searches.entry(name).or_default().push(now_ns);
        }
    }
}

/// The names that a datagram searches, over either protocol.
fn searched_names(datagram: &[u8]) -> Vec<String> {
    // No message of Channel Access begins so.
    match datagram.first() == Some(&pv_access::MAGIC) {
        true => pv_access::searched_names(datagram),
        false => channel_access::searched_names(datagram),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_of_both_protocols_are_noted_by_name_with_their_times() {
        let mut ca = Vec::new();
        channel_access::encode_datagram_version(&mut ca, 7);
        channel_access::encode_search(&mut ca, 1, "gauge:0");
        channel_access::encode_search(&mut ca, 2, "gauge:10");
        let mut pva = Vec::new();
        let search = pv_access::Search::begin(
            &mut pva,
            true,
            1,
            Some("127.0.0.1:4000".parse().unwrap()),
            false,
        );
        pv_access::Search::add(&mut pva, true, 1, "gauge:0");
        search.end(&mut pva, true, 1);
        let mut counts = LinkCounts::default();
        for (datagram, at_ns) in [(&ca, 5), (&pva, 7), (&b"hello".to_vec(), 8), (&Vec::new(), 9)] {
            counts.note_searches(datagram, at_ns);
        }
        assert_eq!(counts.searches["gauge:0"], [5, 7]);
        assert_eq!(counts.searches["gauge:10"], [5]);
        assert_eq!((counts.search_datagrams, counts.searches_with_time), (2, 3));
    }
}
