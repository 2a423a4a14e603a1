//! Options of the link's sockets.

use std::io;
use std::net::{SocketAddrV4, UdpSocket};
#[cfg(target_os = "linux")]
use std::os::fd::FromRawFd;
use std::os::fd::{AsRawFd, RawFd};

/// The receive buffer asked for, of which the system gives what it allows.
const RECEIVE_BUFFER_BYTES: libc::c_int = 16 << 20;

/// A UDP socket on an address whose port a server may have on all addresses, as pvxs does: what
/// is sent to this address comes here, where both allow it.
#[cfg(target_os = "linux")]
pub(super) fn bound_beside(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers.
    let descriptor = unsafe { libc::socket(libc::AF_INET, kind, 0) };
    if descriptor == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it was just opened, and nothing else has it.
    let socket = unsafe { UdpSocket::from_raw_fd(descriptor) };
    set(descriptor, libc::SO_REUSEADDR, 1);
    let internet = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(address.ip().octets()) },
        sin_zero: [0; 8],
    };
    let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: the pointer and the length are those of an address.
    match unsafe { libc::bind(descriptor, (&raw const internet).cast(), length) } {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A UDP socket on an address; other systems need no option for that.
#[cfg(not(target_os = "linux"))]
pub(super) fn bound_beside(address: SocketAddrV4) -> io::Result<UdpSocket> {
    UdpSocket::bind(address)
}

/// A larger buffer loses less while the machine is busy.
pub(super) fn ask_for_room(socket: &UdpSocket) {
    set(socket.as_raw_fd(), libc::SO_RCVBUF, RECEIVE_BUFFER_BYTES);
}

fn set(socket: RawFd, option: libc::c_int, value: libc::c_int) {
    // SAFETY: the option is an int, of which address and size are given; the system
    // does not keep the pointer.
    unsafe {
        libc::setsockopt(
            socket,
            libc::SOL_SOCKET,
            option,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}
