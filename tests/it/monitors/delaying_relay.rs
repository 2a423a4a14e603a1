//! A relay on loopback that holds back what a CA server sends over its circuits.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const HEADER_BYTES: usize = 16;
const CA_PROTO_SEARCH: u16 = 6;

/// Relays searches at once and circuits with a delay from the server to the
/// client. An answered search names the server's port, so the relay puts its own
/// in its place.
pub(super) struct DelayingRelay {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
}

impl DelayingRelay {
    pub(super) fn to(server: u16, delay: Duration) -> DelayingRelay {
        let circuits = TcpListener::bind((LOCALHOST, 0)).unwrap();
        let circuit_port = circuits.local_addr().unwrap().port();
        let searches = UdpSocket::bind((LOCALHOST, 0)).unwrap();
        let address = searches.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let is_over = Arc::clone(&ended);
        thread::spawn(move || relay_searches(&searches, server, circuit_port, &is_over));
        thread::spawn(move || {
            // One client, one server: there is one circuit.
            let (client, _) = circuits.accept().unwrap();
            relay_circuit(&client, server, delay);
        });
        DelayingRelay { address, ended }
    }

    /// Where searches are to go.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DelayingRelay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

fn relay_searches(front: &UdpSocket, server: u16, circuit_port: u16, is_over: &AtomicBool) {
    let back = UdpSocket::bind((LOCALHOST, 0)).unwrap();
    front.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    back.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut buffer = [0; 65_536];
    while !is_over.load(Ordering::SeqCst) {
        let Ok((length, client)) = front.recv_from(&mut buffer) else { continue };
        back.send_to(&buffer[..length], (LOCALHOST, server)).unwrap();
        // Every PV is there, so every datagram is answered.
        let Ok(length) = back.recv(&mut buffer) else { continue };
        name_port(&mut buffer[..length], circuit_port);
        front.send_to(&buffer[..length], client).unwrap();
    }
}

fn name_port(mut messages: &mut [u8], port: u16) {
    while messages.len() >= HEADER_BYTES {
        let field = |at: usize| u16::from_be_bytes([messages[at], messages[at + 1]]);
        let (command, payload) = (field(0), usize::from(field(2)));
        if command == CA_PROTO_SEARCH {
            messages[4..6].copy_from_slice(&port.to_be_bytes());
        }
        messages = &mut messages[HEADER_BYTES + payload..];
    }
}

/// Ends when both sides have closed.
fn relay_circuit(client: &TcpStream, server: u16, delay: Duration) {
    let server = TcpStream::connect((LOCALHOST, server)).unwrap();
    client.set_nodelay(true).unwrap();
    server.set_nodelay(true).unwrap();
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = std::io::copy(&mut &*client, &mut &server);
            let _ = server.shutdown(Shutdown::Both);
        });
        scope.spawn(|| {
            let mut buffer = [0; 65_536];
            while let Ok(length @ 1..) = (&server).read(&mut buffer) {
                sender.send((Instant::now() + delay, buffer[..length].to_vec())).unwrap();
            }
            drop(sender);
        });
        for (due, bytes) in &receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if (&mut &*client).write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
    });
}
