//! All TCP connections of this network namespace with the kernel's counters,
//! over netlink (`man 7 sock_diag`, as `ss -i` does it).

use std::io;
use std::net::SocketAddr;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, TCP_FIN_WAIT2, TCP_SYN_RECV, TCP_TIME_WAIT,
};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};
use netlink_sys::{Socket, SocketAddr as NetlinkAddress, protocols::NETLINK_SOCK_DIAG};

use super::{NetworkError, SocketBytes};

/// A connection that is being made, in `linux/tcp.h`.
const TCP_NEW_SYN_RECV: u8 = 12;

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

/// Dumps that are begun anew because the kernel's table changed under them.
const ATTEMPTS: usize = 50;

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
        found.extend(whole_dump(|| dump(any.clone()))?);
    }
    Ok(found)
}

/// A dump during which the kernel's table changed may lack connections.
fn whole_dump(mut dump: impl FnMut() -> io::Result<Reply>) -> io::Result<Vec<SocketBytes>> {
    for _ in 0..ATTEMPTS {
        let reply = dump()?;
        if !reply.is_inconsistent {
            return Ok(reply.found);
        }
    }
    Err(io::Error::other(format!("its table changed during each of {ATTEMPTS} readings")))
}

fn dump(any: SocketId) -> io::Result<Reply> {
    let number = 1;
    let socket = connected()?;
    socket.send(&request(any, NLM_F_REQUEST | NLM_F_DUMP, number), 0)?;
    let mut reply = Reply::default();
    while !reply.is_complete {
        let (answer, _) = socket.recv_from_full()?;
        reply.take(&answer, number)?;
    }
    Ok(reply)
}

fn ask_for_each(connections: &[&SocketBytes]) -> io::Result<Vec<SocketBytes>> {
    let mut found = Vec::new();
    if connections.is_empty() {
        return Ok(found);
    }
    let socket = connected()?;
    for (connection, number) in connections.iter().zip(1..) {
        let id = SocketId {
            source_address: connection.local.ip(),
            source_port: connection.local.port(),
            destination_address: connection.remote.ip(),
            destination_port: connection.remote.port(),
            cookie: connection.cookie.to_ne_bytes(),
            ..SocketId::new_v4()
        };
        socket.send(&request(id, NLM_F_REQUEST, number), 0)?;
        let (answer, _) = socket.recv_from_full()?;
        let mut reply = Reply::default();
        match reply.take(&answer, number) {
            Ok(()) => found.append(&mut reply.found),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The kernel knows no connection with these addresses, or another one that has them now.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ESTALE))
}

fn connected() -> io::Result<Socket> {
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.connect(&NetlinkAddress::new(0, 0))?;
    Ok(socket)
}

