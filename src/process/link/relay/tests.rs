//! The relay on plain sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::Relay;
use crate::link::{Direction, LinkConditions};
use crate::process::link::LinkPorts;
use crate::process::link::addresses::FAR;
use crate::process::link::sockets::bound_beside;
use crate::process::link::state::LinkState;
use crate::{channel_access, pv_access};

/// Nothing comes: so long is waited for it.
const SILENCE: Duration = Duration::from_millis(150);

/// Something comes within this, on a machine that does something else.
const TIMEOUT: Duration = Duration::from_secs(20);

struct Linked {
    state: Arc<LinkState>,
    _relay: Relay,
}

fn linked(conditions: &str, ports: &LinkPorts) -> Linked {
    let conditions: LinkConditions = conditions.parse().unwrap();
    let state = Arc::new(LinkState::new(&conditions, 1));
    let relay = Relay::start(FAR, ports, &state).unwrap();
    Linked { state, _relay: relay }
}

/// A UDP server, a client of it, and the link between.
fn over_udp(conditions: &str) -> (UdpSocket, UdpSocket, Linked) {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = server.local_addr().unwrap().port();
    let ports = LinkPorts { server_udp: vec![port], ..LinkPorts::default() };
    let linked = linked(conditions, &ports);
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.connect((FAR, port)).unwrap();
    for socket in [&server, &client] {
        socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    }
    (server, client, linked)
}

/// Both ends of a TCP connection over the link, the server's first.
fn over_tcp(conditions: &str) -> (TcpStream, TcpStream, Linked) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let ports = LinkPorts { server_tcp: vec![port], ..LinkPorts::default() };
    let linked = linked(conditions, &ports);
    let client = TcpStream::connect((FAR, port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    for stream in [&server, &client] {
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    }
    (server, client, linked)
}

fn is_silent_datagrams(socket: &UdpSocket) -> bool {
    socket.set_read_timeout(Some(SILENCE)).unwrap();
    let is_silent = socket.recv(&mut [0; 100]).is_err();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    is_silent
}

fn is_silent(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let is_silent = stream.read(&mut [0; 100]).is_err();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    is_silent
}

fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn a_datagram_and_its_answer_take_the_delay_each() {
    let (server, client, _linked) = over_udp("delay=20ms");
    let sent = Instant::now();
    client.send(b"ask").unwrap();
    let mut buffer = [0; 100];
    let (_, from) = server.recv_from(&mut buffer).unwrap();
    assert!(sent.elapsed() >= Duration::from_millis(20));
    server.send_to(b"answer", from).unwrap();
    // The socket is connected: the answer comes from the port that was asked.
    assert_eq!(received(&client), b"answer");
    assert!(sent.elapsed() >= Duration::from_millis(40));
}

#[test]
fn a_link_that_loses_half_loses_about_half() {
    let (server, client, linked) = over_udp("loss=50%");
    for _ in 0..400 {
        client.send(b"x").unwrap();
        thread::sleep(Duration::from_micros(100));
    }
    client.send(b"end").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let arrived = std::iter::from_fn(|| server.recv(&mut [0; 100]).ok()).count();
    // Half of 401 is 200, with a standard deviation of 10.
    assert!((140..260).contains(&arrived), "{arrived}");
    let counts = linked.state.take_counts();
    assert_eq!(counts.to_server.packets, 401);
    assert_eq!(counts.to_server.lost as usize, 401 - arrived);
}

#[test]
fn a_cut_drops_datagrams_of_its_way_and_a_restored_link_carries_again() {
    let (server, client, linked) = over_udp("clean");
    client.send(b"hello").unwrap();
    let (_, from) = server.recv_from(&mut [0; 100]).unwrap();

    linked.state.gate.cut(Direction::ToServer);
    client.send(b"lost").unwrap();
    assert!(is_silent_datagrams(&server));
    server.send_to(b"heard", from).unwrap();
    assert_eq!(received(&client), b"heard");

    linked.state.gate.cut(Direction::ToClient);
    client.send(b"heard too").unwrap();
    assert_eq!(received(&server), b"heard too");
    server.send_to(b"lost", from).unwrap();
    assert!(is_silent_datagrams(&client));

    linked.state.gate.cut(Direction::Both);
    client.send(b"lost").unwrap();
    server.send_to(b"lost", from).unwrap();
    assert!(is_silent_datagrams(&server) && is_silent_datagrams(&client));

    linked.state.gate.restore();
    client.send(b"back").unwrap();
    assert_eq!(received(&server), b"back");
    let counts = linked.state.take_counts();
    assert_eq!((counts.to_server.cut, counts.to_client.cut), (2, 2));
}

#[test]
fn a_cut_holds_the_bytes_of_a_connection_back_and_keeps_both_ends_open() {
    let (mut server, mut client, linked) = over_tcp("clean");
    let mut buffer = [0; 5];
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut buffer).unwrap();

    linked.state.gate.cut(Direction::ToClient);
    server.write_all(b"later").unwrap();
    client.write_all(b"sooon").unwrap();
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"sooon");
    assert!(is_silent(&mut client));

    linked.state.gate.cut(Direction::Both);
    client.write_all(b"after").unwrap();
    assert!(is_silent(&mut server) && is_silent(&mut client));

    linked.state.gate.restore();
    client.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"later");
    server.read_exact(&mut buffer).unwrap();
    assert_eq!(&buffer, b"after");
}

