//! A relay between a client and a server that records what both send.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::RELAY;
use super::required::{Traffic, traffic};
use crate::protocol::Protocol;

/// A conversation, stage by stage.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorded {
    pub(super) stages: Vec<StageBytes>,
}

/// The bytes of one stage.
#[derive(Debug, Clone, Default)]
pub(super) struct StageBytes {
    /// What the client sent, in pieces, each with the count of bytes that it had received in
    /// this stage before.
    pub(super) pieces: Vec<(usize, Vec<u8>)>,
    /// What the server sent.
    received: Vec<u8>,
}

impl StageBytes {
    /// How many bytes the server sent.
    pub(super) fn received_bytes(&self) -> usize {
        self.received.len()
    }

    /// What the client sent.
    pub(super) fn sent(&self, protocol: Protocol) -> Traffic {
        let all: Vec<u8> = self.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        traffic(protocol, &all)
    }

    /// What the server sent.
    pub(super) fn received(&self, protocol: Protocol) -> Traffic {
        traffic(protocol, &self.received)
    }
}

/// The relay. It serves one client and ends with it.
pub(super) struct Recorder {
    address: SocketAddrV4,
    stage: Arc<Mutex<StageBytes>>,
}

impl Recorder {
    /// Listens for a client of `server`.
    pub(super) fn start(server: SocketAddrV4) -> io::Result<Recorder> {
        let address = SocketAddrV4::new(RELAY, server.port());
        let listener = TcpListener::bind(address)?;
        let stage = Arc::new(Mutex::new(StageBytes::default()));
        let shared = Arc::clone(&stage);
        thread::spawn(move || relay(&listener, server, &shared));
        Ok(Recorder { address, stage })
    }

    /// The address for the client.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// The bytes since the last call; call it when both sides are silent.
    pub(super) fn stage(&self) -> StageBytes {
        std::mem::take(&mut *lock(&self.stage))
    }
}

fn lock(stage: &Mutex<StageBytes>) -> MutexGuard<'_, StageBytes> {
    stage.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error ends the circuit, which the client reports.
fn relay(listener: &TcpListener, server: SocketAddrV4, stage: &Arc<Mutex<StageBytes>>) {
    let Ok((client, _)) = listener.accept() else { return };
    let Ok(server) = TcpStream::connect(server) else { return };
    let (Ok(()), Ok(())) = (client.set_nodelay(true), server.set_nodelay(true)) else { return };
    let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { return };
    let received = Arc::clone(stage);
    let back = thread::spawn(move || {
        carry(from_server, to_client, |bytes| lock(&received).received.extend_from_slice(bytes));
    });
    carry(client, server, |bytes| {
        let mut stage = lock(stage);
        let before = stage.received.len();
        stage.pieces.push((before, bytes.to_vec()));
    });
    let _ = back.join();
}

/// Forwards all bytes; records them first, so that no answer comes before its request.
fn carry(mut from: TcpStream, mut to: TcpStream, mut note: impl FnMut(&[u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        note(&buffer[..count]);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
