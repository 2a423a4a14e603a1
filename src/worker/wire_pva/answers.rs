//! What servers say, but for frames.

use std::time::Duration;

use super::operations::Kind;
use super::{Peer, Pipeline, PvAccess, Session};
use crate::pv_access::{
    self, Answer, CMD_CONNECTION_VALIDATED, CMD_CONNECTION_VALIDATION, CMD_CREATE_CHANNEL,
    CMD_DESTROY_CHANNEL, CMD_GET, CMD_MONITOR, CMD_PUT, CMD_SEARCH_RESPONSE, Header, Reader,
    SUBCOMMAND_DESTROY, Segment, Trouble,
};
use crate::worker::client::StageError;
use crate::worker::floor::{self, ChannelState, Piece};
use crate::worker::updates::{Arrived, Update};

/// Codes that name types in descriptions.
const NAMES_OF_TYPES: [u8; 2] = [0xfd, 0xfe];

/// Takes a message, or a part of one.
pub(super) fn take<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    piece: &Piece<'_, Header>,
    deadline: Duration,
) -> Result<(), StageError> {
    if piece.is_whole() && piece.header.segment == Segment::Whole {
        return take_message(session, circuit, &piece.header, piece.bytes, deadline);
    }
    let assembled = session.parts(circuit).0.assembly.add(piece);
    match assembled.map_err(|why| wrong(session, circuit, &why))? {
        None => Ok(()),
        Some(payload) => take_message(session, circuit, &piece.header, &payload, deadline),
    }
}

/// The answer of a server is not of the protocol, or not what this client knows.
pub(super) fn wrong<P: Pipeline>(session: &Session<P>, circuit: usize, why: &str) -> StageError {
    StageError(format!("{}: {why}", session.server(circuit)))
}

fn take_message<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    header: &Header,
    payload: &[u8],
    deadline: Duration,
) -> Result<(), StageError> {
    let reader = &mut Reader::new(payload, header.is_big_endian);
    let taken = match header.command {
        CMD_GET | CMD_PUT | CMD_MONITOR => take_operation(session, circuit, reader, payload),
        CMD_CREATE_CHANNEL => take_channel(session, circuit, reader),
        CMD_SEARCH_RESPONSE => return take_found(session, circuit, reader, deadline),
        CMD_DESTROY_CHANNEL => return take_channel_away(session, circuit, reader),
        CMD_CONNECTION_VALIDATION => validate(session, circuit, reader),
        CMD_CONNECTION_VALIDATED => take_validated(session, circuit, reader),
        // Messages for logs, echoes and what is newer than this client need no answer.
        _ => Ok(()),
    };
    taken.map_err(|trouble| wrong(session, circuit, &trouble.in_words()))
}

fn validate<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    reader: &mut Reader<'_>,
) -> Result<(), Trouble> {
    let offered = pv_access::decode_validation(reader)?;
    let (peer, output, _) = session.parts(circuit);
    let (user, host) = (floor::user_name(), floor::host_name());
    pv_access::encode_validation(output, peer.is_big_endian, &offered, &user, &host)
        .map_err(Trouble::Bad)
}

fn take_validated<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    reader: &mut Reader<'_>,
) -> Result<(), Trouble> {
    reader.status()?.map_err(|why| Trouble::Bad(format!("it refuses this client: {why}")))?;
    session.parts(circuit).0.is_ready = true;
    session.circuit_is_ready(circuit);
    Ok(())
}

fn take_channel<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    reader: &mut Reader<'_>,
) -> Result<(), Trouble> {
    let (pv, sid) = (reader.u32()?, reader.u32()?);
    let state = match reader.status()? {
        Ok(()) => ChannelState::Connected,
        Err(_) => ChannelState::Refused,
    };
    session.settle(circuit, pv, state, sid);
    Ok(())
}

fn take_channel_away<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    reader: &mut Reader<'_>,
) -> Result<(), StageError> {
    let pv = reader.u32().and_then(|_| reader.u32());
    let pv = pv.map_err(|trouble| wrong(session, circuit, &trouble.in_words()))?;
    session.channel_is_lost(circuit, pv)
}

fn take_found<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    reader: &mut Reader<'_>,
    deadline: Duration,
) -> Result<(), StageError> {
    let sender = *session.server(circuit).ip();
    let answer = session.protocol.asked.answer(reader, sender);
    let (found, denied, server) =
        answer.map_err(|trouble| wrong(session, circuit, &trouble.in_words()))?;
    for pv in found {
        session.found_by_name_server(circuit, pv, server, deadline)?;
    }
    denied.into_iter().for_each(|pv| session.denied_by_name_server(pv));
    Ok(())
}

fn take_operation<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    reader: &mut Reader<'_>,
    payload: &[u8],
) -> Result<(), Trouble> {
    let arrived = Arrived::now();
    let answer = Answer::read(reader)?;
    let (kind, of) = session.protocol.operations.kind(answer.ioid);
    if answer.is_init() {
        return take_init(session, circuit, (kind, of), reader, payload);
    }
    match kind {
        Kind::Monitor => take_update(session, circuit, (of, &answer), reader, arrived),
        Kind::Get | Kind::Put => take_answer(session, (kind, of), reader),
    }
}

