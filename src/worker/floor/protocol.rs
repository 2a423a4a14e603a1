//! What the floor must know of a protocol.

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use super::address::Variables;
use super::names::Names;
use super::search::Datagrams;
use crate::worker::client::Asker;
use crate::worker_protocol::Content;

/// A protocol: how it says things. What it makes of what it hears is [`super::Hears`].
pub(in crate::worker) trait Protocol: Sized {
    /// The name of the floor over it in the catalogue.
    const APPROACH: &'static str;

    /// What answers typed questions for it.
    fn asker() -> Option<Box<dyn Asker>> {
        None
    }

    /// The variables that say where to search.
    const VARIABLES: Variables;

    /// Whether it has a write that the server does not confirm.
    const WRITES_UNCONFIRMED: bool;

    /// How many subscriptions may await their first update at a time.
    const MOST_SILENT: usize;

    /// Its searches in datagrams.
    type Datagrams: Datagrams;

    /// What every message on a circuit begins with.
    type Header: Header;

    /// What is known of the server of one circuit.
    type Peer;

    /// Versions of everything below the floor.
    fn versions() -> BTreeMap<String, String>;

    /// What is kept of a job of `pvs` PVs.
    fn new(pvs: usize) -> Self;

    /// When a circuit that brings nothing is given up, as the protocol's own library does
    /// it whose time for that is `timeout`.
    fn silence_timeouts(timeout: Duration) -> SilenceTimeouts;

    /// Searches whose answers come to this UDP port.
    fn datagrams(reply_to: SocketAddrV4) -> Self::Datagrams;

    /// Begins a circuit.
    fn handshake(output: &mut Vec<u8>) -> Self::Peer;

    /// Whether the server may be asked for anything: what is not sent to one that is not
    /// ready is sent when it is.
    fn is_ready(peer: &Self::Peer) -> bool;

    /// Asks for the channel of a PV.
    fn create_channel(peer: &mut Self::Peer, output: &mut Vec<u8>, pv: u32, name: &str);

    /// Asks a name server for PVs; what is `awaited` is to be denied where it is not known.
    fn search(
        &mut self,
        peer: &Self::Peer,
        output: &mut Vec<u8>,
        pvs: &[u32],
        names: &Names,
        awaited: bool,
    );

    /// Numbers the requests of a stage.
    fn begin(&mut self, pvs: &[usize], are_writes: bool);

    /// Asks for a value, or to write one.
    ///
    /// # Errors
    /// When it is known that the PV cannot be written so.
    fn request(
        &mut self,
        peer: &mut Self::Peer,
        output: &mut Vec<u8>,
        request: &Request,
    ) -> Result<(), String>;

    /// Writes a value that the server does not confirm, where there is such a write.
    fn write_unconfirmed(peer: &Self::Peer, output: &mut Vec<u8>, sid: u32, value: f64);

    /// Subscribes to a PV.
    fn subscribe(
        &mut self,
        peer: &mut Self::Peer,
        output: &mut Vec<u8>,
        subscription: &Subscription,
    );

    /// Says that this client is there, and asks the server whether it is.
    fn keep_alive(peer: &Self::Peer, output: &mut Vec<u8>);

    /// What a server has of a PV is gone with its channel.
    fn forget(&mut self, pv: u32);
}

/// How long a circuit may bring nothing.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) struct SilenceTimeouts {
    /// How often a circuit must be heard of, if nothing else is sent.
    pub(in crate::worker) keep_alive: Option<Duration>,
    /// After this the server is asked whether it is there.
    pub(in crate::worker) ask_after: Option<Duration>,
    /// After this the circuit is given up.
    pub(in crate::worker) gone_after: Duration,
}

/// A request for one PV.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) struct Request {
    /// The PV.
    pub(in crate::worker) pv: u32,
    /// The server's number of its channel.
    pub(in crate::worker) sid: u32,
    /// Its place in the stage.
    pub(in crate::worker) position: u32,
    /// What is to be written; none to read.
    pub(in crate::worker) value: Option<f64>,
}

/// One subscription to one PV.
#[derive(Debug, Clone, Copy)]
pub(in crate::worker) struct Subscription {
    /// The server's number of its channel.
    pub(in crate::worker) sid: u32,
    /// Its number among the subscriptions of the job.
    pub(in crate::worker) number: u32,
    /// What its updates hold.
    pub(in crate::worker) content: Content,
}

/// What a message begins with.
pub(in crate::worker) trait Header: Copy {
    /// The header at the beginning of `bytes` and its length; none while bytes are
    /// missing.
    ///
    /// # Errors
    /// When no message begins so.
    fn decode(bytes: &[u8]) -> Result<Option<(Self, usize)>, String>;

    /// How many bytes follow it.
    fn payload_bytes(&self) -> usize;

    /// The message in words, for errors.
    fn command(&self) -> String;
}
