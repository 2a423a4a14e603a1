//! Proof that the server behind a port is the very IOC that was started.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::process::Deadline;

/// How long one search may stay unanswered before it is sent again.
const RESEND: Duration = Duration::from_millis(50);

const CA_PROTO_VERSION: u16 = 0;
const CA_PROTO_SEARCH: u16 = 6;
const CA_MINOR_VERSION: u16 = 13;
const DONT_REPLY: u16 = 5;

/// Searches `pv`, a name that only this IOC has, on UDP `port` of loopback and
/// checks that the answer names the same TCP port.
pub(super) fn prove(port: u16, pv: &str, deadline: &Deadline) -> Result<(), String> {
    let served = search(port, pv, deadline)
        .map_err(|error| format!("UDP port {port} does not answer for `{pv}`: {error}"))?;
    if served == port {
        Ok(())
    } else {
        Err(format!("a search on UDP port {port} is answered with TCP port {served}"))
    }
}

fn search(port: u16, pv: &str, deadline: &Deadline) -> io::Result<u16> {
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_read_timeout(Some(RESEND))?;
    let request = request(pv);
    let mut buffer = [0; 2048];
    while !deadline.remaining().is_zero() {
        socket.send_to(&request, server)?;
        if let Ok((length, _)) = socket.recv_from(&mut buffer)
            && let Some(served) = port_in_reply(&buffer[..length])
        {
            return Ok(served);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

fn request(pv: &str) -> Vec<u8> {
    // The name is ended by a zero and padded to eight bytes.
    let payload = (pv.len() / 8 + 1) * 8;
    let mut datagram = header(CA_PROTO_VERSION, 0, 0, CA_MINOR_VERSION, 0).to_vec();
    datagram.extend(header(CA_PROTO_SEARCH, payload as u16, DONT_REPLY, CA_MINOR_VERSION, 1));
    datagram.extend(pv.as_bytes());
    datagram.resize(32 + payload, 0);
    datagram
}

fn header(command: u16, payload: u16, data_type: u16, count: u16, cid: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[0..2].copy_from_slice(&command.to_be_bytes());
    header[2..4].copy_from_slice(&payload.to_be_bytes());
    header[4..6].copy_from_slice(&data_type.to_be_bytes());
    header[6..8].copy_from_slice(&count.to_be_bytes());
    header[8..12].copy_from_slice(&cid.to_be_bytes());
    header[12..16].copy_from_slice(&cid.to_be_bytes());
    header
}

/// A search reply carries the TCP port where a request carries the data type.
fn port_in_reply(mut datagram: &[u8]) -> Option<u16> {
    while datagram.len() >= 16 {
        let field = |at: usize| u16::from_be_bytes([datagram[at], datagram[at + 1]]);
        if field(0) == CA_PROTO_SEARCH {
            return Some(field(4));
        }
        datagram = datagram.get(16 + usize::from(field(2))..)?;
    }
    None
}
