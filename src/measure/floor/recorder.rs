//! A relay between a client and a server that writes down what both say.

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
    pub(super) stages: Vec<Spoken>,
}

/// What was said in a stage.
#[derive(Debug, Clone, Default)]
pub(super) struct Spoken {
    /// What the client said, piece by piece, each with how much of this stage it had been
    /// sent before.
    pub(super) pieces: Vec<(usize, Vec<u8>)>,
    /// What the server said.
    heard: Vec<u8>,
}

impl Spoken {
    /// How many bytes the server said.
    pub(super) fn heard_bytes(&self) -> usize {
        self.heard.len()
    }

    /// What the client sent.
    pub(super) fn sent(&self, protocol: Protocol) -> Traffic {
        let all: Vec<u8> = self.pieces.iter().flat_map(|(_, bytes)| bytes).copied().collect();
        traffic(protocol, &all)
    }

    /// What the server sent.
    pub(super) fn received(&self, protocol: Protocol) -> Traffic {
        traffic(protocol, &self.heard)
    }
}

/// The relay. It serves one client and ends with it.
pub(super) struct Recorder {
    address: SocketAddrV4,
    spoken: Arc<Mutex<Spoken>>,
}

impl Recorder {
    /// Listens for a client of `server`.
    pub(super) fn start(server: SocketAddrV4) -> io::Result<Recorder> {
        let address = SocketAddrV4::new(RELAY, server.port());
        let listener = TcpListener::bind(address)?;
        let spoken = Arc::new(Mutex::new(Spoken::default()));
        let shared = Arc::clone(&spoken);
        thread::spawn(move || relay(&listener, server, &shared));
        Ok(Recorder { address, spoken })
    }

    /// Where the client is to go.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// What was said since the last call; to be called when both are silent.
    pub(super) fn stage(&self) -> Spoken {
        std::mem::take(&mut *lock(&self.spoken))
    }
}

fn lock(spoken: &Mutex<Spoken>) -> MutexGuard<'_, Spoken> {
    spoken.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error ends the circuit, which the client reports.
fn relay(listener: &TcpListener, server: SocketAddrV4, spoken: &Arc<Mutex<Spoken>>) {
    let Ok((client, _)) = listener.accept() else { return };
    let Ok(server) = TcpStream::connect(server) else { return };
    let (Ok(()), Ok(())) = (client.set_nodelay(true), server.set_nodelay(true)) else { return };
    let (Ok(from_server), Ok(to_client)) = (server.try_clone(), client.try_clone()) else { return };
    let heard = Arc::clone(spoken);
    let back = thread::spawn(move || {
        carry(from_server, to_client, |bytes| lock(&heard).heard.extend_from_slice(bytes));
    });
    carry(client, server, |bytes| {
        let mut spoken = lock(spoken);
        let before = spoken.heard.len();
        spoken.pieces.push((before, bytes.to_vec()));
    });
    let _ = back.join();
}

/// Passes on what comes, noted before it can be answered.
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
