//! Searches over UDP.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use crate::worker::wire::guide::Whom;
use crate::worker::wire::message;
use crate::worker::wire::names::Names;
use crate::worker::wire::search::{Search, Settings};
use crate::worker::wire::socket;

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

/// Searches over UDP.
pub(in crate::worker::wire) struct UdpLookup {
    /// The socket that searches leave from and answers come to.
    pub(in crate::worker::wire) socket: UdpSocket,
    /// Which searches are to be sent.
    pub(in crate::worker::wire) search: Search,
    servers: Vec<SocketAddrV4>,
    number_of: HashMap<SocketAddrV4, u16>,
    /// The sender of the latest answer, which mostly is that of the next.
    latest: Option<(SocketAddrV4, Option<u16>)>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Why a datagram could not be sent, lately.
    trouble: Option<String>,
}

impl UdpLookup {
    /// Opens a socket to search for `pvs` PVs with.
    pub(in crate::worker::wire) fn new(
        servers: Vec<SocketAddrV4>,
        pvs: usize,
    ) -> io::Result<UdpLookup> {
        let is_local = servers.iter().all(|server| server.ip().is_loopback());
        let from = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let socket = UdpSocket::bind((from, 0))?;
        socket.set_nonblocking(true)?;
        socket::set_receive_buffer(&socket, RECEIVE_BUFFER_BYTES)?;
        let settings = Settings {
            datagram_bytes: ETHERNET_MAX_UDP,
            datagram_searches: ANSWERS_IN_A_DATAGRAM,
            servers: servers.len(),
        };
        Ok(UdpLookup {
            socket,
            search: Search::new(settings, pvs),
            number_of: servers.iter().copied().zip(0..).collect(),
            servers,
            latest: None,
            input: vec![0; LONGEST_DATAGRAM],
            output: Vec::with_capacity(ETHERNET_MAX_UDP),
            trouble: None,
        })
    }

    /// Sends all searches that may be sent now. One that the system does not take
    /// is lost like any other, and sent again later.
    pub(in crate::worker::wire) fn send(&mut self, now: Duration, names: &Names) {
        while let Some(whom) = self.search.next_datagram(now, names, &mut self.output) {
            let servers = match whom {
                Whom::Everyone => &self.servers[..],
                Whom::Server(server) => &self.servers[usize::from(server)..][..1],
            };
            for server in servers {
                if let Err(error) = self.socket.send_to(&self.output, server) {
                    self.trouble = Some(format!("cannot search at {server}: {error}"));
                }
            }
        }
    }

    /// Receives what has come and calls `found` with each PV that was answered
    /// for the first time, and its server. Only when nothing more is there counts
    /// as lost what is overdue: the answer may wait while this process does.
    pub(in crate::worker::wire) fn receive(
        &mut self,
        now: Duration,
        mut found: impl FnMut(u32, SocketAddrV4),
    ) {
        for _ in 0..DATAGRAMS_IN_A_TURN {
            // An error other than "nothing there" tells of a datagram that was
            // sent and not delivered: it counts as lost soon enough.
            let Ok((length, SocketAddr::V4(source))) = self.socket.recv_from(&mut self.input)
            else {
                self.search.expire(now);
                return;
            };
            let sender = self.number_of(source);
            let mut rest = &self.input[..length];
            while let Ok(message) = message::decode(rest) {
                rest = &rest[message.length..];
                if message.header.command == message::CA_PROTO_SEARCH
                    && self.search.found(message.header.parameter_2, sender, now)
                {
                    let server = super::server(&message.header, *source.ip());
                    found(message.header.parameter_2, server);
                }
            }
        }
    }

    /// Why searches could not be sent, if that happened.
    pub(in crate::worker::wire) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn number_of(&mut self, source: SocketAddrV4) -> Option<u16> {
        match self.latest {
            Some((address, number)) if address == source => number,
            _ => {
                let number = self.number_of.get(&source).copied();
                self.latest = Some((source, number));
                number
            }
        }
    }
}
