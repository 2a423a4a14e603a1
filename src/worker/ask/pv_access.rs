//! The floor of pvAccess answers: a circuit of its own for every question.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::channel_access::{in_words, is_timeout, remaining};
use super::pva_fields::fields_of;
use super::pva_request;
use super::pva_types::{Sent, Type, Types, encode, size};
use super::questions::{self, Library, NoAnswer, Subscription, unable_over_pv_access};
use crate::pv_access::{self as message, Header, Reader, Search, Segment, Trouble};
use crate::worker::floor::{host_name, user_name};
use crate::worker_protocol::{Ask, Fields, Value};

const SEARCH_AGAIN: Duration = Duration::from_millis(50);
/// The numbers of the only channel and of its only operation.
const CID: u32 = 1;
const IOID: u32 = 7;
/// What a put writes to.
const VALUE_ONLY: &str = "field(value)";

type Answer<T> = Result<T, String>;

/// The floor.
#[derive(Default)]
pub(in crate::worker) struct PvAccessFloor;

/// A subscription that runs.
pub(in crate::worker) struct Monitor {
    channel: Channel,
    kind: Type,
    /// The latest state of all fields.
    latest: Value,
}

impl Library for PvAccessFloor {
    type Subscription = Monitor;

    fn unable(ask: &Ask) -> Option<&'static str> {
        unable_over_pv_access(ask)
    }

    fn get(&mut self, ask: &Ask, end: Instant) -> questions::Answer<Fields> {
        Ok(get(ask, end)?)
    }

    fn put(&mut self, ask: &Ask, end: Instant) -> questions::Answer<()> {
        put(ask, end)
    }

    fn subscribe(&mut self, ask: &Ask, end: Instant) -> questions::Answer<Monitor> {
        let mut channel = Channel::open(&ask.pv, end)?;
        let kind = channel.begin(message::CMD_MONITOR, request_of(ask, ""), end)?;
        channel.operation(message::CMD_MONITOR, message::SUBCOMMAND_START)?;
        let latest = kind.default();
        Ok(Monitor { channel, kind, latest })
    }
}

impl Subscription for Monitor {
    fn next(&mut self, end: Instant) -> questions::Answer<Option<Fields>> {
        let Some(update) = self.channel.next(message::CMD_MONITOR, end)? else { return Ok(None) };
        let mut reader = update.reader();
        self.read(&mut reader).map_err(Trouble::in_words)?;
        Ok(Some(fields_of(&self.latest)))
    }
}

impl Monitor {
    fn read(&mut self, reader: &mut Reader<'_>) -> Result<(), Trouble> {
        // The number of the operation and its subcommand.
        reader.skip(1, 5)?;
        let sent = Sent::read(reader)?;
        self.kind.merge(&sent, reader, &mut self.latest)
    }
}

fn request_of<'a>(ask: &'a Ask, otherwise: &'a str) -> &'a str {
    ask.request.as_deref().unwrap_or(otherwise)
}

fn get(ask: &Ask, end: Instant) -> Answer<Fields> {
    let mut channel = Channel::open(&ask.pv, end)?;
    let kind = channel.begin(message::CMD_GET, request_of(ask, ""), end)?;
    channel.operation(message::CMD_GET, 0)?;
    let answer = channel.next(message::CMD_GET, end)?.ok_or("no answer in time")?;
    let mut reader = answer.reader();
    let mut value = kind.default();
    let read = |reader: &mut Reader<'_>| {
        let sent = Sent::read(reader)?;
        kind.merge(&sent, reader, &mut value)
    };
    answered(&mut reader, read)?;
    Ok(fields_of(&value))
}

