//! Finding out which server has a PV: over UDP, or at name servers over TCP.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::ops::Range;
use std::time::Duration;

use super::channel::{Channel, ChannelState};
use super::circuit::Circuit;
use super::message::{self, Header};
use super::names::Names;
use super::search::{Search, Settings};
use super::socket;

/// The most bytes in a datagram that Ethernet does not cut to pieces, as
/// `ETHERNET_MAX_UDP` of `caProto.h`.
const ETHERNET_MAX_UDP: usize = 1500 - 20 - 8;
/// An answered search is 24 bytes, and rsrv's datagrams hold 1024 (`MAX_UDP_SEND`)
/// with the version message of 16: so many answers fill one exactly.
const ANSWERS_IN_A_DATAGRAM: usize = (1024 - 16) / 24;
/// No datagram is longer.
const LONGEST_DATAGRAM: usize = 0x1_0000;
/// The receive buffer asked for, of which the system gives what it allows.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
/// Datagrams received before anything else gets its turn.
const DATAGRAMS_IN_A_TURN: usize = 64;
/// How long a name server may take before it is asked again.
const NAME_SERVER_PATIENCE: Duration = Duration::from_secs(1);

/// Searches over UDP.
pub(super) struct UdpLookup {
    /// The socket that searches leave from and answers come to.
    pub(super) socket: UdpSocket,
    /// Which searches are to be sent.
    pub(super) search: Search,
    servers: Vec<SocketAddrV4>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Why a datagram could not be sent, lately.
    trouble: Option<String>,
}

impl UdpLookup {
    /// Opens a socket to search for `pvs` PVs with.
    pub(super) fn new(
        servers: Vec<SocketAddrV4>,
        pvs: usize,
        receive_buffer_bytes: Option<usize>,
    ) -> io::Result<UdpLookup> {
        let is_local = servers.iter().all(|server| server.ip().is_loopback());
        let from = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let socket = UdpSocket::bind((from, 0))?;
        socket.set_nonblocking(true)?;
        let bytes = receive_buffer_bytes.unwrap_or(RECEIVE_BUFFER_BYTES);
        socket::set_receive_buffer(&socket, bytes)?;
        let settings = Settings {
            datagram_bytes: ETHERNET_MAX_UDP,
            datagram_searches: ANSWERS_IN_A_DATAGRAM,
            is_answered_in_order: servers.len() == 1,
        };
        Ok(UdpLookup {
            socket,
            search: Search::new(settings, pvs),
            servers,
            input: vec![0; LONGEST_DATAGRAM],
            output: Vec::with_capacity(ETHERNET_MAX_UDP),
            trouble: None,
        })
    }

    /// Sends all searches that may be sent now. One that the system does not take
    /// is lost like any other, and sent again later.
    pub(super) fn send(&mut self, now: Duration, names: &Names) {
        while self.search.next_datagram(now, names, &mut self.output) {
            for server in &self.servers {
                if let Err(error) = self.socket.send_to(&self.output, server) {
                    self.trouble = Some(format!("cannot search at {server}: {error}"));
                }
            }
        }
    }

    /// Receives what has come and calls `found` with each PV that was answered
    /// for the first time, and its server. Only when nothing more is there counts
    /// as lost what is overdue: the answer may wait while this process does.
    pub(super) fn receive(&mut self, now: Duration, mut found: impl FnMut(u32, SocketAddrV4)) {
        for _ in 0..DATAGRAMS_IN_A_TURN {
            // An error other than "nothing there" tells of a datagram that was
            // sent and not delivered: it counts as lost soon enough.
            let Ok((length, SocketAddr::V4(source))) = self.socket.recv_from(&mut self.input)
            else {
                self.search.expire(now);
                return;
            };
            let mut rest = &self.input[..length];
            while let Ok(message) = message::decode(rest) {
                rest = &rest[message.length..];
                if message.header.command == message::CA_PROTO_SEARCH
                    && self.search.found(message.header.parameter_2, now)
                {
                    found(message.header.parameter_2, server(&message.header, *source.ip()));
                }
            }
        }
    }

    /// Why searches could not be sent, if that happened.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }
}

/// Searches at name servers.
pub(super) struct TcpLookup {
    /// The name servers.
    pub(super) servers: Vec<SocketAddrV4>,
    rounds: Vec<Round>,
}

/// What one name server is being asked.
struct Round {
    circuit: u16,
    all: Range<u32>,
    /// Those that are not put into the circuit's output yet.
    next: Range<u32>,
    /// When the last of them was.
    finished: Option<Duration>,
}

impl TcpLookup {
    /// A lookup at `servers`.
    pub(super) fn new(servers: Vec<SocketAddrV4>) -> TcpLookup {
        TcpLookup { servers, rounds: Vec::new() }
    }

    /// Asks for `pvs` on `circuits`, and no longer for what was asked before.
    pub(super) fn want(&mut self, pvs: Range<u32>, circuits: Vec<u16>) {
        self.rounds = circuits
            .into_iter()
            .map(|circuit| Round { circuit, all: pvs.clone(), next: pvs.clone(), finished: None })
            .collect();
    }

    /// Puts into the circuits' outputs what has room there.
    pub(super) fn send(
        &mut self,
        now: Duration,
        names: &Names,
        channels: &[Channel],
        circuits: &mut [Circuit],
    ) {
        for round in &mut self.rounds {
            if round.finished.is_some_and(|finished| now >= finished + NAME_SERVER_PATIENCE) {
                round.next = round.all.clone();
                round.finished = None;
            }
            let circuit = &mut circuits[usize::from(round.circuit)];
            if circuit.is_down() {
                continue;
            }
            while !round.next.is_empty() && !circuit.is_full() {
                let pv = round.next.start;
                round.next.start += 1;
                if channels[pv as usize].state == ChannelState::NotFound {
                    message::encode_search(circuit.output(), pv, names.get(pv));
                }
            }
            if round.next.is_empty() {
                round.finished.get_or_insert(now);
            }
        }
    }

    /// When [`TcpLookup::send`] has something to send again, at the earliest.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        self.rounds.iter().filter_map(|round| Some(round.finished? + NAME_SERVER_PATIENCE)).min()
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
