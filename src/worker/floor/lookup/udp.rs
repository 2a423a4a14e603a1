//! Searches over UDP.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::time::Duration;

use crate::worker::floor::guide::Whom;
use crate::worker::floor::names::Names;
use crate::worker::floor::search::{Datagrams, Search};
use crate::worker::floor::socket;

/// No datagram is longer.
const LONGEST_DATAGRAM: usize = 0x1_0000;
/// The receive buffer asked for, of which the system gives what it allows.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;
/// Datagrams received before anything else gets its turn.
const DATAGRAMS_IN_A_TURN: usize = 64;

/// Searches over UDP.
pub(in crate::worker) struct UdpLookup<D> {
    /// The socket that searches leave from and answers come to.
    pub(in crate::worker) socket: UdpSocket,
    /// Which searches are to be sent.
    pub(in crate::worker) search: Search<D>,
    servers: Vec<SocketAddrV4>,
    number_of: HashMap<SocketAddrV4, u16>,
    /// The sender of the latest answer, which mostly is that of the next.
    latest: Option<(SocketAddrV4, Option<u16>)>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// Why a datagram could not be sent, lately.
    trouble: Option<String>,
}

impl<D: Datagrams> UdpLookup<D> {
    /// Opens a socket to search for `pvs` PVs with; `datagrams` gets its address.
    pub(in crate::worker) fn new(
        servers: Vec<SocketAddrV4>,
        pvs: usize,
        datagrams: impl FnOnce(SocketAddrV4) -> D,
    ) -> io::Result<UdpLookup<D>> {
        let is_local = servers.iter().all(|server| server.ip().is_loopback());
        let from = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
        let socket = UdpSocket::bind((from, 0))?;
        socket.set_nonblocking(true)?;
        socket::set_receive_buffer(&socket, RECEIVE_BUFFER_BYTES)?;
        let datagrams = datagrams(SocketAddrV4::new(from, socket.local_addr()?.port()));
        Ok(UdpLookup {
            socket,
            search: Search::new(datagrams, servers.len(), pvs),
            number_of: servers.iter().copied().zip(0..).collect(),
            servers,
            latest: None,
            input: vec![0; LONGEST_DATAGRAM],
            output: Vec::with_capacity(D::BYTES),
            trouble: None,
        })
    }

    /// Sends all searches that may be sent now. One that the system does not take
    /// is lost like any other, and sent again later.
    pub(in crate::worker) fn send(&mut self, now: Duration, names: &Names) {
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
    pub(in crate::worker) fn receive(
        &mut self,
        now: Duration,
        mut found: impl FnMut(u32, SocketAddrV4),
    ) {
        for _ in 0..DATAGRAMS_IN_A_TURN {
            // An error other than "nothing there" is of a datagram that was
            // sent and not delivered: it counts as lost soon enough.
            let Ok((length, SocketAddr::V4(source))) = self.socket.recv_from(&mut self.input)
            else {
                self.search.expire(now);
                return;
            };
            let sender = self.number_of(source);
            let search = &mut self.search;
            D::answers(&self.input[..length], *source.ip(), |pv, server| {
                if search.found(pv, sender, now) {
                    found(pv, server);
                }
            });
        }
    }

    /// Why searches could not be sent, if that happened.
    pub(in crate::worker) fn trouble(&self) -> Option<&str> {
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
