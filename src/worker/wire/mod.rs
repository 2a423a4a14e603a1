//! The approach `wire`: the least work that the Channel Access protocol allows a
//! client; see `floor`.

mod searches;
mod updates;

use std::collections::BTreeMap;
use std::net::SocketAddrV4;
use std::time::Duration;

use self::searches::Searches;
use self::updates::Frames;
use super::ask::{ChannelAccessFloor, Questions};
use super::client::{Asker, StageError};
use super::floor::{
    self, ChannelState, Hears, Names, Piece, Protocol, Request, SilenceTimeouts, Subscription,
    Variables,
};
use super::updates::Arrived;
use crate::channel_access::{self as message, Header};
use crate::worker_protocol::Content;

/// The client.
pub(super) type Wire = floor::Session<ChannelAccess>;

type Session = Wire;

/// Channel Access.
#[derive(Default)]
pub(super) struct ChannelAccess {
    /// The command of the stage's requests, and the number of the first.
    command: u16,
    first_ioid: u32,
    /// The number of the first request of the next stage.
    next_ioid: u32,
    frames: Frames,
}

impl Protocol for ChannelAccess {
    const APPROACH: &'static str = "wire";

    fn asker() -> Option<Box<dyn Asker>> {
        Some(Box::new(Questions::<ChannelAccessFloor>::default()))
    }

    const VARIABLES: Variables = Variables {
        name_servers: "EPICS_CA_NAME_SERVERS",
        addresses: "EPICS_CA_ADDR_LIST",
        server_port: ("EPICS_CA_SERVER_PORT", 5064),
        search_port: ("EPICS_CA_SERVER_PORT", 5064),
        timeout: "EPICS_CA_CONN_TMO",
    };

    const WRITES_UNCONFIRMED: bool = true;

    const MOST_SILENT: usize = usize::MAX;

    type Datagrams = Searches;
    type Header = Header;
    type Peer = ();

