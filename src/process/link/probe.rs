//! Measures a link from both of its sides, with plain sockets: what the link itself counts is
//! not looked at.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use super::sockets::ask_for_room;
use super::{FAR, Link, LinkPorts, namespaces};
use crate::link::{LinkConditions, LinkKind};
use crate::process::{ProcessError, monotonic_ns};

/// What is on its way has this long to arrive, beside the link's delay.
const DRAIN: Duration = Duration::from_millis(500);

/// At the start of a throughput, windows grow; that long is not counted.
const WARM_UP: Duration = Duration::from_millis(500);

/// Bytes of a datagram: its number and when it was sent.
const PROBE_BYTES: usize = 16;

/// A link that is measured, with a server's sockets at its end.
#[derive(Debug)]
pub struct ProbedLink {
    link: Option<Link>,
    address: Ipv4Addr,
    udp: UdpSocket,
    tcp: TcpListener,
}

/// What arrived of datagrams, one way.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arrivals {
    /// How many were sent.
    pub sent: usize,
    /// How long each that arrived was on its way, s.
    pub took_s: Vec<f64>,
}

impl ProbedLink {
    /// A link with these conditions; plain loopback without.
    ///
    /// # Errors
    /// When there are no sockets, or the link does not start.
    pub fn start(
        gauge: &Path,
        conditions: Option<LinkConditions>,
        seed: u64,
    ) -> Result<ProbedLink, ProcessError> {
        let sockets = || -> io::Result<(UdpSocket, TcpListener, LinkPorts)> {
            let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let ports = LinkPorts {
                server_udp: vec![udp.local_addr()?.port()],
                server_tcp: vec![tcp.local_addr()?.port()],
                ..LinkPorts::default()
            };
            ask_for_room(&udp);
            Ok((udp, tcp, ports))
        };
        let (udp, tcp, ports) = sockets().map_err(|error| ProcessError::Start {
            command: "link-process".to_owned(),
            reason: error.to_string(),
        })?;
        let start = |conditions| Link::start(gauge, conditions, seed, &ports);
        let link = conditions.map(start).transpose()?;
        let address = if link.is_some() { FAR } else { Ipv4Addr::LOCALHOST };
        Ok(ProbedLink { link, address, udp, tcp })
    }

    /// What carries packets; none of plain loopback.
    pub fn kind(&self) -> Option<LinkKind> {
        self.link.as_ref().map(Link::kind)
    }

    /// Sends `count` datagrams to the server, `at_once` every millisecond, each of which is
    /// answered. Gives what arrived at the server, and at the client. Blocks until all that
    /// are not lost have arrived.
    ///
    /// # Errors
    /// When sockets fail.
    pub fn datagrams(&self, count: usize, at_once: usize) -> io::Result<[Arrivals; 2]> {
        let delay = self.link.as_ref().map_or(Duration::ZERO, |link| link.conditions().delay());
        let server = self.udp.try_clone()?;
        let silence = DRAIN + delay * 2;
        thread::scope(|scope| {
            let answering = scope.spawn(move || answer(&server, silence));
            let asking = self.on_the_clients_side(scope, move || {
                let client = self.client_socket()?;
                let receiver = client.try_clone()?;
                let arriving = thread::spawn(move || receive(&receiver, silence, |_, _, _| Ok(())));
                send(&client, count, at_once)?;
                joined(arriving.join())
            });
            let to_client = joined(asking.join())?;
            let to_server = joined(answering.join())?;
            let answered = to_server.len();
            Ok([
                Arrivals { sent: count, took_s: to_server },
                Arrivals { sent: answered, took_s: to_client },
            ])
        })
    }

    /// How long it takes from a request to its answer, `count` times, s.
    ///
    /// # Errors
    /// When sockets fail, or an answer does not come.
    pub fn round_trips(&self, count: usize) -> io::Result<Vec<f64>> {
        let server = self.udp.try_clone()?;
        thread::scope(|scope| {
            let answering = scope.spawn(move || answer(&server, DRAIN));
            let asking = self.on_the_clients_side(scope, move || {
                let client = self.client_socket()?;
                let ask = |_| {
                    let begin = Instant::now();
                    client.send(&probe())?;
                    client.recv(&mut [0; PROBE_BYTES])?;
                    Ok(begin.elapsed().as_secs_f64())
                };
                (0..count).map(ask).collect::<io::Result<Vec<f64>>>()
            });
            let took_s = joined(asking.join());
            joined(answering.join())?;
            took_s
        })
    }

