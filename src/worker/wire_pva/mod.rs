//! The approach `wire-pva`: the least work that the pvAccess protocol allows a client;
//! see `floor`.
//!
//! Channels are made in pipelined messages, each operation is made ready once for each
//! channel and used from then on, types are read from the wire and kept while they are
//! the same, and arrays are taken from the socket as they come.

mod answers;
mod assembly;
mod frames;
mod layout;
mod operations;
mod searches;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::net::SocketAddrV4;
use std::time::Duration;

use self::assembly::Assembly;
use self::frames::Incoming;
use self::operations::{Kind, Operations};
use self::searches::{Asked, Searches};
use super::ask::{PvAccessFloor, Questions};
use super::client::{Asker, StageError};
use super::floor::{
    self, Hears, Names, Piece, Protocol, Request, SilenceTimeouts, Subscription, Variables,
};
use crate::pv_access::{self, Header, Types};

/// The client.
pub(super) type WirePva = Session<Plain>;

/// The same, whose monitors are pipelined.
pub(super) type WirePvaPipeline = Session<Pipelined>;

type Session<P> = floor::Session<PvAccess<P>>;

/// pvAccess.
pub(super) struct PvAccess<P> {
    operations: Operations,
    asked: Asked,
    pipeline: PhantomData<P>,
}

/// Whether the client acknowledges updates.
pub(super) trait Pipeline {
    /// The approach's name in the catalogue.
    const APPROACH: &'static str;
    /// Whether it does.
    const IS_PIPELINED: bool;
}

/// The server sends what its queue holds.
pub(super) struct Plain;

/// The server waits for acknowledgements.
pub(super) struct Pipelined;

impl Pipeline for Plain {
    const APPROACH: &'static str = "wire-pva";
    const IS_PIPELINED: bool = false;
}

impl Pipeline for Pipelined {
    const APPROACH: &'static str = "wire-pva-pipeline";
    const IS_PIPELINED: bool = true;
}

/// What is known of a server.
#[derive(Default)]
pub(super) struct Peer {
    /// The byte order that the server wants.
    is_big_endian: bool,
    /// It has accepted this client.
    is_ready: bool,
    /// The types that it has named.
    types: Types,
    /// A message as far as it has come.
    assembly: Assembly,
    /// An update as far as it has come, where its pixels are not kept.
    incoming: Incoming,
    /// Whether the message of a monitor that came last is of frames.
    brings_frame: bool,
}

impl<P: Pipeline> Protocol for PvAccess<P> {
    const APPROACH: &'static str = P::APPROACH;

    fn asker() -> Option<Box<dyn Asker>> {
        Some(Box::new(Questions::<PvAccessFloor>::default()))
    }

    const VARIABLES: Variables = Variables {
        name_servers: "EPICS_PVA_NAME_SERVERS",
        addresses: "EPICS_PVA_ADDR_LIST",
        server_port: ("EPICS_PVA_SERVER_PORT", 5075),
        search_port: ("EPICS_PVA_BROADCAST_PORT", 5076),
        timeout: "EPICS_PVA_CONN_TMO",
    };

    const WRITES_UNCONFIRMED: bool = false;

    // pvxs 1.5.3 puts off its answer to a new subscription while twice the socket's buffer
    // waits to be sent, and then sends an error instead (`servermon.cpp`, `doReply`). The
    // answers to so many, each with a type description, stay below the smallest buffer.
    const MOST_SILENT: usize = 512;

    type Datagrams = Searches;
    type Header = Header;
    type Peer = Peer;

