//! How many searches a client sent: counted where they arrive, or worked out from
//! the bytes on its circuits.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::channel_access::{self, CA_PROTO_SEARCH, encode_greeting, search_bytes};
use crate::process::monotonic_ns;
use crate::protocol::Protocol;
use crate::pv_access;

/// The receive buffer asked for, of which the system gives what it allows.
const RECEIVE_BUFFER_BYTES: libc::c_int = 16 << 20;

/// Nothing has come for so long: what was sent before is counted.
const QUIET: Duration = Duration::from_millis(50);

/// No datagram is longer.
const LONGEST_DATAGRAM: usize = 0x1_0000;

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchCount {
    /// Search messages.
    pub searches: u64,
    /// Datagrams that held them.
    pub datagrams: u64,
    /// Datagrams that the system dropped, because they came faster than they were
    /// counted; none where the system does not report it.
    pub dropped_datagrams: Option<u64>,
}

/// The searches of one datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedSearches {
    /// When they arrived, on the system's monotonic clock.
    pub at_ns: u64,
    /// How many.
    pub searches: u64,
}

/// A UDP socket on loopback that never answers, and counts the search messages
/// that it gets. A client that sends each search to every address of its list
/// sends it here too when this address is in the list.
#[derive(Debug)]
pub struct SearchCounter {
    address: SocketAddrV4,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<(SearchCount, Vec<TimedSearches>)>>,
}