    fn versions() -> BTreeMap<String, String> {
        let protocol = format!("4.{}", message::CA_MINOR_PROTOCOL_REVISION);
        BTreeMap::from([
            ("wire".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("channel-access-protocol".to_owned(), protocol),
        ])
    }

    fn new(_pvs: usize) -> ChannelAccess {
        ChannelAccess::default()
    }

    /// As libca: it asks after EPICS_CA_CONN_TMO and waits for CA_ECHO_TIMEOUT, 5 s. rsrv
    /// leaves silent clients alone.
    fn silence_timeouts(timeout: Duration) -> SilenceTimeouts {
        let gone_after = timeout + Duration::from_secs(5);
        SilenceTimeouts { keep_alive: None, ask_after: Some(timeout), gone_after }
    }

    fn datagrams(_reply_to: SocketAddrV4) -> Searches {
        Searches
    }

    fn handshake(output: &mut Vec<u8>) {
        message::encode_greeting(output, &floor::user_name(), &floor::host_name());
    }

    fn is_ready((): &()) -> bool {
        true
    }

    fn create_channel((): &mut (), output: &mut Vec<u8>, pv: u32, name: &str) {
        message::encode_create_channel(output, pv, name);
    }

    fn search(&mut self, (): &(), output: &mut Vec<u8>, pvs: &[u32], names: &Names, awaited: bool) {
        let encode =
            if awaited { message::encode_search_with_reply } else { message::encode_search };
        pvs.iter().for_each(|pv| encode(output, *pv, names.get(*pv)));
    }

    fn begin(&mut self, pvs: &[usize], are_writes: bool) {
        self.command = match are_writes {
            true => message::CA_PROTO_WRITE_NOTIFY,
            false => message::CA_PROTO_READ_NOTIFY,
        };
        self.first_ioid = self.next_ioid;
        self.next_ioid = self.first_ioid.wrapping_add(pvs.len() as u32);
    }

    fn request(
        &mut self,
        (): &mut (),
        output: &mut Vec<u8>,
        request: &Request,
    ) -> Result<(), String> {
        let ioid = self.first_ioid.wrapping_add(request.position);
        match request.value {
            None => message::encode_read(output, request.sid, ioid),
            Some(value) => message::encode_write(output, request.sid, ioid, value),
        }
        Ok(())
    }

    fn write_unconfirmed((): &(), output: &mut Vec<u8>, sid: u32, value: f64) {
        message::encode_unconfirmed_write(output, sid, value);
    }

    fn subscribe(&mut self, (): &mut (), output: &mut Vec<u8>, subscription: &Subscription) {
        let Subscription { sid, number, content } = *subscription;
        let data_type = match content {
            Content::Scalars => message::DBR_TIME_DOUBLE,
            Content::Frames => message::DBR_TIME_SHORT,
        };
        message::encode_subscribe(output, data_type, sid, number);
    }

    fn keep_alive((): &(), output: &mut Vec<u8>) {
        message::encode_echo(output);
    }

    fn forget(&mut self, _pv: u32) {}
}

impl Hears for ChannelAccess {
    fn take(
        session: &mut Session,
        circuit: usize,
        piece: &Piece<'_, Header>,
        deadline: Duration,
    ) -> Result<(), StageError> {
        let header = &piece.header;
        // Only updates are longer than the buffer.
        match header.command {
            message::CA_PROTO_EVENT_ADD => return take_update(session, circuit, piece),
            _ if !piece.is_whole() => return Err(session.too_long(circuit, piece)),
            message::CA_PROTO_READ_NOTIFY | message::CA_PROTO_WRITE_NOTIFY => {
                take_answer(session, header, piece.bytes);
            }
            message::CA_PROTO_CREATE_CHAN => {
                let (pv, sid) = (header.parameter_1, header.parameter_2);
                session.settle(circuit, pv, ChannelState::Connected, sid);
            }
            message::CA_PROTO_CREATE_CH_FAIL => {
                session.settle(circuit, header.parameter_1, ChannelState::Refused, 0);
            }
            message::CA_PROTO_SERVER_DISCONN => {
                return session.channel_is_lost(circuit, header.parameter_1);
            }
            message::CA_PROTO_SEARCH => {
                let server = searches::server(header, *session.server(circuit).ip());
                let pv = header.parameter_2;
                return session.found_by_name_server(circuit, pv, server, deadline);
            }
            message::CA_PROTO_NOT_FOUND => session.denied_by_name_server(header.parameter_2),
            message::CA_PROTO_ERROR => return take_refusal(session, circuit, piece),
            // Nothing is to be done about CA_PROTO_VERSION and CA_PROTO_ECHO, nor
            // about CA_PROTO_ACCESS_RIGHTS: where a right is missing the server
            // refuses the request.
            _ => {}
        }
        Ok(())
    }
}

impl floor::Header for Header {
    fn decode(bytes: &[u8]) -> Result<Option<(Header, usize)>, String> {
        Ok(message::decode_header(bytes).ok())
    }

    fn payload_bytes(&self) -> usize {
        self.payload_bytes as usize
    }

