//! What the network between two hosts does without EPICS: round trips and throughput over TCP.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How long the other side may take to connect, and any read or write.
const DEADLINE: Duration = Duration::from_secs(5);

/// How often a listener that nobody has connected to yet looks.
const LOOK: Duration = Duration::from_millis(5);

/// Round trips of one byte; their median counts.
const ROUND_TRIPS: usize = 200;

/// How long bytes are sent.
const SENDING: Duration = Duration::from_millis(300);

/// Bytes of one write.
const CHUNK_BYTES: usize = 256 << 10;

/// A byte that is sent back, and the one after which all that comes is counted.
const ECHO: u8 = 1;
const COUNT: u8 = 2;

/// The network from this host to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NetworkFloor {
    /// The median of the round trips of one byte, in ns.
    pub round_trip_ns: u64,
    /// What arrived there in a second, in bytes.
    pub bytes_per_s: f64,
}

/// Serves one connection at `address` of this host, from a thread that ends by itself. Returns
/// its port.
pub(super) fn serve_once(address: Ipv4Addr) -> io::Result<u16> {
    let listener = TcpListener::bind((address, 0))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            match listener.accept() {
                // Whoever has connected sees that it ended.
                Ok((connection, _)) => drop(answer(connection)),
                Err(_) => {
                    thread::sleep(LOOK);
                    continue;
                }
            }
            return;
        }
    });
    Ok(port)
}

/// Sends bytes back, and after [`COUNT`] counts what comes and sends the count at its end.
fn answer(mut connection: TcpStream) -> io::Result<()> {
    connection.set_nonblocking(false)?;
    prepare(&connection)?;
    let mut byte = [0];
    loop {
        connection.read_exact(&mut byte)?;
        if byte == [COUNT] {
            break;
        }
        connection.write_all(&byte)?;
    }
    let (mut counted, mut buffer) = (0_u64, vec![0; CHUNK_BYTES]);
    loop {
        match connection.read(&mut buffer)? {
            0 => return connection.write_all(&counted.to_be_bytes()),
            length => counted += length as u64,
        }
    }
}

/// Measures the way to a [`serve_once`] on another host; blocks for about half a second.
pub(super) fn measure(server: SocketAddrV4) -> io::Result<NetworkFloor> {
    let mut connection = TcpStream::connect_timeout(&SocketAddr::V4(server), DEADLINE)?;
    prepare(&connection)?;
    let mut round_trips = Vec::with_capacity(ROUND_TRIPS);
    let mut byte = [ECHO];
    for _ in 0..ROUND_TRIPS {
        let sent = Instant::now();
        connection.write_all(&byte)?;
        connection.read_exact(&mut byte)?;
        round_trips.push(sent.elapsed().as_nanos() as u64);
    }
    round_trips.sort_unstable();
    connection.write_all(&[COUNT])?;
    let (began, chunk) = (Instant::now(), vec![0; CHUNK_BYTES]);
    while began.elapsed() < SENDING {
        connection.write_all(&chunk)?;
    }
    connection.shutdown(std::net::Shutdown::Write)?;
    let mut counted = [0; 8];
    connection.read_exact(&mut counted)?;
    let bytes_per_s = u64::from_be_bytes(counted) as f64 / began.elapsed().as_secs_f64();
    Ok(NetworkFloor { round_trip_ns: round_trips[ROUND_TRIPS / 2], bytes_per_s })
}

fn prepare(connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    connection.set_read_timeout(Some(DEADLINE))?;
    connection.set_write_timeout(Some(DEADLINE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    #[test]
    fn loopback_takes_microseconds_and_carries_megabytes() {
        let floor = measure(at(serve_once(Ipv4Addr::LOCALHOST).unwrap())).unwrap();
        assert!((1_000..100_000_000).contains(&floor.round_trip_ns), "{floor:?}");
        assert!(floor.bytes_per_s > 1e6, "{floor:?}");
    }

    #[test]
    fn a_port_where_nobody_answers_is_an_error() {
        let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = nobody.local_addr().unwrap().port();
        drop(nobody);
        assert!(measure(at(port)).is_err());
    }
}
