//! UDP through the relay. A server answers the relay, from a socket for each client, and the
//! relay answers the client from the port that it asked.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::LOOK;
use crate::process::link::addresses::{answer_through, name_server_as};
use crate::process::link::delay_line::DelayLine;
use crate::process::link::gate::Way;
use crate::process::link::sockets::{ask_for_room, bound_beside};
use crate::process::link::state::LinkState;

/// No datagram is longer.
const LONGEST_DATAGRAM: usize = 0x1_0000;

/// A datagram counts with the headers of IP and UDP.
const HEADER_BYTES: usize = 28;

/// Sockets of clients for which there is a way back; those of further ones are not answered.
const MOST_CLIENTS: usize = 2_000;

/// A datagram under way: where it leaves from, and where it goes.
struct UnderWay {
    from: Arc<UdpSocket>,
    to: SocketAddr,
    bytes: Vec<u8>,
}

fn line(name: &str) -> io::Result<Arc<DelayLine<UnderWay>>> {
    // Who is gone is no longer sent to.
    let send = |item: UnderWay| drop(item.from.send_to(&item.bytes, item.to));
    Ok(Arc::new(DelayLine::start(name, send)?))
}

/// Carries what clients send to the server's port at `far`, and the answers.
pub(super) fn carry_to_server(
    far: Ipv4Addr,
    server: SocketAddrV4,
    state: &Arc<LinkState>,
    is_over: &Arc<AtomicBool>,
) -> io::Result<()> {
    let socket = bound(SocketAddrV4::new(far, server.port()))?;
    let carrier = Carrier {
        far,
        server,
        socket: Arc::new(socket),
        state: Arc::clone(state),
        is_over: Arc::clone(is_over),
        to_server: line("link-to-server")?,
        to_client: line("link-to-client")?,
        clients: HashMap::new(),
    };
    thread::Builder::new().name("link-udp".to_owned()).spawn(move || carrier.run())?;
    Ok(())
}

/// Carries what the server sends to a port of its clients at `far`, such as beacons, to
/// that port of 127.0.0.1.
pub(super) fn carry_to_clients(
    far: Ipv4Addr,
    client: SocketAddrV4,
    state: &Arc<LinkState>,
    is_over: &Arc<AtomicBool>,
) -> io::Result<()> {
    let socket = Arc::new(bound(SocketAddrV4::new(far, client.port()))?);
    let line = line("link-beacons")?;
    let (state, is_over) = (Arc::clone(state), Arc::clone(is_over));
    thread::Builder::new().name("link-beacons".to_owned()).spawn(move || {
        for_each_datagram(&Arc::clone(&socket), &is_over, |bytes, _| {
            if let Some(due) = state.packet(Way::ToClient, bytes.len() + HEADER_BYTES) {
                name_server_as(bytes, far);
                let from = Arc::clone(&socket);
                line.send(due, UnderWay { from, to: client.into(), bytes: bytes.to_vec() });
            }
        });
    })?;
    Ok(())
}

struct Carrier {
    far: Ipv4Addr,
    server: SocketAddrV4,
    /// What clients send to.
    socket: Arc<UdpSocket>,
    state: Arc<LinkState>,
    is_over: Arc<AtomicBool>,
    to_server: Arc<DelayLine<UnderWay>>,
    to_client: Arc<DelayLine<UnderWay>>,
    /// By which socket each client's datagrams leave.
    clients: HashMap<SocketAddr, Arc<UdpSocket>>,
}

impl Carrier {
    fn run(mut self) {
        let socket = Arc::clone(&self.socket);
        let is_over = Arc::clone(&self.is_over);
        for_each_datagram(&socket, &is_over, |bytes, client| {
            self.state.note_searches(bytes);
            let Some(due) = self.state.packet(Way::ToServer, bytes.len() + HEADER_BYTES) else {
                return;
            };
            // No socket: lost, as by a machine that is out of them.
            let Ok(from) = self.socket_for(client) else { return };
            if let Ok(SocketAddr::V4(own)) = from.local_addr() {
                answer_through(bytes, own);
            }
            self.to_server
                .send(due, UnderWay { from, to: self.server.into(), bytes: bytes.to_vec() });
        });
    }

    fn socket_for(&mut self, client: SocketAddr) -> io::Result<Arc<UdpSocket>> {
        if let Some(known) = self.clients.get(&client) {
            return Ok(Arc::clone(known));
        }
        if self.clients.len() >= MOST_CLIENTS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let socket = Arc::new(bound(SocketAddrV4::new(self.far, 0))?);
        self.carry_answers(Arc::clone(&socket), client)?;
        self.clients.insert(client, Arc::clone(&socket));
        Ok(socket)
    }

    fn carry_answers(&self, socket: Arc<UdpSocket>, client: SocketAddr) -> io::Result<()> {
        let (asked, far) = (Arc::clone(&self.socket), self.far);
        let (state, is_over) = (Arc::clone(&self.state), Arc::clone(&self.is_over));
        let line = Arc::clone(&self.to_client);
        thread::Builder::new().name("link-answers".to_owned()).spawn(move || {
            for_each_datagram(&socket, &is_over, |bytes, _| {
                if let Some(due) = state.packet(Way::ToClient, bytes.len() + HEADER_BYTES) {
                    name_server_as(bytes, far);
                    let from = Arc::clone(&asked);
                    line.send(due, UnderWay { from, to: client, bytes: bytes.to_vec() });
                }
            });
        })?;
        Ok(())
    }
}

fn bound(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = bound_beside(address)
        .map_err(|error| io::Error::new(error.kind(), format!("UDP {address}: {error}")))?;
    socket.set_read_timeout(Some(LOOK))?;
    ask_for_room(&socket);
    Ok(socket)
}

fn for_each_datagram(
    socket: &UdpSocket,
    is_over: &AtomicBool,
    mut give: impl FnMut(&mut [u8], SocketAddr),
) {
    let mut buffer = vec![0; LONGEST_DATAGRAM];
    while !is_over.load(Ordering::Relaxed) {
        // Errors are a timeout, or the answer of somebody who is gone (ICMP).
        if let Ok((length, sender)) = socket.recv_from(&mut buffer) {
            give(&mut buffer[..length], sender);
        }
    }
}
