//! Bytes of connections against a counting relay, a transfer of known size, and
//! the counters of a network device.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use epics_gauge::process::{NetworkCounter, NetworkError, SocketBytes, UsageSampler, socket_bytes};

use super::program::Program;
use super::relay::Relay;
use crate::isolation::network::in_a_fresh_network;

/// Takes one connection, reads so many bytes and answers with so many.
const SERVER: &str = "
import socket
listener = socket.create_server(('127.0.0.1', 0))
say(listener.getsockname()[1])
connection, _ = listener.accept()
left = int(sys.argv[1])
while left: left -= len(connection.recv(min(left, 1 << 16)))
connection.sendall(bytes(int(sys.argv[2])))
wait()
";

/// Connects to a port, sends so many bytes and reads so many; closes when asked.
const CLIENT: &str = "
import socket
connection = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
connection.sendall(bytes(int(sys.argv[2])))
left = int(sys.argv[3])
while left: left -= len(connection.recv(min(left, 1 << 16)))
say(0)
wait()
connection.close()
say(0)
wait()
";

const UP: u64 = 3_000_017;
const DOWN: u64 = 50_000_003;

fn server() -> (Program, SocketAddr) {
    let program = Program::start(SERVER, &[UP.to_string(), DOWN.to_string()]);
    let port = u16::try_from(program.heard()).unwrap();
    (program, (Ipv4Addr::LOCALHOST, port).into())
}

/// A client that has sent and received everything.
fn client_of(server: SocketAddr) -> Program {
    let arguments = [server.port().to_string(), UP.to_string(), DOWN.to_string()];
    let client = Program::start(CLIENT, &arguments);
    client.heard();
    client
}

fn only_socket(pid: u32) -> SocketBytes {
    let sockets = socket_bytes(&[pid]).unwrap();
    assert_eq!(sockets.len(), 1, "{sockets:?}");
    sockets[0].clone()
}

#[test]
fn bytes_of_both_ends_are_those_that_a_relay_counts() {
    let (server, address) = server();
    let relay = Relay::to(address);
    let client = client_of(relay.address);
    let (at_client, at_server) = (only_socket(client.pid()), only_socket(server.pid()));
    assert_eq!((relay.up_bytes(), relay.down_bytes()), (UP, DOWN));
    assert_eq!((at_client.sent_bytes, at_client.received_bytes), (UP, DOWN));
    assert_eq!((at_server.received_bytes, at_server.sent_bytes), (UP, DOWN));
    assert_eq!((at_client.remote, at_server.local), (relay.address, address));
    assert!(at_client.received_segments > DOWN / 65_536);
}

#[test]
fn connections_of_other_processes_do_not_count() {
    let (_server, address) = server();
    let _client = client_of(address);
    let idle = Program::start("say(0)\nwait()", &[]);
    idle.heard();
    assert_eq!(socket_bytes(&[idle.pid()]).unwrap(), []);
    assert_eq!(NetworkCounter::new().read(&[idle.pid()]).unwrap().connections, 0);
}

#[test]
fn a_connection_that_several_processes_hold_counts_once() {
    let (server, address) = server();
    let client = client_of(address);
    let pids = [client.pid(), client.pid(), server.pid()];
    let counted = NetworkCounter::new().read(&pids).unwrap();
    assert_eq!(counted.connections, 2);
    assert_eq!((counted.sent_bytes, counted.received_bytes), (UP + DOWN, UP + DOWN));
}

#[test]
fn a_closed_connection_stays_in_the_sum() {
    let (_server, address) = server();
    let mut client = client_of(address);
    let mut counter = NetworkCounter::new();
    counter.read(&[client.pid()]).unwrap();
    client.go_on();
    client.heard();
    assert_eq!(socket_bytes(&[client.pid()]).unwrap(), []);
    let counted = counter.read(&[client.pid()]).unwrap();
    assert_eq!((counted.sent_bytes, counted.received_bytes), (UP, DOWN));
    let pid = client.pid();
    drop(client);
    assert_eq!(counter.read(&[pid]).unwrap(), counted);
    let ended = socket_bytes(&[pid]);
    assert!(matches!(ended, Err(NetworkError::Ended { .. })), "{ended:?}");
}

