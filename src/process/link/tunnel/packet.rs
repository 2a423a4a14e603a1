//! A packet that crosses the link: each side is at 127.0.0.1 and sees the other at 127.0.0.2.
//!
//! So source and destination change places, which leaves every checksum as it is.

use crate::process::link::addresses::{FAR, answer_far, name_server_as};
use crate::process::link::gate::Way;
use crate::process::link::state::LinkState;

const SOURCE: usize = 12;
const DESTINATION: usize = 16;
const SHORTEST_HEADER: usize = 20;
const PROTOCOL: usize = 9;
const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
const UDP_CHECKSUM: usize = 6;

/// Makes a packet that one side sent one that the other side takes, and notes the searches in
/// it. Returns whether it is IPv4.
pub(super) fn cross(packet: &mut [u8], way: Way, state: &LinkState) -> bool {
    if packet.len() < SHORTEST_HEADER || packet[0] >> 4 != 4 {
        return false;
    }
    for byte in 0..DESTINATION - SOURCE {
        packet.swap(SOURCE + byte, DESTINATION + byte);
    }
    if let Some(start) = start_of_datagram(packet) {
        let payload = &mut packet[start + UDP_HEADER..];
        let is_changed = match way {
            Way::ToServer => {
                state.note_searches(payload);
                answer_far(payload)
            }
            Way::ToClient => name_server_as(payload, FAR),
        };
        if is_changed {
            // None is as good as the right one, by the definition of UDP.
            packet[start + UDP_CHECKSUM..start + UDP_HEADER].fill(0);
        }
    }
    true
}

/// Where the header of UDP is, in a packet that has one.
fn start_of_datagram(packet: &[u8]) -> Option<usize> {
    let start = usize::from(packet[0] & 0xf) * 4;
    let is_first_fragment = u16::from_be_bytes([packet[6], packet[7]]) & 0x1fff == 0;
    let is_udp = packet[PROTOCOL] == UDP && is_first_fragment;
    (is_udp && packet.len() >= start + UDP_HEADER).then_some(start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel_access;
    use crate::link::LinkConditions;

    fn datagram(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0];
        packet.extend_from_slice(&[127, 0, 0, 1, 127, 0, 0, 2]);
        packet.extend_from_slice(&[1, 2, 3, 4, 0, 0, 9, 9]);
        packet.extend_from_slice(payload);
        packet
    }

    fn crossed(mut packet: Vec<u8>, way: Way) -> (Vec<u8>, LinkState) {
        let state = LinkState::new(&LinkConditions::default(), 1);
        assert!(cross(&mut packet, way, &state));
        (packet, state)
    }

    #[test]
    fn addresses_change_places_and_searches_are_noted() {
        let mut search = Vec::new();
        channel_access::encode_search(&mut search, 1, "gauge:0");
        let (packet, state) = crossed(datagram(&search), Way::ToServer);
        assert_eq!(packet[SOURCE..SHORTEST_HEADER], [127, 0, 0, 2, 127, 0, 0, 1]);
        assert_eq!(packet[SHORTEST_HEADER..], datagram(&search)[SHORTEST_HEADER..]);
        assert_eq!(state.take_counts().searches["gauge:0"].len(), 1);
    }

    #[test]
    fn a_changed_payload_has_no_checksum() {
        let mut beacon = Vec::new();
        let near = std::net::Ipv4Addr::LOCALHOST.to_bits();
        let command = channel_access::CA_PROTO_RSRV_IS_UP;
        channel_access::encode(&mut beacon, command, 0, 0, 1, near, &[]);
        let (packet, _) = crossed(datagram(&beacon), Way::ToClient);
        assert_eq!(packet[26..28], [0, 0]);
        assert_eq!(packet[packet.len() - 4..], [127, 0, 0, 2]);
        let (packet, _) = crossed(datagram(b"hello"), Way::ToClient);
        assert_eq!(packet[26..28], [9, 9]);
    }

    #[test]
    fn what_is_no_ipv4_does_not_cross_and_later_fragments_are_not_read() {
        let state = LinkState::new(&LinkConditions::default(), 1);
        assert!(!cross(&mut [0x60; 60], Way::ToServer, &state));
        assert!(!cross(&mut [0x45; 10], Way::ToServer, &state));
        let mut search = Vec::new();
        channel_access::encode_search(&mut search, 1, "gauge:0");
        let mut fragment = datagram(&search);
        fragment[7] = 1;
        assert!(crossed(fragment, Way::ToServer).1.take_counts().searches.is_empty());
    }
}