    fn versions() -> BTreeMap<String, String> {
        BTreeMap::from([
            (P::APPROACH.to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("pvaccess-protocol".to_owned(), pv_access::PVA_PROTOCOL_REVISION.to_string()),
        ])
    }

    fn new(pvs: usize) -> PvAccess<P> {
        PvAccess {
            operations: Operations::new(pvs, P::IS_PIPELINED),
            asked: Asked::default(),
            pipeline: PhantomData,
        }
    }

    /// As pvxs: of EPICS_PVA_CONN_TMO it makes 4/3, 40 s, after which either side leaves
    /// the other if that is silent, and it sends an echo every 15 s.
    fn silence_timeouts(timeout: Duration) -> SilenceTimeouts {
        let gone_after = timeout * 4 / 3;
        SilenceTimeouts { keep_alive: Some(gone_after * 3 / 8), ask_after: None, gone_after }
    }

    fn datagrams(reply_to: SocketAddrV4) -> Searches {
        Searches::new(reply_to)
    }

    /// The server speaks first.
    fn handshake(_output: &mut Vec<u8>) -> Peer {
        Peer::default()
    }

    fn is_ready(peer: &Peer) -> bool {
        peer.is_ready
    }

    fn create_channel(peer: &mut Peer, output: &mut Vec<u8>, pv: u32, name: &str) {
        pv_access::encode_create_channel(output, peer.is_big_endian, pv, name);
    }

    fn search(
        &mut self,
        peer: &Peer,
        output: &mut Vec<u8>,
        pvs: &[u32],
        names: &Names,
        awaited: bool,
    ) {
        self.asked.search(peer.is_big_endian, output, pvs, names, awaited);
    }

    fn begin(&mut self, pvs: &[usize], _are_writes: bool) {
        self.operations.begin(pvs);
    }

    fn request(
        &mut self,
        peer: &mut Peer,
        output: &mut Vec<u8>,
        request: &Request,
    ) -> Result<(), String> {
        let kind = if request.value.is_some() { Kind::Put } else { Kind::Get };
        self.operations.request(kind, peer.is_big_endian, output, request)
    }

    fn write_unconfirmed(_: &Peer, _: &mut Vec<u8>, _: u32, _: f64) {}

    fn subscribe(&mut self, peer: &mut Peer, output: &mut Vec<u8>, subscription: &Subscription) {
        self.operations.subscribe(peer.is_big_endian, output, subscription);
    }

    fn keep_alive(peer: &Peer, output: &mut Vec<u8>) {
        pv_access::message(output, peer.is_big_endian, pv_access::CMD_ECHO, |_| ());
    }

    fn forget(&mut self, pv: u32) {
        self.operations.forget(pv);
    }
}

impl<P: Pipeline> Hears for PvAccess<P> {
    fn take(
        session: &mut Session<P>,
        circuit: usize,
        piece: &Piece<'_, Header>,
        deadline: Duration,
    ) -> Result<(), StageError> {
        if piece.header.is_control {
            take_control(session, circuit, &piece.header);
            return Ok(());
        }
        if piece.header.command == pv_access::CMD_MONITOR
            && frames::brings_frame(session, circuit, piece)
        {
            return frames::take(session, circuit, piece);
        }
        answers::take(session, circuit, piece, deadline)
    }
}

/// What is no message of its own but about the circuit.
fn take_control<P: Pipeline>(session: &mut Session<P>, circuit: usize, header: &Header) {
    let (peer, output, _) = session.parts(circuit);
    match header.command {
        pv_access::CTRL_SET_BYTE_ORDER => peer.is_big_endian = header.is_big_endian,
        pv_access::CTRL_ECHO_REQUEST => {
            let response = pv_access::CTRL_ECHO_RESPONSE;
            pv_access::control(output, peer.is_big_endian, response, header.size);
        }
        _ => {}
    }
}

impl floor::Header for Header {
    fn decode(bytes: &[u8]) -> Result<Option<(Header, usize)>, String> {
        let header = Header::decode(bytes)?;
        Ok(header.map(|header| (header, pv_access::HEADER_BYTES)))
    }

    fn payload_bytes(&self) -> usize {
        Header::payload_bytes(self)
    }

    fn command(&self) -> String {
        self.command.to_string()
    }
}

#[cfg(test)]
mod tests;
