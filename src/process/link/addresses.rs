//! The two ends of a link, and the addresses that datagrams carry inside them.
//!
//! Each side sees itself at 127.0.0.1 and the other at [`FAR`], so that everything that is
//! bound to loopback stays there. What datagrams say of addresses is changed to fit.

use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) use crate::process::isolation::FAR;
use crate::{channel_access, pv_access};

/// Where each side is, as itself sees it.
pub(super) const NEAR: Ipv4Addr = Ipv4Addr::LOCALHOST;

/// Has answers to the searches of a datagram go to this socket of the link.
pub(super) fn answer_through(datagram: &mut [u8], link: SocketAddrV4) -> bool {
    is_pv_access(datagram)
        && pv_access::replace_reply_address(datagram, None, (*link.ip(), Some(link.port())))
}

/// Has answers to the searches of a datagram go to the other side, where they would go to the
/// client's own address.
pub(super) fn answer_far(datagram: &mut [u8]) -> bool {
    is_pv_access(datagram) && pv_access::replace_reply_address(datagram, Some(NEAR), (FAR, None))
}

/// Has a server that names its own address be named at `far`.
pub(super) fn name_server_as(datagram: &mut [u8], far: Ipv4Addr) -> bool {
    match is_pv_access(datagram) {
        true => pv_access::replace_server_address(datagram, NEAR, far),
        false => channel_access::replace_server_address(datagram, NEAR, far),
    }
}

fn is_pv_access(datagram: &[u8]) -> bool {
    // No message of Channel Access begins so.
    datagram.first() == Some(&pv_access::MAGIC)
}