impl SearchCounter {
    /// Binds a free port of 127.0.0.1 and counts from a thread until finished.
    ///
    /// # Errors
    /// When there is no socket or no thread to be had.
    pub fn start() -> io::Result<SearchCounter> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let SocketAddr::V4(address) = socket.local_addr()? else {
            return Err(ErrorKind::AddrNotAvailable.into());
        };
        ask_for_room(&socket);
        socket.set_read_timeout(Some(QUIET))?;
        let ended = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name("search-counter".to_owned()).spawn({
            let ended = Arc::clone(&ended);
            move || count(&socket, &ended)
        })?;
        Ok(SearchCounter { address, ended, thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Adds its address to those that a client over `protocol` searches at.
    pub fn add_to(&self, protocol: Protocol, environment: &mut Vec<(String, String)>) {
        super::add_address(self.address, protocol == Protocol::Pva, environment);
    }

    /// Waits until what was sent so far is counted, and ends.
    pub fn finish(self) -> SearchCount {
        self.finish_timed().0
    }

    /// The same, with the searches of each datagram in the order of arrival.
    pub fn finish_timed(mut self) -> (SearchCount, Vec<TimedSearches>) {
        self.ended.store(true, Ordering::SeqCst);
        let thread = self.thread.take();
        thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
    }
}

impl Drop for SearchCounter {
    /// The thread ends by itself when nothing comes any more.
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

/// How many search messages a client of Channel Access sent over TCP, to all name servers together,
/// when its circuits have carried `sent_bytes` in all and nothing was asked but
/// searches and one channel for each of `names`. `new_circuits` of them were
/// opened, and so greeted, while those bytes were sent.
///
/// A search is as long as the request for the channel. The greeting is that of
/// Base's clients: version, user and host. libca puts a version message of 16 bytes
/// before each of its frames, which counts as half a search here: 2 % too many where
/// its frames are full (1024 bytes), 9 % were seen where they are not.
pub fn searches_on_circuits(
    sent_bytes: u64,
    new_circuits: usize,
    names: impl Iterator<Item = String>,
) -> f64 {
    let (mut count, mut bytes) = (0_u64, 0_u64);
    for name in names {
        count += 1;
        bytes += search_bytes(name.len()) as u64;
    }
    let mut greeting = Vec::new();
    encode_greeting(&mut greeting, &user_name(), &host_name());
    let greetings = (new_circuits * greeting.len()) as u64;
    let searches = sent_bytes.saturating_sub(greetings + bytes);
    searches as f64 * count as f64 / (bytes.max(1)) as f64
}

fn user_name() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.unwrap_or_else(|_| "unknown".to_owned())
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "localhost".to_owned(), |name| name.trim().to_owned())
}

fn count(socket: &UdpSocket, ended: &AtomicBool) -> (SearchCount, Vec<TimedSearches>) {
    let mut counted = SearchCount::default();
    let mut times = Vec::new();
    let mut buffer = vec![0; LONGEST_DATAGRAM];
    loop {
        match socket.recv(&mut buffer) {
            Ok(length) => {
                let searches = searches_in(&buffer[..length]);
                counted.searches += searches;
                counted.datagrams += u64::from(searches > 0);
                times.push(TimedSearches { at_ns: monotonic_ns(), searches });
            }
            Err(_) if ended.load(Ordering::SeqCst) => break,
            Err(_) => {}
        }
    }
    counted.dropped_datagrams = socket.local_addr().ok().and_then(|own| dropped(own.port()));
    (counted, times)
}

fn searches_in(mut datagram: &[u8]) -> u64 {
    // No message of Channel Access begins so.
    if datagram.first() == Some(&pv_access::MAGIC) {
        return pv_access::searches_in(datagram);
    }
    let mut searches = 0;
    while let Ok(message) = channel_access::decode(datagram) {
        searches += u64::from(message.header.command == CA_PROTO_SEARCH);
        datagram = &datagram[message.length..];
    }
    searches
}

/// A larger buffer loses less while the machine is busy; without it the losses are
/// still counted.
fn ask_for_room(socket: &UdpSocket) {
    let bytes = RECEIVE_BUFFER_BYTES;
    // SAFETY: the option is an int, of which address and size are given; the system
    // does not keep the pointer.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}

/// The last column of `/proc/net/udp` for the socket on this port of 127.0.0.1.
fn dropped(port: u16) -> Option<u64> {
    let table = std::fs::read_to_string("/proc/net/udp").ok()?;
    let own = format!("0100007F:{port:04X}");
    let line = table.lines().find(|line| line.split_whitespace().nth(1) == Some(&own))?;
    line.split_whitespace().last()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> impl Iterator<Item = String> {
        (0..20).map(|index| format!("gauge:{index}"))
    }

    /// A client of known behaviour.
    fn datagram(pvs: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        channel_access::encode_datagram_version(&mut bytes, 7);
        for name in names().take(pvs) {
            channel_access::encode_search(&mut bytes, 1, &name);
        }
        bytes
    }

    fn pv_access_datagram() -> Vec<u8> {
        let mut bytes = Vec::new();
        let search = pv_access::Search::begin(
            &mut bytes,
            true,
            1,
            Some("127.0.0.1:4000".parse().unwrap()),
            false,
        );
        names().for_each(|name| pv_access::Search::add(&mut bytes, true, 1, &name));
        search.end(&mut bytes, true, 20);
        bytes
    }

    #[test]
    fn every_search_message_of_every_datagram_is_counted() {
        let counter = SearchCounter::start().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..30 {
            client.send_to(&datagram(20), counter.address()).unwrap();
            client.send_to(&datagram(3), counter.address()).unwrap();
        }
        client.send_to(b"no message", counter.address()).unwrap();
        client.send_to(&datagram(0), counter.address()).unwrap();
        client.send_to(&pv_access_datagram(), counter.address()).unwrap();
        let expected = SearchCount {
            searches: 30 * 23 + 20,
            datagrams: 61,
            dropped_datagrams: if cfg!(target_os = "linux") { Some(0) } else { None },
        };
        assert_eq!(counter.finish(), expected);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn datagrams_that_the_system_dropped_are_reported() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..2_000 {
            client.send_to(&datagram(20), address).unwrap();
        }
        socket.set_nonblocking(true).unwrap();
        let mut kept = 0;
        while socket.recv(&mut [0; 2048]).is_ok() {
            kept += 1;
        }
        assert_eq!(dropped(address.port()), Some(2_000 - kept));
        assert!(kept < 2_000, "the buffer holds 2000 datagrams: ask for more");
    }

    #[test]
    fn searches_over_tcp_are_what_channels_and_greetings_leave() {
        let mut sent = Vec::new();
        for _ in 0..2 {
            encode_greeting(&mut sent, &user_name(), &host_name());
        }
        for _ in 0..3 {
            names().for_each(|name| channel_access::encode_search(&mut sent, 1, &name));
        }
        names().for_each(|name| channel_access::encode_create_channel(&mut sent, 1, &name));
        let searches = searches_on_circuits(sent.len() as u64, 2, names());
        assert!((searches - 60.0).abs() < 1e-9, "{searches}");
    }
}
