//! TCP through the relay: the bytes of each way are delayed, limited in rate and held back
//! while the link is cut. None is lost, since a relay has no packets to lose.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use super::LOOK;
use crate::process::link::delay_line::exact_sleep;
use crate::process::link::gate::Way;
use crate::process::link::state::LinkState;

/// Bytes that are read at once: a few packets, so that connections share a rate fairly.
const PIECE_BYTES: usize = 16 << 10;

/// Pieces that may be under way on a connection; a sender that is faster waits.
const MOST_UNDER_WAY: usize = 1_024;

/// How long a piece may wait to be sent for the rate before no more is read.
const LONGEST_WAIT: Duration = Duration::from_millis(20);

/// Carries connections to the server's port at `far` to the server.
pub(super) fn carry(
    far: Ipv4Addr,
    server: SocketAddrV4,
    state: &Arc<LinkState>,
    is_over: &Arc<AtomicBool>,
) -> io::Result<()> {
    let address = SocketAddrV4::new(far, server.port());
    let listener = TcpListener::bind(address)
        .map_err(|error| io::Error::new(error.kind(), format!("TCP {address}: {error}")))?;
    listener.set_nonblocking(true)?;
    let (state, is_over) = (Arc::clone(state), Arc::clone(is_over));
    thread::Builder::new().name("link-tcp".to_owned()).spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            // To connect takes packets both ways.
            let ways = [Way::ToServer, Way::ToClient];
            if !ways.iter().all(|way| state.gate.wait_until_open(*way, LOOK)) {
                continue;
            }
            match listener.accept() {
                Ok((client, _)) => connect(&client, server, &state, &is_over),
                Err(_) => wait_for_a_client(&listener),
            }
        }
    })?;
    Ok(())
}

fn wait_for_a_client(listener: &TcpListener) {
    use std::os::fd::AsRawFd;
    let mut watched = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one valid entry, as counted; the descriptor is open as long as the listener.
    unsafe { libc::poll(&raw mut watched, 1, LOOK.as_millis() as libc::c_int) };
}

/// A server that does not take the connection ends it, as it would without a relay.
fn connect(
    client: &TcpStream,
    server: SocketAddrV4,
    state: &Arc<LinkState>,
    is_over: &Arc<AtomicBool>,
) {
    let carried = || -> io::Result<()> {
        let server = TcpStream::connect(server)?;
        client.set_nonblocking(false)?;
        for stream in [client, &server] {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(LOOK))?;
        }
        let ways = [
            (Way::ToServer, client.try_clone()?, server.try_clone()?),
            (Way::ToClient, server, client.try_clone()?),
        ];
        for (way, from, to) in ways {
            one_way(way, from, to, state, is_over)?;
        }
        Ok(())
    };
    if carried().is_err() {
        let _ = client.shutdown(Shutdown::Both);
    }
}

/// A piece under way; an empty one is the end.
type Piece = (Instant, Vec<u8>);

fn one_way(
    way: Way,
    from: TcpStream,
    to: TcpStream,
    state: &Arc<LinkState>,
    is_over: &Arc<AtomicBool>,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::sync_channel(MOST_UNDER_WAY);
    let (of_reader, of_writer) = (Arc::clone(state), Arc::clone(state));
    let (reader_over, writer_over) = (Arc::clone(is_over), Arc::clone(is_over));
    let thread = |name: &str| thread::Builder::new().name(name.to_owned());
    thread("link-read").spawn(move || read(way, from, &sender, &of_reader, &reader_over))?;
    thread("link-write").spawn(move || write(way, to, &receiver, &of_writer, &writer_over))?;
    Ok(())
}

fn read(
    way: Way,
    mut from: TcpStream,
    line: &SyncSender<Piece>,
    state: &LinkState,
    is_over: &AtomicBool,
) {
    exact_sleep();
    let mut buffer = vec![0; PIECE_BYTES];
    while !is_over.load(Ordering::Relaxed) {
        if !state.gate.wait_until_open(way, LOOK) {
            continue;
        }
        let count = match from.read(&mut buffer) {
            Ok(count) => count,
            Err(error) if is_a_pause(&error) => continue,
            Err(_) => 0,
        };
        let due = state.bytes(way, count);
        if line.send((due, buffer[..count].to_vec())).is_err() || count == 0 {
            return;
        }
        let waiting = state.waiting(way);
        if waiting > LONGEST_WAIT {
            thread::sleep(waiting - LONGEST_WAIT);
        }
    }
}

fn write(
    way: Way,
    mut to: TcpStream,
    line: &Receiver<Piece>,
    state: &LinkState,
    is_over: &AtomicBool,
) {
    exact_sleep();
    while let Ok((due, piece)) = line.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        while !state.gate.wait_until_open(way, LOOK) {
            if is_over.load(Ordering::Relaxed) {
                return;
            }
        }
        if piece.is_empty() || to.write_all(&piece).is_err() {
            break;
        }
    }
    let half = if is_over.load(Ordering::Relaxed) { Shutdown::Both } else { Shutdown::Write };
    let _ = to.shutdown(half);
}

fn is_a_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
