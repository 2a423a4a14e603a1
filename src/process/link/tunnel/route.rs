//! The route to the other side: by a message to the kernel, since only that says which own
//! address its packets carry.
//!
//! An address of the device itself would do the same, but then two devices had 127.0.0.1, and
//! a server that looks for the device of an address (pvxs, for multicasts) may take the wrong
//! one.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Bytes of a message's header, and of the header of a route.
const HEADER_BYTES: usize = 16;
const ROUTE_BYTES: usize = 12;

/// Sends packets for `to` to the device of this index, from the address `from`.
pub(super) fn add(to: Ipv4Addr, device: u32, from: Ipv4Addr) -> io::Result<()> {
    let socket = netlink()?;
    let message = message(to, device, from);
    // SAFETY: the pointer and the length are those of the message.
    let sent = unsafe { libc::send(socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    if sent == -1 {
        return Err(io::Error::last_os_error());
    }
    let mut answer = [0_u8; 256];
    // SAFETY: the pointer and the length are those of the buffer.
    let length =
        unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    match usize::try_from(length) {
        Ok(length) => accepted(&answer[..length]),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

fn netlink() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) };
    match socket {
        -1 => Err(io::Error::last_os_error()),
        // SAFETY: it was just opened, and nothing else has it.
        socket => Ok(unsafe { OwnedFd::from_raw_fd(socket) }),
    }
}

/// `RTM_NEWROUTE` with three attributes.
fn message(to: Ipv4Addr, device: u32, from: Ipv4Addr) -> Vec<u8> {
    const WHOLE_ADDRESS: u8 = 32;
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_CREATE | libc::NLM_F_ACK;
    let mut message = vec![0; 4];
    message.extend_from_slice(&libc::RTM_NEWROUTE.to_ne_bytes());
    message.extend_from_slice(&(flags as u16).to_ne_bytes());
    message.resize(HEADER_BYTES, 0);
    message.extend_from_slice(&[libc::AF_INET as u8, WHOLE_ADDRESS, 0, 0]);
    message.extend_from_slice(&[libc::RT_TABLE_MAIN, libc::RTPROT_STATIC]);
    message.extend_from_slice(&[libc::RT_SCOPE_LINK, libc::RTN_UNICAST]);
    message.resize(HEADER_BYTES + ROUTE_BYTES, 0);
    for (kind, value) in [
        (libc::RTA_DST, to.octets()),
        (libc::RTA_OIF, device.to_ne_bytes()),
        (libc::RTA_PREFSRC, from.octets()),
    ] {
        message.extend_from_slice(&8_u16.to_ne_bytes());
        message.extend_from_slice(&kind.to_ne_bytes());
        message.extend_from_slice(&value);
    }
    let length = (message.len() as u32).to_ne_bytes();
    message[..4].copy_from_slice(&length);
    message
}

/// Reads the kernel's answer: an error number, of which 0 is none.
fn accepted(answer: &[u8]) -> io::Result<()> {
    let number = answer.get(HEADER_BYTES..).and_then(|rest| rest.first_chunk::<4>());
    match number.map(|number| i32::from_ne_bytes(*number)) {
        Some(0) => Ok(()),
        Some(number) => Err(io::Error::from_raw_os_error(-number)),
        None => Err(io::Error::other("the kernel answered a route with too little")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_these_bytes() {
        let message = message(Ipv4Addr::new(127, 0, 0, 2), 7, Ipv4Addr::LOCALHOST);
        assert_eq!(message.len(), 52);
        assert_eq!(message[..4], 52_u32.to_ne_bytes());
        assert_eq!(message[16..24], [2, 32, 0, 0, 254, 4, 253, 1]);
        assert_eq!(message[32..36], [127, 0, 0, 2]);
        assert_eq!(message[40..44], 7_u32.to_ne_bytes());
        assert_eq!(message[48..52], [127, 0, 0, 1]);
    }

    #[test]
    fn an_answer_is_an_error_number() {
        let answer = |number: i32| [&[0; HEADER_BYTES][..], &number.to_ne_bytes()].concat();
        assert!(accepted(&answer(0)).is_ok());
        let error = accepted(&answer(-libc::EPERM)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        assert!(accepted(&[0; 4]).is_err());
    }
}
