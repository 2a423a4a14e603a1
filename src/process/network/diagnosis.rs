//! All TCP connections of this network namespace with the kernel's counters,
//! over netlink (`man 7 sock_diag`, as `ss -i` does it).

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};

use super::{NetworkError, SocketBytes};

/// Where the counters are in `struct tcp_info` of the kernel's `linux/tcp.h`. The
/// structure only ever grows at its end, so an older kernel's is shorter. The
/// netlink crate's own reading of it is refused by kernels before 5.4.
mod offset {
    pub(super) const BYTES_ACKED: usize = 120;
    pub(super) const BYTES_RECEIVED: usize = 128;
    pub(super) const SEGMENTS_OUT: usize = 136;
    pub(super) const SEGMENTS_IN: usize = 140;
    pub(super) const BYTES_SENT: usize = 200;
    pub(super) const BYTES_SENT_AGAIN: usize = 208;
}

/// Every connection, established or closing, of both IP versions.
pub(super) fn all_connections() -> Result<Vec<SocketBytes>, NetworkError> {
    list_all().map_err(|error| NetworkError::Kernel(error.to_string()))
}

/// The same connections as they are now; those that the kernel does not know any
/// more are left out. Each is found by its addresses, so this costs little on a
/// machine with a large table of connections.
pub(super) fn each_again(connections: &[&SocketBytes]) -> Result<Vec<SocketBytes>, NetworkError> {
    ask_for_each(connections).map_err(|error| NetworkError::Kernel(error.to_string()))
}

fn list_all() -> io::Result<Vec<SocketBytes>> {
    let mut found = Vec::new();
    for any in [SocketId::new_v4(), SocketId::new_v6()] {
        let socket = connected()?;
        socket.send(&request(any, NLM_F_REQUEST | NLM_F_DUMP), 0)?;
        loop {
            let (answer, _) = socket.recv_from_full()?;
            if take_messages(&answer, &mut found)? {
                break;
            }
        }
    }
    Ok(found)
}

fn ask_for_each(connections: &[&SocketBytes]) -> io::Result<Vec<SocketBytes>> {
    let mut found = Vec::new();
    if connections.is_empty() {
        return Ok(found);
    }
    let socket = connected()?;
    for connection in connections {
        let id = SocketId {
            source_address: connection.local.ip(),
            source_port: connection.local.port(),
            destination_address: connection.remote.ip(),
            destination_port: connection.remote.port(),
            cookie: connection.cookie.to_ne_bytes(),
            ..SocketId::new_v4()
        };
        socket.send(&request(id, NLM_F_REQUEST), 0)?;
        let (answer, _) = socket.recv_from_full()?;
        // An error says that there is no such connection.
        let _ = take_messages(&answer, &mut found);
    }
    Ok(found)
}

fn connected() -> io::Result<Socket> {
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.connect(&NetlinkAddress::new(0, 0))?;
    Ok(socket)
}

fn request(socket_id: SocketId, flags: u16) -> Vec<u8> {
    let request = InetRequest {
        family: if socket_id.source_address.is_ipv4() { AF_INET } else { AF_INET6 },
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        // The others have carried nothing, or have forgotten it.
        states: StateFlags::all()
            .difference(StateFlags::LISTEN | StateFlags::SYN_RECV | StateFlags::TIME_WAIT),
        socket_id,
    };
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Adds the connections of one answer; true when it was the last.
fn take_messages(mut answer: &[u8], found: &mut Vec<SocketBytes>) -> io::Result<bool> {
    while !answer.is_empty() {
        let message =
            NetlinkMessage::<SockDiagMessage>::deserialize(answer).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                found.extend(counted(&response)?);
            }
            _ => {}
        }
        // Each message begins at a multiple of four bytes.
        let length = (message.header.length as usize).next_multiple_of(4).max(4);
        answer = answer.get(length..).unwrap_or_default();
    }
    Ok(false)
}

/// None for a connection that the kernel has just forgotten.
fn counted(response: &InetResponse) -> io::Result<Option<SocketBytes>> {
    let info = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(info) => Some(info.as_slice()),
        _ => None,
    });
    let Some(info) = info else { return Ok(None) };
    let needed = |value: Option<u64>| {
        value.ok_or_else(|| io::Error::other("this kernel does not count a connection's bytes"))
    };
    let id = &response.header.socket_id;
    Ok(Some(SocketBytes {
        inode: u64::from(response.header.inode),
        cookie: u64::from_ne_bytes(id.cookie),
        local: SocketAddr::new(id.source_address, id.source_port),
        remote: SocketAddr::new(id.destination_address, id.destination_port),
        received_bytes: needed(number64(info, offset::BYTES_RECEIVED))?,
        sent_bytes: needed(sent_bytes(info))?,
        sent_again_bytes: number64(info, offset::BYTES_SENT_AGAIN).unwrap_or(0),
        received_segments: needed(number32(info, offset::SEGMENTS_IN))?,
        sent_segments: needed(number32(info, offset::SEGMENTS_OUT))?,
    }))
}

/// Bytes sent, each once. Before Linux 4.19 only those whose receipt the other
/// end has confirmed are counted, and the beginning of the connection as one.
fn sent_bytes(info: &[u8]) -> Option<u64> {
    match (number64(info, offset::BYTES_SENT), number64(info, offset::BYTES_SENT_AGAIN)) {
        (Some(sent), Some(again)) => Some(sent.saturating_sub(again)),
        _ => number64(info, offset::BYTES_ACKED),
    }
}

fn number64(info: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?))
}

fn number32(info: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_ne_bytes(info.get(at..at + 4)?.try_into().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// Both ends of a connection, and what a listing says of the first.
    fn connection() -> (TcpStream, TcpStream, SocketBytes) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let local = near.local_addr().unwrap();
        let listed = all_connections().unwrap();
        let [seen] = listed.iter().filter(|one| one.local == local).collect::<Vec<_>>()[..] else {
            panic!("{local} is not listed once: {listed:?}");
        };
        (near, far, seen.clone())
    }

    #[test]
    fn a_connection_asked_for_by_itself_answers_what_it_carried_since() {
        let (mut near, mut far, before) = connection();
        near.write_all(&[1; 1000]).unwrap();
        far.read_exact(&mut [0; 1000]).unwrap();
        far.write_all(&[1; 70]).unwrap();
        near.read_exact(&mut [0; 70]).unwrap();
        let now = each_again(&[&before]).unwrap();
        assert_eq!(now.len(), 1);
        assert_eq!((now[0].sent_bytes, now[0].received_bytes), (1000, 70));
        assert_eq!((now[0].inode, now[0].cookie), (before.inode, before.cookie));
    }

    #[test]
    fn a_connection_that_is_gone_answers_nothing_and_keeps_no_other_from_answering() {
        let (_near, _far, living) = connection();
        let (near, far, gone) = connection();
        drop((near, far));
        // The same addresses, but another connection.
        let other = SocketBytes { cookie: living.cookie + 1_000_000, ..living.clone() };
        let now = each_again(&[&gone, &other, &living]).unwrap();
        let cookies: Vec<u64> = now.iter().map(|one| one.cookie).collect();
        assert!(cookies.contains(&living.cookie) && !cookies.contains(&other.cookie));
    }
}