#[test]
fn the_end_of_a_client_during_a_cut_reaches_the_server_after_it() {
    let (mut server, client, linked) = over_tcp("clean");
    linked.state.gate.cut(Direction::Both);
    drop(client);
    assert!(is_silent(&mut server));
    linked.state.gate.restore();
    assert_eq!(server.read(&mut [0; 10]).unwrap(), 0);
}

#[test]
fn a_connection_is_as_fast_as_its_rate() {
    const BYTES: usize = 500_000;
    let (mut server, mut client, _linked) = over_tcp("rate=20mbit");
    let begin = Instant::now();
    let sender = thread::spawn(move || client.write_all(&[7; BYTES]).unwrap());
    server.read_exact(&mut vec![0; BYTES]).unwrap();
    sender.join().unwrap();
    // 0.2 s at the least; more on a busy machine.
    assert!(begin.elapsed() >= Duration::from_millis(199), "{:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
}

#[test]
fn answers_over_pv_access_come_back_through_the_relay() {
    let (server, client, linked) = over_udp("clean");
    let mut search = Vec::new();
    let begun = pv_access::Search::begin(
        &mut search,
        true,
        1,
        Some("127.0.0.1:4000".parse().unwrap()),
        false,
    );
    pv_access::Search::add(&mut search, true, 1, "gauge:0");
    begun.end(&mut search, true, 1);
    client.send(&search).unwrap();
    let mut buffer = [0; 2048];
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!(pv_access::searched_names(&buffer[..length]), ["gauge:0"]);
    // The address and the port behind sequence, flags and three bytes.
    assert_eq!(buffer[16..32], FAR.to_ipv6_mapped().octets());
    assert_eq!(u16::from_be_bytes([buffer[32], buffer[33]]), from.port());
    assert_eq!(linked.state.take_counts().searches["gauge:0"].len(), 1);
}

#[test]
fn beacons_reach_clients_from_the_far_end() {
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.set_read_timeout(Some(TIMEOUT)).unwrap();
    let port = client.local_addr().unwrap().port();
    let ports = LinkPorts { client_udp: vec![port], ..LinkPorts::default() };
    let linked = linked("clean", &ports);
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut beacon = Vec::new();
    let near = Ipv4Addr::LOCALHOST.to_bits();
    let command = channel_access::CA_PROTO_RSRV_IS_UP;
    channel_access::encode(&mut beacon, command, 0, 0, 1, near, &[]);
    server.send_to(&beacon, (FAR, port)).unwrap();
    let mut buffer = [0; 100];
    let (length, from) = client.recv_from(&mut buffer).unwrap();
    assert_eq!(from, (FAR, port).into());
    assert_eq!(buffer[length - 4..length], FAR.octets());
    linked.state.gate.cut(Direction::ToClient);
    server.send_to(&beacon, (FAR, port)).unwrap();
    assert!(is_silent_datagrams(&client));
}

/// As pvxs has the port of its searches.
#[test]
fn a_server_may_have_its_port_on_all_addresses() {
    let server = bound_beside(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    server.set_read_timeout(Some(TIMEOUT)).unwrap();
    let port = server.local_addr().unwrap().port();
    let ports = LinkPorts { server_udp: vec![port], ..LinkPorts::default() };
    let linked = linked("clean", &ports);
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.send_to(b"ask", (FAR, port)).unwrap();
    assert_eq!(received(&server), b"ask");
    assert_eq!(linked.state.take_counts().to_server.packets, 1);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = UdpSocket::bind((FAR, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let ports = LinkPorts { server_udp: vec![port], ..LinkPorts::default() };
    let state = Arc::new(LinkState::new(&LinkConditions::default(), 1));
    let error = Relay::start(FAR, &ports, &state).unwrap_err();
    assert!(error.to_string().starts_with(&format!("UDP 127.0.0.2:{port}: ")), "{error}");
}