fn put(ask: &Ask, end: Instant) -> questions::Answer<()> {
    let value = ask.value.as_ref().ok_or("a put without a value")?;
    let mut channel = Channel::open(&ask.pv, end)?;
    let kind = channel.begin(message::CMD_PUT, request_of(ask, VALUE_ONLY), end)?;
    let of_enum = kind.find(&["value", "index"]);
    if of_enum.is_some() && value.as_integer().is_none() {
        return Err(NoAnswer::Unable("pvAccess writes an enum by its index".to_owned()));
    }
    let (field, kind) = of_enum.or_else(|| kind.find(&["value"])).ok_or("no field `value`")?;
    let mut encoded = Vec::new();
    encode(kind, value, channel.is_big_endian, &mut encoded)?;
    let mut put = Vec::new();
    let is_big_endian = channel.is_big_endian;
    let mut marked = vec![0; field / 8 + 1];
    marked[field / 8] = 1 << (field % 8);
    let mut mark = Vec::new();
    size(marked.len(), is_big_endian, &mut mark);
    message::message(&mut put, is_big_endian, message::CMD_PUT, |writer| {
        writer.u32(channel.sid);
        writer.u32(IOID);
        writer.u8(0);
        writer.bytes(&mark);
        writer.bytes(&marked);
        writer.bytes(&encoded);
    });
    channel.send(&put)?;
    let answer = channel.next(message::CMD_PUT, end)?.ok_or("no answer in time")?;
    Ok(answered(&mut answer.reader(), |_| Ok(()))?)
}

/// Reads an answer's status and, where it is good, the rest.
fn answered<T>(
    reader: &mut Reader<'_>,
    rest: impl FnOnce(&mut Reader<'_>) -> Result<T, Trouble>,
) -> Answer<T> {
    reader.skip(1, 5).map_err(Trouble::in_words)?;
    reader.status().map_err(Trouble::in_words)??;
    rest(reader).map_err(Trouble::in_words)
}

/// A whole message.
struct Received {
    is_big_endian: bool,
    payload: Vec<u8>,
}

impl Received {
    fn reader(&self) -> Reader<'_> {
        Reader::new(&self.payload, self.is_big_endian)
    }
}

/// A circuit with its only channel.
struct Channel {
    stream: TcpStream,
    buffer: Vec<u8>,
    is_big_endian: bool,
    sid: u32,
    types: Types,
}

