//! Finding out which server has a PV: over UDP, or at name servers over TCP.

mod tcp;
mod udp;

pub(super) use self::tcp::TcpLookup;
pub(super) use self::udp::UdpLookup;

/// How servers are found.
pub(super) enum Lookup<D> {
    Udp(Box<UdpLookup<D>>),
    Tcp(Box<TcpLookup>),
}