#[test]
fn the_sampler_counts_both_ends_and_goes_on_after_a_restart() {
    let (first, first_address) = server();
    let client = client_of(first_address);
    let subjects = vec![("server".to_owned(), first.pid()), ("client".to_owned(), client.pid())];
    let sampler = UsageSampler::start(subjects, Duration::from_millis(50));
    let (second, second_address) = server();
    let _second_client = client_of(second_address);
    sampler.replace(0, second.pid());
    let usage = sampler.finish();
    let counted = |index: usize| {
        let subject = &usage.subjects[index];
        assert_eq!(subject.network_missing, None);
        let last = subject.network.last().unwrap();
        (last.received_bytes, last.sent_bytes)
    };
    assert_eq!(counted(0), (2 * UP, 2 * DOWN));
    assert_eq!(counted(1), (DOWN, UP));
}

#[test]
fn connections_over_ipv6_count_too() {
    let Ok(listener) = TcpListener::bind(("::1", 0)) else {
        eprintln!("skipped: there is no IPv6 here");
        return;
    };
    let port = listener.local_addr().unwrap().port();
    let stream = TcpStream::connect(("::1", port)).unwrap();
    let local = stream.local_addr().unwrap();
    let found = socket_bytes(&[std::process::id()]).unwrap();
    assert_eq!(found.iter().filter(|socket| socket.local == local).count(), 1);
}

#[test]
fn a_process_of_another_user_is_refused_in_words() {
    match socket_bytes(&[1]) {
        Err(NetworkError::Forbidden { pid: 1, reason }) => assert!(!reason.is_empty()),
        // The super-user may look at everybody.
        Ok(_) => eprintln!("skipped: process 1 may be looked at"),
        Err(error) => panic!("{error}"),
    }
}

/// Bytes, headers and all, and packets over loopback in this network namespace.
fn over_loopback() -> (u64, u64) {
    let text = fs::read_to_string("/proc/net/dev").unwrap();
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:")).unwrap();
    let numbers: Vec<u64> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
    (numbers[8], numbers[9])
}

#[test]
fn bytes_of_both_ends_are_those_of_the_network_device() {
    let name = "accounting::network::bytes_of_both_ends_are_those_of_the_network_device";
    in_a_fresh_network(name, || {
        // IP and TCP, time stamps included; loopback has no header of its own.
        const HEADER_BYTES: u64 = 20 + 32;
        let before = over_loopback();
        let (server, address) = server();
        let client = client_of(address);
        let ends = [only_socket(client.pid()), only_socket(server.pid())];
        let after = over_loopback();
        let (bytes, packets) = (after.0 - before.0, after.1 - before.1);
        let payload = bytes - HEADER_BYTES * packets;
        let sum = |what: fn(&SocketBytes) -> u64| ends.iter().map(what).sum::<u64>();
        assert_eq!(sum(|end| end.sent_bytes), UP + DOWN);
        // Under load segments are lost, or sent again although they were not. The
        // first two have 8 bytes of options more, and some confirmations too.
        let most = UP + DOWN + sum(|end| end.sent_again_bytes) + 16 + bytes / 10_000;
        assert!((UP + DOWN..=most).contains(&payload), "{payload} of {bytes}: {ends:?}");
        // A packet that never leaves the machine may carry several segments. The
        // server's first was sent before there was a socket to count it.
        assert!(packets <= sum(|end| end.sent_segments) + 1, "{packets}: {ends:?}");
    });
}

#[test]
fn a_process_in_another_network_is_refused_in_words() {
    let name = "accounting::network::a_process_in_another_network_is_refused_in_words";
    in_a_fresh_network(name, || {
        // The test that has started this one is still outside.
        let outside = std::os::unix::process::parent_id();
        let refused = socket_bytes(&[outside]);
        let other = matches!(refused, Err(NetworkError::OtherNetwork { .. }));
        // In a user namespace of its own it may not even see that.
        let forbidden = matches!(refused, Err(NetworkError::Forbidden { .. }));
        assert!(other || forbidden, "{refused:?}");
    });
}