/// An operation is ready, and is begun; or it cannot be.
pub(super) fn take_init<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    (kind, of): (Kind, u32),
    reader: &mut Reader<'_>,
    payload: &[u8],
) -> Result<(), Trouble> {
    let begun = match reader.status()? {
        Err(why) => Err(why),
        Ok(()) => {
            let sid = match kind {
                Kind::Monitor => session.protocol.operations.channel(of),
                Kind::Get | Kind::Put => session.channel_number(of).unwrap_or(0),
            };
            let description = &payload[reader.at()..];
            let (peer, output, protocol) = session.parts(circuit);
            let layout = layout(protocol, peer, reader, description)?;
            layout.and_then(|layout| {
                protocol.operations.ready(kind, of, layout);
                protocol.operations.execute(kind, peer.is_big_endian, output, (of, sid))
            })
        }
    };
    let Err(why) = begun else { return Ok(()) };
    match (kind, session.protocol.operations.position(of)) {
        (Kind::Monitor, _) => Err(not_subscribed(session, of, &why)),
        (_, Some(position)) => {
            session.requests.answer(position, Err(why));
            Ok(())
        }
        (_, None) => Ok(()),
    }
}

/// The number of the layout that a server describes.
fn layout<P: Pipeline>(
    protocol: &mut PvAccess<P>,
    peer: &mut Peer,
    reader: &mut Reader<'_>,
    description: &[u8],
) -> Result<Result<u16, String>, Trouble> {
    let layouts = &mut protocol.operations.layouts;
    let order = reader.is_big_endian();
    if let Some(layout) = layouts.same_as_latest(description, order) {
        return Ok(Ok(layout));
    }
    let structure = peer.types.read(reader)?;
    // A description without these bytes names no type; with them it may.
    let names_types = description.iter().any(|byte| NAMES_OF_TYPES.contains(byte));
    Ok(layouts.add(structure, (description, order), names_types))
}

fn take_answer<P: Pipeline>(
    session: &mut Session<P>,
    (kind, pv): (Kind, u32),
    reader: &mut Reader<'_>,
) -> Result<(), Trouble> {
    let operations = &mut session.protocol.operations;
    let Some(position) = operations.position(pv) else {
        return Ok(());
    };
    let answer = match reader.status()? {
        Err(why) => Err(why),
        Ok(()) if kind == Kind::Put => Ok(f64::NAN),
        Ok(()) => match operations.layout(kind, pv) {
            None => Err("a value of a type that was not described".to_owned()),
            Some(layout) => {
                let held = &mut operations.held[pv as usize];
                let mut update = Update { number: *held, ..Update::default() };
                let read = operations.layouts.get(layout).read_scalar(reader, &mut update);
                *held = update.number;
                read.map(|()| update.number).map_err(Trouble::in_words)
            }
        },
    };
    if session.requests.are_writes() == (kind == Kind::Put) {
        session.requests.answer(position, answer);
    }
    Ok(())
}

fn take_update<P: Pipeline>(
    session: &mut Session<P>,
    circuit: usize,
    (number, answer): (u32, &Answer),
    reader: &mut Reader<'_>,
    arrived: Arrived,
) -> Result<(), Trouble> {
    check_goes_on(session, number, answer, reader)?;
    let Some((subscriptions, protocol)) = session.subscriptions() else {
        return Ok(());
    };
    let operations = &mut protocol.operations;
    let layout = operations.layout(Kind::Monitor, number);
    let (Some(layout), true) = (layout, subscriptions.is_asked(number)) else {
        return Err(Trouble::Bad("an update of no subscription".to_owned()));
    };
    let latest = &mut operations.latest[number as usize];
    operations.layouts.get(layout).read_scalar(reader, latest)?;
    subscriptions.record(number, arrived, *latest);
    count_update(session, circuit, number);
    Ok(())
}

/// Counts an update that was taken, for the server.
pub(super) fn count_update<P: Pipeline>(session: &mut Session<P>, circuit: usize, number: u32) {
    let (peer, output, protocol) = session.parts(circuit);
    protocol.operations.count_update(peer.is_big_endian, output, number);
}

/// Fails where a server says that it ends a subscription.
pub(super) fn check_goes_on<P: Pipeline>(
    session: &Session<P>,
    number: u32,
    answer: &Answer,
    reader: &mut Reader<'_>,
) -> Result<(), Trouble> {
    if answer.subcommand & SUBCOMMAND_DESTROY == 0 {
        return Ok(());
    }
    let why = reader.status()?.err().unwrap_or_else(|| "the server ends it".to_owned());
    Err(not_subscribed(session, number, &why))
}

/// A subscription cannot be, or is no more.
fn not_subscribed<P: Pipeline>(session: &Session<P>, number: u32, why: &str) -> Trouble {
    let pv = session.pv_of_subscription(number);
    let name = pv.map_or("no PV of this job", |pv| session.name(pv));
    Trouble::Bad(format!("the subscription to {name}: {why}"))
}
