//! The floor of Channel Access answers: a circuit of its own for every question.

use std::io::{Read, Write};
use std::net::{SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::ca_data::{self, ByteOrder, Payload, encoded, types_of};
use super::questions::{self, Library, Subscription, unable_over_channel_access};
use crate::channel_access::{self as message, Header};
use crate::worker::floor::{host_name, user_name};
use crate::worker_protocol::{Ask, Detail, Fields, Form};

/// How long an answer to a search is awaited before it is repeated.
const SEARCH_AGAIN: Duration = Duration::from_millis(50);
/// The numbers of the only channel and of its only request.
const CID: u32 = 1;
const IOID: u32 = 7;
/// The port that servers have without any setting.
const CA_SERVER_PORT: u16 = 5064;
/// A status or an answer.
type Answer<T> = Result<T, String>;

/// The floor.
#[derive(Default)]
pub(in crate::worker) struct ChannelAccessFloor;

/// A subscription that runs.
pub(in crate::worker) struct Monitor {
    channel: Channel,
    form: Form,
}

impl Library for ChannelAccessFloor {
    type Subscription = Monitor;

    fn unable(ask: &Ask) -> Option<&'static str> {
        unable_over_channel_access(ask)
    }

    fn get(&mut self, ask: &Ask, end: Instant) -> questions::Answer<Fields> {
        Ok(get(ask, end)?)
    }

    fn put(&mut self, ask: &Ask, end: Instant) -> questions::Answer<()> {
        Ok(put(ask, end)?)
    }

    fn subscribe(&mut self, ask: &Ask, end: Instant) -> questions::Answer<Monitor> {
        let mut channel = Channel::open(&ask.pv, end)?;
        let types = types_of(channel.native, ask.form, Detail::Time);
        let mask = mask_of(ask.mask.as_deref())?;
        let mut payload = [0; 16];
        payload[12..14].copy_from_slice(&mask.to_be_bytes());
        let count = ask.count.unwrap_or(0) as u16;
        let mut request = Vec::new();
        let event_add = message::CA_PROTO_EVENT_ADD;
        message::encode(&mut request, event_add, types[0], count, channel.sid, IOID, &payload);
        channel.send(&request)?;
        Ok(Monitor { channel, form: ask.form })
    }
}

impl Subscription for Monitor {
    fn next(&mut self, end: Instant) -> questions::Answer<Option<Fields>> {
        let is_update = |header: &Header| {
            header.command == message::CA_PROTO_EVENT_ADD && header.parameter_2 == IOID
        };
        let Some((header, payload)) = self.channel.next(end, is_update)? else { return Ok(None) };
        check_status(header.parameter_1)?;
        Ok(Some(self.channel.fields(&header, &payload, self.form)?))
    }
}

fn get(ask: &Ask, end: Instant) -> Answer<Fields> {
    let mut channel = Channel::open(&ask.pv, end)?;
    let mut fields = Fields::new();
    for data_type in types_of(channel.native, ask.form, ask.detail) {
        let mut request = Vec::new();
        let count = ask.count.unwrap_or(0);
        let read = message::CA_PROTO_READ_NOTIFY;
        message::encode_large(&mut request, read, data_type, count, (channel.sid, IOID), &[]);
        let (header, payload) = channel.answer(&request, read, end)?;
        // Value, alarm and time are those of the first answer.
        for (name, value) in channel.fields(&header, &payload, ask.form)? {
            fields.entry(name).or_insert(value);
        }
    }
    Ok(fields)
}

fn put(ask: &Ask, end: Instant) -> Answer<()> {
    let value = ask.value.as_ref().ok_or("a put without a value")?;
    let (data_type, count, payload) = encoded(value, ask.form, ByteOrder::Network)?;
    let mut channel = Channel::open(&ask.pv, end)?;
    let mut request = Vec::new();
    let write = message::CA_PROTO_WRITE_NOTIFY;
    message::encode_large(&mut request, write, data_type, count, (channel.sid, IOID), &payload);
    channel.answer(&request, write, end).map(drop)
}

/// `DBE_…` bits by their names; value and alarm without any, as `camonitor` asks for.
pub(in crate::worker) fn mask_of(names: Option<&[String]>) -> Result<u16, String> {
    const VALUE_AND_ALARM: u16 = 1 | 4;
    let Some(names) = names else { return Ok(VALUE_AND_ALARM) };
    names.iter().try_fold(0, |mask, name| {
        Ok(mask
            | match name.as_str() {
                "value" => 1,
                "log" => 2,
                "alarm" => 4,
                "property" => 8,
                name => return Err(format!("there is no DBE_{}", name.to_uppercase())),
            })
    })
}

fn check_status(status: u32) -> Answer<()> {
    match status {
        message::ECA_NORMAL => Ok(()),
        status => Err(message::status_in_words(status)),
    }
}

