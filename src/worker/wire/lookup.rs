//! Finding out which server has a PV: over UDP, or at name servers over TCP.

mod tcp;
mod udp;

pub(super) use self::tcp::TcpLookup;
pub(super) use self::udp::UdpLookup;

use std::net::{Ipv4Addr, SocketAddrV4};

use super::message::Header;

/// How servers are found.
pub(super) enum Lookup {
    Udp(Box<UdpLookup>),
    Tcp(Box<TcpLookup>),
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
    use super::super::message;
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
