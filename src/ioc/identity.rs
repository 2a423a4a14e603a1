//! Proof that the server behind a port is the very IOC that was started.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::channel_access;
use crate::process::Deadline;

/// How long one search may stay unanswered before it is sent again.
const RESEND: Duration = Duration::from_millis(50);

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
    let mut datagram = Vec::new();
    channel_access::encode_datagram_version(&mut datagram, 1);
    channel_access::encode_search(&mut datagram, 1, pv);
    datagram
}

fn port_in_reply(mut datagram: &[u8]) -> Option<u16> {
    while let Ok(message) = channel_access::decode(datagram) {
        if message.header.command == channel_access::CA_PROTO_SEARCH {
            return Some(message.header.data_type);
        }
        datagram = &datagram[message.length..];
    }
    None
}
