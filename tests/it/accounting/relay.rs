//! Passes one TCP connection on and counts what goes each way.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A relay for the first connection that it gets.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    up: Arc<AtomicU64>,
    down: Arc<AtomicU64>,
}

impl Relay {
    pub(crate) fn to(server: SocketAddr) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let relay = Relay { address, up: Arc::default(), down: Arc::default() };
        let (up, down) = (Arc::clone(&relay.up), Arc::clone(&relay.down));
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(server).unwrap();
            let way_up = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || pass_on(way_up.0, way_up.1, &up));
            pass_on(server, client, &down);
        });
        relay
    }

    /// Bytes from client to server so far.
    pub(crate) fn up_bytes(&self) -> u64 {
        self.up.load(Ordering::SeqCst)
    }

    /// Bytes from server to client so far.
    pub(crate) fn down_bytes(&self) -> u64 {
        self.down.load(Ordering::SeqCst)
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, counter: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        counter.fetch_add(length as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}