/// A circuit with its only channel.
struct Channel {
    stream: TcpStream,
    buffer: Vec<u8>,
    native: u16,
    count: u32,
    sid: u32,
}

impl Channel {
    fn open(pv: &str, end: Instant) -> Answer<Channel> {
        let server = find(pv, end)?;
        let left = remaining(end)?;
        let stream = TcpStream::connect_timeout(&server.into(), left).map_err(in_words)?;
        stream.set_nodelay(true).map_err(in_words)?;
        let mut channel = Channel { stream, buffer: Vec::new(), native: 0, count: 0, sid: 0 };
        let mut greeting = Vec::new();
        message::encode_greeting(&mut greeting, &user_name(), &host_name());
        message::encode_create_channel(&mut greeting, CID, pv);
        channel.send(&greeting)?;
        let is_answer = |header: &Header| {
            let commands = [message::CA_PROTO_CREATE_CHAN, message::CA_PROTO_CREATE_CH_FAIL];
            commands.contains(&header.command)
        };
        let (header, _) = channel.next(end, is_answer)?.ok_or("no channel in time")?;
        if header.command == message::CA_PROTO_CREATE_CH_FAIL {
            return Err("the server refused the channel".to_owned());
        }
        channel.native = header.data_type;
        channel.count = header.count;
        channel.sid = header.parameter_2;
        Ok(channel)
    }

    fn send(&mut self, request: &[u8]) -> Answer<()> {
        self.stream.write_all(request).map_err(in_words)
    }

    /// Sends a request and waits for the answer to it.
    fn answer(&mut self, request: &[u8], command: u16, end: Instant) -> Answer<(Header, Vec<u8>)> {
        self.send(request)?;
        let is_answer = |header: &Header| header.command == command && header.parameter_2 == IOID;
        let (header, payload) = self.next(end, is_answer)?.ok_or("no answer in time")?;
        check_status(header.parameter_1)?;
        Ok((header, payload))
    }

    /// The next message that is `wanted`; none when the time is over.
    fn next(
        &mut self,
        end: Instant,
        wanted: impl Fn(&Header) -> bool,
    ) -> Answer<Option<(Header, Vec<u8>)>> {
        loop {
            while let Ok(found) = message::decode(&self.buffer) {
                let (header, payload) = (found.header, found.payload.to_vec());
                self.buffer.drain(..found.length);
                if wanted(&header) {
                    return Ok(Some((header, payload)));
                }
                if header.command == message::CA_PROTO_ERROR {
                    let text = message::decode_error(&payload).map(|(_, text)| text);
                    let status = message::status_in_words(header.parameter_2);
                    return Err(format!("{status}: {}", text.unwrap_or_default()));
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

    fn fields(&self, header: &Header, payload: &[u8], form: Form) -> Answer<Fields> {
        let payload = Payload {
            data_type: header.data_type,
            count: header.count as usize,
            bytes: payload,
            order: ByteOrder::Network,
        };
        ca_data::fields(payload, self.count as usize, form)
    }
}

/// Searches for a PV at the addresses of the environment.
fn find(pv: &str, end: Instant) -> Answer<SocketAddrV4> {
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(in_words)?;
    socket.set_read_timeout(Some(SEARCH_AGAIN)).map_err(in_words)?;
    let mut search = Vec::new();
    message::encode_datagram_version(&mut search, 0);
    message::encode_search(&mut search, CID, pv);
    let mut answer = [0; 1024];
    while remaining(end).is_ok() {
        for address in addresses()? {
            socket.send_to(&search, address).map_err(in_words)?;
        }
        let Ok((count, sender)) = socket.recv_from(&mut answer) else { continue };
        let mut rest = &answer[..count];
        while let Ok(found) = message::decode(rest) {
            let header = found.header;
            if let (message::CA_PROTO_SEARCH, std::net::SocketAddr::V4(sender)) =
                (header.command, sender)
            {
                return Ok(SocketAddrV4::new(*sender.ip(), header.data_type));
            }
            rest = &rest[found.length..];
        }
    }
    Err(format!("{pv}: not found"))
}

fn addresses() -> Answer<Vec<SocketAddrV4>> {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let port = variable("EPICS_CA_SERVER_PORT").parse().unwrap_or(CA_SERVER_PORT);
    let list = variable("EPICS_CA_ADDR_LIST");
    let address = |text: &str| {
        let whole = if text.contains(':') { text.to_owned() } else { format!("{text}:{port}") };
        whole.parse().map_err(|error| format!("EPICS_CA_ADDR_LIST: {text}: {error}"))
    };
    list.split_whitespace().map(address).collect()
}

pub(in crate::worker) fn remaining(end: Instant) -> Result<Duration, String> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() { Err("the time is over".to_owned()) } else { Ok(left) }
}

pub(super) fn is_timeout(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{TimedOut, WouldBlock};
    matches!(error.kind(), TimedOut | WouldBlock)
}

pub(super) fn in_words(error: std::io::Error) -> String {
    error.to_string()
}
