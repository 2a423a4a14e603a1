//! A link without namespaces: a relay on loopback, which has the server's ports at another
//! address.

mod connections;
mod datagrams;

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::LinkPorts;
use super::state::LinkState;

/// How often a thread that waits looks whether the relay is over.
const LOOK: Duration = Duration::from_millis(200);

/// A relay at work; its threads end some time after it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    is_over: Arc<AtomicBool>,
}

impl Relay {
    /// Carries what is sent to `ports` of `far` to those of 127.0.0.1, and back; and what the
    /// server sends to its clients' ports there to those of 127.0.0.1.
    pub(super) fn start(
        far: Ipv4Addr,
        ports: &LinkPorts,
        state: &Arc<LinkState>,
    ) -> io::Result<Relay> {
        let relay = Relay { is_over: Arc::new(AtomicBool::new(false)) };
        let of_server = |port: &u16| SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port);
        for port in &ports.server_udp {
            datagrams::carry_to_server(far, of_server(port), state, &relay.is_over)?;
        }
        for port in &ports.client_udp {
            datagrams::carry_to_clients(far, of_server(port), state, &relay.is_over)?;
        }
        for port in &ports.server_tcp {
            connections::carry(far, of_server(port), state, &relay.is_over)?;
        }
        Ok(relay)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