    /// Payload bytes per second that a TCP connection carries to the client, from the time
    /// when its windows have grown, over `duration`.
    ///
    /// # Errors
    /// When sockets fail.
    pub fn throughput(&self, duration: Duration) -> io::Result<f64> {
        let listener = self.tcp.try_clone()?;
        let port = listener.local_addr()?.port();
        thread::scope(|scope| {
            let sending = scope.spawn(move || -> io::Result<()> {
                let (mut client, _) = listener.accept()?;
                let piece = [7; 1 << 16];
                // The client ends it.
                while client.write_all(&piece).is_ok() {}
                Ok(())
            });
            let receiving = self.on_the_clients_side(scope, move || {
                let mut server = TcpStream::connect((self.address, port))?;
                let mut buffer = vec![0; 1 << 18];
                let begin = Instant::now();
                while begin.elapsed() < WARM_UP {
                    read_some(&mut server, &mut buffer)?;
                }
                let begin = Instant::now();
                let mut bytes = 0;
                while begin.elapsed() < duration {
                    bytes += read_some(&mut server, &mut buffer)?;
                }
                Ok(bytes as f64 / begin.elapsed().as_secs_f64())
            });
            let rate = joined(receiving.join());
            joined(sending.join())?;
            rate
        })
    }

    fn client_socket(&self) -> io::Result<UdpSocket> {
        let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        client.connect((self.address, self.udp.local_addr()?.port()))?;
        client.set_read_timeout(Some(Duration::from_secs(10)))?;
        ask_for_room(&client);
        Ok(client)
    }

    /// Runs in a thread that is where clients are.
    fn on_the_clients_side<'scope, T: Send + 'scope>(
        &self,
        scope: &'scope thread::Scope<'scope, '_>,
        run: impl FnOnce() -> io::Result<T> + Send + 'scope,
    ) -> ScopedJoinHandle<'scope, io::Result<T>> {
        let is_elsewhere = self.kind() == Some(LinkKind::Namespaces);
        scope.spawn(move || {
            if is_elsewhere {
                namespaces::move_this_thread_to_clients()?;
            }
            run()
        })
    }
}

fn read_some(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count),
    }
}

fn joined<T>(outcome: thread::Result<io::Result<T>>) -> io::Result<T> {
    outcome.unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
}

/// A datagram with the time at which it is sent.
fn probe() -> [u8; PROBE_BYTES] {
    let mut probe = [0; PROBE_BYTES];
    probe[8..].copy_from_slice(&monotonic_ns().to_be_bytes());
    probe
}

fn send(client: &UdpSocket, count: usize, at_once: usize) -> io::Result<()> {
    let begin = Instant::now();
    for number in 0..count {
        if number.is_multiple_of(at_once) {
            let due = Duration::from_millis((number / at_once) as u64);
            thread::sleep(due.saturating_sub(begin.elapsed()));
        }
        client.send(&probe())?;
    }
    Ok(())
}

/// Answers each datagram until none has come for `silence`; gives how long each was on its way.
fn answer(server: &UdpSocket, silence: Duration) -> io::Result<Vec<f64>> {
    receive(server, silence, |server, _, from| server.send_to(&probe(), from).map(drop))
}

fn receive(
    socket: &UdpSocket,
    silence: Duration,
    mut then: impl FnMut(&UdpSocket, &[u8], SocketAddr) -> io::Result<()>,
) -> io::Result<Vec<f64>> {
    socket.set_read_timeout(Some(silence))?;
    let mut took_s = Vec::new();
    let mut buffer = [0; PROBE_BYTES];
    // The first may take longer to come.
    let timeout = Instant::now() + Duration::from_secs(10);
    loop {
        match socket.recv_from(&mut buffer) {
            Ok((_, from)) => {
                let sent_ns = u64::from_be_bytes(*buffer.last_chunk().unwrap_or(&[0; 8]));
                took_s.push(monotonic_ns().saturating_sub(sent_ns) as f64 / 1e9);
                then(socket, &buffer, from)?;
            }
            Err(_) if took_s.is_empty() && Instant::now() < timeout => {}
            Err(_) => return Ok(took_s),
        }
    }
}