impl Channel {
    fn open(pv: &str, end: Instant) -> Answer<Channel> {
        let server = find(pv, end)?;
        let stream = TcpStream::connect_timeout(&server.into(), remaining(end)?);
        let stream = stream.map_err(in_words)?;
        stream.set_nodelay(true).map_err(in_words)?;
        let types = Types::default();
        let mut channel =
            Channel { stream, buffer: Vec::new(), is_big_endian: false, sid: 0, types };
        channel.validate(end)?;
        let mut request = Vec::new();
        message::encode_create_channel(&mut request, channel.is_big_endian, CID, pv);
        channel.send(&request)?;
        let created =
            channel.next(message::CMD_CREATE_CHANNEL, end)?.ok_or("no channel in time")?;
        let mut reader = created.reader();
        let read = |reader: &mut Reader<'_>| {
            reader.u32()?;
            Ok((reader.u32()?, reader.status()?))
        };
        let (sid, status) = read(&mut reader).map_err(Trouble::in_words)?;
        status?;
        channel.sid = sid;
        Ok(channel)
    }

    fn validate(&mut self, end: Instant) -> Answer<()> {
        let offered = self.next(message::CMD_CONNECTION_VALIDATION, end)?;
        let offered = offered.ok_or("no handshake in time")?;
        let offered =
            message::decode_validation(&mut offered.reader()).map_err(Trouble::in_words)?;
        let mut answer = Vec::new();
        let (user, host) = (user_name(), host_name());
        message::encode_validation(&mut answer, self.is_big_endian, &offered, &user, &host)?;
        self.send(&answer)?;
        let validated = self.next(message::CMD_CONNECTION_VALIDATED, end)?;
        let validated = validated.ok_or("not accepted in time")?;
        validated.reader().status().map_err(Trouble::in_words)?
    }

    /// Makes an operation ready; returns its type.
    fn begin(&mut self, command: u8, request: &str, end: Instant) -> Answer<Type> {
        let request = pva_request::encoded(request, self.is_big_endian)?;
        let mut output = Vec::new();
        let ids = (self.sid, IOID);
        message::encode_operation_init(
            &mut output,
            self.is_big_endian,
            command,
            ids,
            &request,
            None,
        );
        self.send(&output)?;
        let ready = self.next(command, end)?.ok_or("no answer in time")?;
        let types = &mut self.types;
        let kind = answered(&mut ready.reader(), |reader| types.read(reader))?;
        kind.ok_or_else(|| "an operation without a type".to_owned())
    }

    fn operation(&mut self, command: u8, subcommand: u8) -> Answer<()> {
        let mut output = Vec::new();
        let ids = (self.sid, IOID);
        message::encode_operation(&mut output, self.is_big_endian, command, ids, subcommand);
        self.send(&output)
    }

    fn send(&mut self, request: &[u8]) -> Answer<()> {
        self.stream.write_all(request).map_err(in_words)
    }

    /// The next whole message of this command; none when the time is over.
    fn next(&mut self, command: u8, end: Instant) -> Answer<Option<Received>> {
        let mut whole = Vec::new();
        loop {
            while let Some((header, payload)) = self.taken()? {
                if header.is_control {
                    if header.command == message::CTRL_SET_BYTE_ORDER {
                        self.is_big_endian = header.is_big_endian;
                    }
                } else if header.command == command {
                    whole.extend(payload);
                    if matches!(header.segment, Segment::Whole | Segment::Last) {
                        let is_big_endian = header.is_big_endian;
                        return Ok(Some(Received { is_big_endian, payload: whole }));
                    }
                } else if header.command == message::CMD_DESTROY_CHANNEL {
                    return Err("the server took the channel away".to_owned());
                }
            }
            let Ok(left) = remaining(end) else { return Ok(None) };
            self.stream.set_read_timeout(Some(left)).map_err(in_words)?;
            let mut piece = [0; 65_536];
            match self.stream.read(&mut piece) {
                Ok(0) => return Err("the server closed the circuit".to_owned()),
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
                Err(error) if is_timeout(&error) => return Ok(None),
                Err(error) => return Err(in_words(error)),
            }
        }
    }

    /// The first segment in the buffer, if it is whole.
    fn taken(&mut self) -> Answer<Option<(Header, Vec<u8>)>> {
        let Some(header) = Header::decode(&self.buffer)? else { return Ok(None) };
        let length = message::HEADER_BYTES + header.payload_bytes();
        if self.buffer.len() < length {
            return Ok(None);
        }
        let payload = self.buffer[message::HEADER_BYTES..length].to_vec();
        self.buffer.drain(..length);
        Ok(Some((header, payload)))
    }
}

/// Searches for a PV at the addresses of the environment.
fn find(pv: &str, end: Instant) -> Answer<SocketAddrV4> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(in_words)?;
    socket.set_read_timeout(Some(SEARCH_AGAIN)).map_err(in_words)?;
    let port = socket.local_addr().map_err(in_words)?.port();
    let reply_to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let mut datagram = Vec::new();
    let search = Search::begin(&mut datagram, false, 1, Some(reply_to), false);
    Search::add(&mut datagram, false, CID, pv);
    search.end(&mut datagram, false, 1);
    let list = std::env::var("EPICS_PVA_ADDR_LIST").unwrap_or_default();
    let mut answer = [0; 1024];
    while remaining(end).is_ok() {
        for address in list.split_whitespace() {
            socket.send_to(&datagram, address).map_err(in_words)?;
        }
        let Ok((count, SocketAddr::V4(sender))) = socket.recv_from(&mut answer) else { continue };
        if let Some(server) = server_in(&answer[..count], *sender.ip()) {
            return Ok(server);
        }
    }
    Err(format!("{pv}: not found"))
}

fn server_in(datagram: &[u8], sender: Ipv4Addr) -> Option<SocketAddrV4> {
    let header = Header::decode(datagram).ok()??;
    if header.command != message::CMD_SEARCH_RESPONSE {
        return None;
    }
    let mut reader = Reader::new(&datagram[message::HEADER_BYTES..], header.is_big_endian);
    let found = message::decode_found(&mut reader, sender).ok()?;
    found.cids.contains(&CID).then_some(found.server)
}