fn request(socket_id: SocketId, flags: u16, number: u32) -> Vec<u8> {
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
    header.sequence_number = number;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// What the kernel answered to one request.
#[derive(Debug, Default)]
struct Reply {
    found: Vec<SocketBytes>,
    /// Whether the last message of a dump has come.
    is_complete: bool,
    /// Whether the kernel's table changed during the dump.
    is_inconsistent: bool,
}

impl Reply {
    /// Takes the messages of one datagram, which must answer the request `number`.
    fn take(&mut self, mut answer: &[u8], number: u32) -> io::Result<()> {
        while !answer.is_empty() {
            let message =
                NetlinkMessage::<SockDiagMessage>::deserialize(answer).map_err(io::Error::other)?;
            let header = message.header;
            if header.sequence_number != number {
                return Err(io::Error::other(format!(
                    "it answers request {} instead of request {number}",
                    header.sequence_number
                )));
            }
            self.is_inconsistent |= header.flags & NLM_F_DUMP_INTR != 0;
            self.take_payload(message.payload)?;
            // Each message begins at a multiple of four bytes.
            let length = (header.length as usize).next_multiple_of(4).max(4);
            answer = answer.get(length..).unwrap_or_default();
        }
        Ok(())
    }

    fn take_payload(&mut self, payload: NetlinkPayload<SockDiagMessage>) -> io::Result<()> {
        match payload {
            NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => {
                self.found.extend(counted(&response)?);
            }
            NetlinkPayload::Done(done) if done.code < 0 => {
                return Err(io::Error::from_raw_os_error(-done.code));
            }
            NetlinkPayload::Done(_) => self.is_complete = true,
            NetlinkPayload::Error(error) => return Err(error.to_io()),
            NetlinkPayload::Noop => {}
            NetlinkPayload::Overrun(_) => return Err(io::Error::other("it lost messages")),
            other => return Err(io::Error::other(format!("it answers with {other:?}"))),
        }
        Ok(())
    }
}

/// None for a connection that was never established, or whose counts the kernel has
/// forgotten.
fn counted(response: &InetResponse) -> io::Result<Option<SocketBytes>> {
    let info = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(info) => Some(info.as_slice()),
        _ => None,
    });
    let Some(info) = info else {
        return match response.header.state {
            // A closed connection that waits for late segments says FIN_WAIT2 or
            // TIME_WAIT, and the kernel keeps no counts of it.
            TCP_TIME_WAIT | TCP_FIN_WAIT2 | TCP_SYN_RECV | TCP_NEW_SYN_RECV => Ok(None),
            state => Err(io::Error::other(format!("no counts of a connection in state {state}"))),
        };
    };
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
    use std::time::{Duration, Instant};

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
        let answering = || -> Vec<u64> {
            let now = each_again(&[&gone, &other, &living]).unwrap();
            now.iter().map(|one| one.cookie).collect()
        };
        // Its last segments may still be under way.
        let end = Instant::now() + Duration::from_secs(5);
        while answering().contains(&gone.cookie) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(answering(), [living.cookie]);
    }

    #[test]
    fn only_the_kernels_word_that_there_is_no_such_connection_is_no_error() {
        let failed = |number| Reply::default().take(&error_of(number), 7).unwrap_err();
        assert!(is_gone(&failed(libc::ENOENT)));
        for number in [libc::EPERM, libc::EINVAL, libc::ENOMEM] {
            let error = failed(number);
            assert_eq!(error.raw_os_error(), Some(number));
            assert!(!is_gone(&error), "{error}");
        }
        // Nobody has this one, by the kernel's own word.
        let (_near, _far, one) = connection();
        let nobody = SocketBytes { remote: "127.0.0.1:1".parse().unwrap(), ..one };
        assert_eq!(each_again(&[&nobody]).unwrap(), []);
    }

    /// The kernel's answer to request 7 that it failed with `number`.
    fn error_of(number: i32) -> Vec<u8> {
        message(2, 0, 7, &[&(-number).to_ne_bytes()[..], &[0; 16]].concat())
    }

    /// The end of a dump, with its status.
    fn done(flags: u16, status: i32) -> Vec<u8> {
        message(3, flags, 7, &status.to_ne_bytes())
    }

    fn message(kind: u16, flags: u16, number: u32, payload: &[u8]) -> Vec<u8> {
        let length = 16 + payload.len() as u32;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(payload);
        bytes
    }

    #[test]
    fn an_answer_to_another_request_is_an_error() {
        let error = Reply::default().take(&done(0, 0), 8).unwrap_err();
        assert!(error.to_string().contains("request 7 instead of request 8"), "{error}");
    }

    #[test]
    fn garbage_and_lost_messages_are_errors() {
        assert!(Reply::default().take(&[1, 2, 3], 7).is_err());
        assert!(Reply::default().take(&message(4, 0, 7, &[]), 7).is_err());
        assert!(Reply::default().take(&message(20, 0, 7, &[0; 4]), 7).is_err());
    }

    #[test]
    fn a_dump_that_ends_in_an_error_is_one() {
        let mut reply = Reply::default();
        reply.take(&done(0, 0), 7).unwrap();
        assert!(reply.is_complete && !reply.is_inconsistent);
        let error = Reply::default().take(&done(0, -libc::EINVAL), 7).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn a_dump_under_which_the_table_changed_is_repeated_and_given_up_in_the_end() {
        let interrupted = || {
            let mut reply = Reply::default();
            reply.take(&done(NLM_F_DUMP_INTR, 0), 7).unwrap();
            Ok(reply)
        };
        let mut times = 0;
        let found = whole_dump(|| {
            times += 1;
            if times < 3 { interrupted() } else { Ok(Reply::default()) }
        });
        assert_eq!((found.unwrap(), times), (Vec::new(), 3));
        let error = whole_dump(interrupted).unwrap_err();
        assert!(error.to_string().contains("changed during each of 50"), "{error}");
    }
}
