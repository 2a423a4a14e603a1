//! Searches over Channel Access in datagrams.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::channel_access::{self as message, Header};
use crate::worker::floor::Datagrams;

/// The most bytes in a datagram that Ethernet does not cut to pieces, as
/// `ETHERNET_MAX_UDP` of `caProto.h`.
const ETHERNET_MAX_UDP: usize = 1500 - 20 - 8;
/// An answered search is 24 bytes, and rsrv's datagrams hold 1024 (`MAX_UDP_SEND`)
/// with the version message of 16: so many answers fill one exactly.
const ANSWERS_IN_A_DATAGRAM: usize = (1024 - 16) / 24;

/// The datagrams.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) struct Searches;

impl Datagrams for Searches {
    const BYTES: usize = ETHERNET_MAX_UDP;
    const SEARCHES: usize = ANSWERS_IN_A_DATAGRAM;

    fn begin(&self, buffer: &mut Vec<u8>, sequence: u32) {
        message::encode_datagram_version(buffer, sequence);
    }

    fn search_bytes(name_bytes: usize) -> usize {
        message::search_bytes(name_bytes)
    }

    fn add(buffer: &mut Vec<u8>, cid: u32, name: &str) {
        message::encode_search(buffer, cid, name);
    }

    fn end(_buffer: &mut Vec<u8>, _searches: usize) {}

    fn answers(datagram: &[u8], sender: Ipv4Addr, mut found: impl FnMut(u32, SocketAddrV4)) {
        let mut rest = datagram;
        while let Ok(message) = message::decode(rest) {
            rest = &rest[message.length..];
            if message.header.command == message::CA_PROTO_SEARCH {
                found(message.header.parameter_2, server(&message.header, sender));
            }
        }
    }
}

/// The server that an answer names: its port, and its address unless it is that
/// of the sender.
pub(super) fn server(answer: &Header, sender: Ipv4Addr) -> SocketAddrV4 {
    const SAME_AS_SENDER: u32 = u32::MAX;
    let address = match answer.parameter_1 {
        SAME_AS_SENDER => sender,
        address => Ipv4Addr::from_bits(address),
    };
    SocketAddrV4::new(address, answer.data_type)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_its_server() {
        let bytes = b"\x00\x06\x00\x00\x13\xc8\x00\x00\xff\xff\xff\xff\x00\x00\x00\x07";
        let header = message::decode(bytes).unwrap().header;
        let sender = Ipv4Addr::new(127, 0, 0, 2);
        assert_eq!(server(&header, sender), "127.0.0.2:5064".parse().unwrap());
        let elsewhere = Header { parameter_1: 0x7f00_0003, ..header };
        assert_eq!(server(&elsewhere, sender), "127.0.0.3:5064".parse().unwrap());
    }
}
