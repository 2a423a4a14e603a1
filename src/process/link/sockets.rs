//! Options of the link's sockets.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// The receive buffer asked for, of which the system gives what it allows.
const RECEIVE_BUFFER_BYTES: libc::c_int = 16 << 20;

/// A larger buffer loses less while the machine is busy.
pub(super) fn ask_for_room(socket: &UdpSocket) {
    let bytes = RECEIVE_BUFFER_BYTES;
    // SAFETY: the option is an int, of which address and size are given; the system
    // does not keep the pointer.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        );
    }
}
