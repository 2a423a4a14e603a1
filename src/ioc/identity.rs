//! Proof that the server behind a port is the very IOC that was started, and
//! that it serves.
//!
//! The second half matters as much: for up to 0.1 s after `iocInit` rsrv answers
//! searches but accepts no circuit yet, which the first client would pay for.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::time::Duration;

use crate::channel_access::{self, Message};
use crate::process::Deadline;

/// How long one search may stay unanswered before it is sent again.
const RESEND: Duration = Duration::from_millis(50);

/// How every pvAccess message begins.
const PVA_MAGIC: u8 = 0xCA;

/// How long a TCP server that is about to listen is left alone.
const LOOK: Duration = Duration::from_millis(5);

/// The number that marks our search and our channel.
const OUR_CID: u32 = 1;

/// Searches `pv`, a name that only this IOC has, at this address over UDP, checks that the
/// answer names the same TCP port, and gets a channel there.
pub(super) fn prove(server: SocketAddrV4, pv: &str, deadline: &Deadline) -> Result<(), String> {
    let port = server.port();
    let served = search(server, pv, deadline)
        .map_err(|error| format!("UDP port {port} does not answer for `{pv}`: {error}"))?;
    if served != port {
        return Err(format!("a search on UDP port {port} is answered with TCP port {served}"));
    }
    create_channel(server, pv, deadline)
        .map_err(|error| format!("TCP port {port} gives no channel to `{pv}`: {error}"))
}

/// Whether a pvAccess server takes circuits at this address. It speaks first: its first message
/// has the byte order.
pub(super) fn speaks_pv_access(server: SocketAddrV4, deadline: &Deadline) -> Result<(), String> {
    let port = server.port();
    let fails = |error: io::Error| format!("TCP port {port} does not speak pvAccess: {error}");
    let mut circuit = loop {
        match TcpStream::connect_timeout(&server.into(), deadline.remaining().max(LOOK)) {
            Ok(circuit) => break circuit,
            Err(error) if deadline.remaining().is_zero() => return Err(fails(error)),
            Err(_) => std::thread::sleep(LOOK),
        }
    };
    circuit.set_read_timeout(Some(deadline.remaining().max(LOOK))).map_err(fails)?;
    let mut first = [0];
    circuit.read_exact(&mut first).map_err(fails)?;
    match first {
        [PVA_MAGIC] => Ok(()),
        [other] => Err(format!("TCP port {port} begins with 0x{other:02X}, not with pvAccess")),
    }
}

fn search(server: SocketAddrV4, pv: &str, deadline: &Deadline) -> io::Result<u16> {
    let socket = UdpSocket::bind((*server.ip(), 0))?;
    socket.set_read_timeout(Some(RESEND))?;
    let mut request = Vec::new();
    channel_access::encode_datagram_version(&mut request, 1);
    channel_access::encode_search(&mut request, OUR_CID, pv);
    let mut buffer = [0; 2048];
    while !deadline.remaining().is_zero() {
        socket.send_to(&request, server)?;
        if let Ok((length, _)) = socket.recv_from(&mut buffer)
            && let Some(reply) = first(&buffer[..length], channel_access::CA_PROTO_SEARCH)
        {
            return Ok(reply.header.data_type);
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// Whether a Channel Access server takes circuits at this address.
pub(super) fn speaks_channel_access(
    server: SocketAddrV4,
    deadline: &Deadline,
) -> Result<(), String> {
    let port = server.port();
    let mut greeting = Vec::new();
    channel_access::encode_greeting(&mut greeting, "epics-gauge", "localhost");
    await_message(server, &greeting, channel_access::CA_PROTO_VERSION, deadline)
        .map_err(|error| format!("TCP port {port} does not speak Channel Access: {error}"))
}

fn create_channel(server: SocketAddrV4, pv: &str, deadline: &Deadline) -> io::Result<()> {
    let mut request = Vec::new();
    channel_access::encode_greeting(&mut request, "epics-gauge", "localhost");
    channel_access::encode_create_channel(&mut request, OUR_CID, pv);
    await_message(server, &request, channel_access::CA_PROTO_CREATE_CHAN, deadline)
}

/// Sends `request` on a new circuit, and waits for a message with this command.
fn await_message(
    server: SocketAddrV4,
    request: &[u8],
    command: u16,
    deadline: &Deadline,
) -> io::Result<()> {
    let timeout = deadline.remaining().max(RESEND);
    let mut circuit = TcpStream::connect_timeout(&server.into(), timeout)?;
    circuit.set_read_timeout(Some(timeout))?;
    circuit.write_all(request)?;
    let mut received = Vec::new();
    let mut buffer = [0; 2048];
    while first(&received, command).is_none() {
        match circuit.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::ConnectionReset.into()),
            length => received.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(())
}

/// The first whole message with this command.
fn first(mut bytes: &[u8], command: u16) -> Option<Message<'_>> {
    while let Ok(message) = channel_access::decode(bytes) {
        if message.header.command == command {
            return Some(message);
        }
        bytes = &bytes[message.length..];
    }
    None
}
