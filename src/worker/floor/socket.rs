//! What the standard library cannot do with sockets: wait for several of them,
//! and set the size of a receive buffer.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Sockets to wait for.
#[derive(Default)]
pub(super) struct Waiting {
    sockets: Vec<libc::pollfd>,
    tokens: Vec<usize>,
}

impl Waiting {
    /// Forgets all sockets.
    pub(super) fn clear(&mut self) {
        self.sockets.clear();
        self.tokens.clear();
    }

    /// Adds a socket to wait for until it can be read, or written too if
    /// `for_writing`. Places are numbered from 0; `token` is the caller's number.
    pub(super) fn add(&mut self, socket: &impl AsRawFd, for_writing: bool, token: usize) {
        let events = if for_writing { libc::POLLIN | libc::POLLOUT } else { libc::POLLIN };
        self.sockets.push(libc::pollfd { fd: socket.as_raw_fd(), events, revents: 0 });
        self.tokens.push(token);
    }

    /// How many sockets are waited for.
    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// The number that the caller gave the socket at `place`.
    pub(super) fn token(&self, place: usize) -> usize {
        self.tokens[place]
    }

    /// Blocks until a socket is ready, at most for `timeout`, rounded up to a
    /// millisecond.
    ///
    /// # Errors
    /// When the system refuses to wait.
    pub(super) fn wait(&mut self, timeout: Duration) -> io::Result<()> {
        let milliseconds = timeout.as_nanos().div_ceil(1_000_000);
        let milliseconds = libc::c_int::try_from(milliseconds).unwrap_or(libc::c_int::MAX);
        let sockets = self.sockets.as_mut_ptr();
        let count = self.sockets.len() as libc::nfds_t;
        // SAFETY: `sockets` points to `count` initialised entries that nothing
        // else uses during the call.
        let ready = unsafe { libc::poll(sockets, count, milliseconds) };
        if ready >= 0 {
            return Ok(());
        }
        for socket in &mut self.sockets {
            socket.revents = 0;
        }
        match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            error => Err(error),
        }
    }

    /// Whether the socket at `place` can be read, or has failed.
    pub(super) fn is_readable(&self, place: usize) -> bool {
        self.sockets[place].revents & !libc::POLLOUT != 0
    }

    /// Whether nothing is to be done for any socket.
    pub(super) fn is_quiet(&self) -> bool {
        self.sockets.iter().all(|socket| socket.revents == 0)
    }

    /// Whether the socket at `place` can be written.
    pub(super) fn is_writable(&self, place: usize) -> bool {
        self.sockets[place].revents & libc::POLLOUT != 0
    }
}

/// Asks for a receive buffer of `bytes`; the system may give more or less.
///
/// # Errors
/// When the system refuses.
pub(super) fn set_receive_buffer(socket: &impl AsRawFd, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // SAFETY: the option's value is the int that `bytes` is, and the call does
    // not keep the pointer.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVBUF,
            (&raw const bytes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn only_the_socket_with_data_is_readable() {
        let quiet = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sent_to = UdpSocket::bind("127.0.0.1:0").unwrap();
        quiet.send_to(b"x", sent_to.local_addr().unwrap()).unwrap();
        let mut waiting = Waiting::default();
        waiting.add(&quiet, false, 0);
        waiting.add(&sent_to, true, 1);
        waiting.wait(Duration::from_secs(5)).unwrap();
        assert!(!waiting.is_readable(0) && !waiting.is_writable(0));
        assert!(waiting.is_readable(1) && waiting.is_writable(1));
        assert!(!waiting.is_quiet());
    }

    #[test]
    fn a_wait_ends_by_itself() {
        let quiet = UdpSocket::bind("127.0.0.1:0").unwrap();
        set_receive_buffer(&quiet, 1).unwrap();
        let mut waiting = Waiting::default();
        waiting.add(&quiet, false, 0);
        waiting.wait(Duration::from_millis(1)).unwrap();
        assert!(!waiting.is_readable(0) && waiting.is_quiet());
    }
}
