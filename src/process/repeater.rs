//! A CA repeater that stays in this process, and on loopback unless it is given another address.
//!
//! Every libca client looks for a repeater on its repeater port and, finding
//! none, forks a detached `caRepeater` that outlives everything and listens on
//! all interfaces. This one takes its place: it confirms registrations and fans
//! beacons out, on the addresses that it is given only, and ends with the IOC that it
//! belongs to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::channel_access::{
    CA_PROTO_RSRV_IS_UP, HEADER_BYTES, REPEATER_CONFIRM, REPEATER_REGISTER, encode,
};

/// The largest datagram that UDP can carry.
const LARGEST_DATAGRAM_BYTES: usize = 65_536;

/// A repeater on one port.
///
/// Holding the port is also what keeps two IOCs of this machine from choosing
/// the same block of ports: it is bound without address reuse.
#[derive(Debug)]
pub struct Repeater {
    addresses: Vec<SocketAddr>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// Clients, each with the socket at which it registered.
type Clients = Mutex<Vec<(SocketAddr, Arc<UdpSocket>)>>;

impl Repeater {
    /// Binds `port` on 127.0.0.1 and serves it from a thread until dropped.
    ///
    /// # Errors
    /// When the port is taken.
    pub fn on_port(port: u16) -> io::Result<Repeater> {
        Repeater::at(&[Ipv4Addr::LOCALHOST], port)
    }

    /// The same on each of these addresses: what arrives on one reaches the clients of all.
    ///
    /// # Errors
    /// When the port is taken on one of them.
    pub fn at(addresses: &[Ipv4Addr], port: u16) -> io::Result<Repeater> {
        let bound = |address: &Ipv4Addr| Ok(Arc::new(UdpSocket::bind((*address, port))?));
        let sockets: Vec<Arc<UdpSocket>> =
            addresses.iter().map(bound).collect::<io::Result<_>>()?;
        let mut repeater = Repeater {
            addresses: sockets.iter().map(|one| one.local_addr()).collect::<io::Result<_>>()?,
            ended: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        let clients = Arc::new(Clients::default());
        for socket in sockets {
            let (ended, clients) = (Arc::clone(&repeater.ended), Arc::clone(&clients));
            repeater.threads.push(
                thread::Builder::new()
                    .name("ca-repeater".to_owned())
                    .spawn(move || serve(&socket, &clients, &ended))?,
            );
        }
        Ok(repeater)
    }

    /// The port that it serves.
    pub fn port(&self) -> u16 {
        self.addresses.first().map_or(0, SocketAddr::port)
    }
}

impl Drop for Repeater {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            // An empty datagram wakes the thread up.
            if let Ok(socket) = UdpSocket::bind((address.ip(), 0)) {
                let _ = socket.send_to(&[], address);
            }
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(socket: &Arc<UdpSocket>, clients: &Clients, ended: &AtomicBool) {
    let mut buffer = vec![0; LARGEST_DATAGRAM_BYTES];
    while !ended.load(Ordering::SeqCst) {
        // An error here is an answer of a client that is gone (ICMP).
        let Ok((length, sender)) = socket.recv_from(&mut buffer) else { continue };
        let datagram = &mut buffer[..length];
        let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        if is_registration(datagram) {
            if clients.iter().all(|(client, _)| *client != sender) {
                clients.push((sender, Arc::clone(socket)));
            }
            let _ = socket.send_to(&confirmation(sender), sender);
        } else {
            fill_in_beacon_address(datagram, sender);
            clients.retain(|(client, registered_at)| {
                *client == sender || is_reachable(registered_at, datagram, client)
            });
        }
    }
}

/// Clients older than CA 4.11 register with an empty datagram.
fn is_registration(datagram: &[u8]) -> bool {
    datagram.is_empty() || command(datagram) == Some(REPEATER_REGISTER)
}

fn is_reachable(socket: &UdpSocket, datagram: &[u8], client: &SocketAddr) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    !socket.send_to(datagram, client).is_err_and(refused)
}

fn confirmation(client: SocketAddr) -> Vec<u8> {
    let address = match client {
        SocketAddr::V4(client) => client.ip().to_bits(),
        SocketAddr::V6(_) => 0,
    };
    let mut message = Vec::new();
    encode(&mut message, REPEATER_CONFIRM, 0, 0, 0, address, &[]);
    message
}

/// A server that does not know its own address leaves it to the repeater.
fn fill_in_beacon_address(datagram: &mut [u8], sender: SocketAddr) {
    let SocketAddr::V4(sender) = sender else { return };
    if command(datagram) == Some(CA_PROTO_RSRV_IS_UP) && datagram[12..16] == [0; 4] {
        datagram[12..16].copy_from_slice(&sender.ip().octets());
    }
}

fn command(datagram: &[u8]) -> Option<u16> {
    (datagram.len() >= HEADER_BYTES).then(|| u16::from_be_bytes([datagram[0], datagram[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn client(repeater: &Repeater) -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket.connect(repeater.addresses[0]).unwrap();
        socket
    }

    fn register(socket: &UdpSocket) {
        let mut registration = [0; HEADER_BYTES];
        registration[0..2].copy_from_slice(&REPEATER_REGISTER.to_be_bytes());
        socket.send(&registration).unwrap();
        let mut answer = [0; 64];
        assert_eq!(socket.recv(&mut answer).unwrap(), HEADER_BYTES);
        assert_eq!(command(&answer[..HEADER_BYTES]), Some(REPEATER_CONFIRM));
        assert_eq!(answer[12..16], [127, 0, 0, 1]);
    }

    #[test]
    fn beacons_reach_every_registered_client_with_the_servers_address() {
        let repeater = Repeater::on_port(0).unwrap();
        let clients = [client(&repeater), client(&repeater)];
        clients.iter().for_each(register);
        let mut beacon = [0; HEADER_BYTES];
        beacon[0..2].copy_from_slice(&CA_PROTO_RSRV_IS_UP.to_be_bytes());
        client(&repeater).send(&beacon).unwrap();
        for client in &clients {
            let mut received = [0; 64];
            assert_eq!(client.recv(&mut received).unwrap(), HEADER_BYTES);
            assert_eq!(received[12..16], [127, 0, 0, 1]);
        }
    }

    #[test]
    fn beacons_at_one_address_reach_clients_of_another() {
        let port = Repeater::on_port(0).unwrap().port();
        let far = Ipv4Addr::new(127, 0, 0, 5);
        let repeater = Repeater::at(&[Ipv4Addr::LOCALHOST, far], port).unwrap();
        let near_client = client(&repeater);
        register(&near_client);
        let mut beacon = [0; HEADER_BYTES];
        beacon[0..2].copy_from_slice(&CA_PROTO_RSRV_IS_UP.to_be_bytes());
        let server = UdpSocket::bind((far, 0)).unwrap();
        server.send_to(&beacon, (far, port)).unwrap();
        let mut received = [0; 64];
        assert_eq!(near_client.recv(&mut received).unwrap(), HEADER_BYTES);
        assert_eq!(received[12..16], far.octets());
    }

    #[test]
    fn the_port_is_free_again_when_it_is_dropped() {
        let repeater = Repeater::on_port(0).unwrap();
        let port = repeater.port();
        assert!(Repeater::on_port(port).is_err());
        drop(repeater);
        Repeater::on_port(port).unwrap();
    }
}