    fn command(&self) -> String {
        self.command.to_string()
    }
}

/// Takes an answer to a read or a write of this stage.
fn take_answer(session: &mut Session, header: &Header, payload: &[u8]) {
    let ChannelAccess { command, first_ioid, .. } = session.protocol;
    if header.command == command {
        let position = header.parameter_2.wrapping_sub(first_ioid) as usize;
        session.requests.answer(position, answer(header, payload));
    }
}

fn answer(header: &Header, payload: &[u8]) -> Result<f64, String> {
    let status = header.parameter_1;
    if status != message::ECA_NORMAL {
        return Err(message::status_in_words(status));
    }
    if header.command == message::CA_PROTO_WRITE_NOTIFY {
        return Ok(f64::NAN);
    }
    let (kind, count) = (header.data_type, header.count);
    message::decode_double(payload)
        .filter(|_| kind == message::DBR_DOUBLE && count == 1)
        .ok_or_else(|| format!("answered with type {kind}, {count} elements"))
}

/// Takes a server's word that a request failed.
fn take_refusal(
    session: &mut Session,
    circuit: usize,
    piece: &Piece<'_, Header>,
) -> Result<(), StageError> {
    let server = session.server(circuit);
    let status = message::status_in_words(piece.header.parameter_2);
    let Some((request, text)) = message::decode_error(piece.bytes) else {
        return Err(StageError(format!("{server} reports {status}")));
    };
    let why = format!("{server} reports {status}: {text}");
    let ChannelAccess { command, first_ioid, .. } = session.protocol;
    let position = request.parameter_2.wrapping_sub(first_ioid) as usize;
    if request.command == command && session.requests.answer(position, Err(why.clone())) {
        return Ok(());
    }
    if request.command == message::CA_PROTO_EVENT_ADD
        && let Some(pv) = session.pv_of_subscription(request.parameter_2)
    {
        return Err(StageError(format!("the subscription to {}: {why}", session.name(pv))));
    }
    Err(StageError(why))
}

/// Takes an update, or a part of one.
fn take_update(
    session: &mut Session,
    circuit: usize,
    piece: &Piece<'_, Header>,
) -> Result<(), StageError> {
    let arrived = Arrived::now();
    let number = piece.header.parameter_2;
    let Some((subscriptions, protocol)) = session.subscriptions() else {
        return Ok(());
    };
    let update = match subscriptions.is_asked(number) {
        true => updates::decode(subscriptions.content(number), piece, &mut protocol.frames),
        false => Err("an update of no subscription".to_owned()),
    };
    match update {
        Ok(update) if piece.is_last() => subscriptions.record(number, arrived, update),
        Ok(_) => {}
        Err(why) => return Err(session.bad_update(circuit, number, &why)),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::message::{CA_PROTO_READ_NOTIFY, CA_PROTO_WRITE_NOTIFY, DBR_DOUBLE, ECA_NORMAL};
    use super::*;

    fn answered(command: u16, status: u32, count: u16, payload: &[u8]) -> Result<f64, String> {
        let mut bytes = Vec::new();
        message::encode(&mut bytes, command, DBR_DOUBLE, count, status, 7, payload);
        let message = message::decode(&bytes).unwrap();
        answer(&message.header, message.payload)
    }

    #[test]
    fn an_answer_is_one_double_or_gives_the_reason_not() {
        let double = 1.5_f64.to_be_bytes();
        assert_eq!(answered(CA_PROTO_READ_NOTIFY, ECA_NORMAL, 1, &double), Ok(1.5));
        assert!(answered(CA_PROTO_WRITE_NOTIFY, ECA_NORMAL, 1, &[]).unwrap().is_nan());
        let refused = answered(CA_PROTO_READ_NOTIFY, 376, 1, &double).unwrap_err();
        assert_eq!(refused, "ECA_NOWTACCESS (0x178)");
        let empty = answered(CA_PROTO_READ_NOTIFY, ECA_NORMAL, 0, &[]).unwrap_err();
        assert_eq!(empty, "answered with type 6, 0 elements");
    }

    #[test]
    fn numbers_of_requests_go_on_from_stage_to_stage_across_their_end() {
        let mut protocol = ChannelAccess { next_ioid: u32::MAX, ..ChannelAccess::default() };
        protocol.begin(&[0, 1], false);
        let mut output = Vec::new();
        for position in 0..2 {
            let request = Request { pv: 0, sid: 1, position, value: None };
            protocol.request(&mut (), &mut output, &request).unwrap();
        }
        let numbers: Vec<u32> = output
            .chunks(16)
            .map(|message| message::decode(message).unwrap().header.parameter_2)
            .collect();
        assert_eq!(numbers, [u32::MAX, 0]);
        protocol.begin(&[0], true);
        assert_eq!((protocol.first_ioid, protocol.command), (1, CA_PROTO_WRITE_NOTIFY));
    }
}
