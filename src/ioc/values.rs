//! The values of an IOC's records, read before it ends and written after it has started
//! again: over Channel Access, in each record's own type, so that every bit and element
//! stays. Only 64 bit integers pass through a double there.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::channel_access::{self, Message};

/// How long the IOC may take for each answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// In the access rights of a channel: it can be written.
const CA_PROTO_ACCESS_RIGHT_WRITE: u32 = 2;

/// Says what a client may do with a channel.
const CA_PROTO_ACCESS_RIGHTS: u16 = 22;

/// All elements that there are.
const ALL_ELEMENTS: u32 = 0;

/// What one record held.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    name: String,
    data_type: u16,
    count: u32,
    bytes: Vec<u8>,
}

/// Reads the values of these records. Those that have none, or cannot be written back, are
/// left out.
pub(super) fn read(port: u16, names: &[String]) -> io::Result<Vec<Held>> {
    let mut circuit = Circuit::to(port)?;
    let mut held = Vec::new();
    for name in names {
        let Some(channel) = circuit.channel(name)? else { continue };
        if !channel.is_writable {
            continue;
        }
        // An empty array is what it begins with, and cannot be written.
        if let Some((count @ 1.., bytes)) = circuit.read(&channel)? {
            held.push(Held { name: name.clone(), data_type: channel.data_type, count, bytes });
        }
    }
    Ok(held)
}

/// Writes them back, and answers with the records that did not take theirs.
pub(super) fn write(port: u16, held: &[Held]) -> io::Result<Vec<String>> {
    let mut circuit = Circuit::to(port)?;
    let mut refused = Vec::new();
    for value in held {
        let channel = circuit.channel(&value.name)?;
        let is_same = channel.as_ref().filter(|channel| channel.data_type == value.data_type);
        let taken = match is_same {
            Some(channel) => circuit.write(channel, value)?,
            None => false,
        };
        if !taken {
            refused.push(value.name.clone());
        }
    }
    Ok(refused)
}

#[derive(Debug)]
struct Channel {
    sid: u32,
    data_type: u16,
    is_writable: bool,
}

/// A circuit that asks for one thing at a time.
struct Circuit {
    stream: TcpStream,
    received: Vec<u8>,
    number: u32,
}

impl Circuit {
    fn to(port: u16) -> io::Result<Circuit> {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&server, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_nodelay(true)?;
        let mut greeting = Vec::new();
        channel_access::encode_greeting(&mut greeting, "epics-gauge", "localhost");
        stream.write_all(&greeting)?;
        Ok(Circuit { stream, received: Vec::new(), number: 0 })
    }

    /// None if there is no such record.
    fn channel(&mut self, name: &str) -> io::Result<Option<Channel>> {
        let cid = self.next_number();
        let mut request = Vec::new();
        channel_access::encode_create_channel(&mut request, cid, name);
        self.stream.write_all(&request)?;
        let mut is_writable = false;
        self.answer(|message| {
            let header = &message.header;
            let is_ours = header.parameter_1 == cid;
            match header.command {
                CA_PROTO_ACCESS_RIGHTS if is_ours => {
                    is_writable = header.parameter_2 & CA_PROTO_ACCESS_RIGHT_WRITE != 0;
                    None
                }
                channel_access::CA_PROTO_CREATE_CH_FAIL if is_ours => Some(None),
                channel_access::CA_PROTO_CREATE_CHAN if is_ours => Some(Some(Channel {
                    sid: header.parameter_2,
                    data_type: header.data_type,
                    is_writable,
                })),
                _ => None,
            }
        })
    }

    /// The elements, and how many they are; none if the record cannot be read.
    fn read(&mut self, channel: &Channel) -> io::Result<Option<(u32, Vec<u8>)>> {
        let ioid = self.next_number();
        let command = channel_access::CA_PROTO_READ_NOTIFY;
        self.ask(command, channel, ALL_ELEMENTS, ioid, &[])?;
        self.answer(|message| {
            let is_ours = message.header.command == command && message.header.parameter_2 == ioid;
            let is_good = message.header.parameter_1 == channel_access::ECA_NORMAL;
            let elements = || (message.header.count, message.payload.to_vec());
            is_ours.then(|| is_good.then(elements))
        })
    }

    /// Whether the record took the value.
    fn write(&mut self, channel: &Channel, value: &Held) -> io::Result<bool> {
        let ioid = self.next_number();
        let command = channel_access::CA_PROTO_WRITE_NOTIFY;
        self.ask(command, channel, value.count, ioid, &value.bytes)?;
        self.answer(|message| {
            let is_ours = message.header.command == command && message.header.parameter_2 == ioid;
            is_ours.then_some(message.header.parameter_1 == channel_access::ECA_NORMAL)
        })
    }

    fn ask(
        &mut self,
        command: u16,
        channel: &Channel,
        count: u32,
        ioid: u32,
        payload: &[u8],
    ) -> io::Result<()> {
        let mut request = Vec::new();
        let Channel { sid, data_type, .. } = *channel;
        channel_access::encode_large(&mut request, command, data_type, count, (sid, ioid), payload);
        self.stream.write_all(&request)
    }

    fn next_number(&mut self) -> u32 {
        self.number += 1;
        self.number
    }

    /// The first thing that `wanted` makes of a message.
    fn answer<T>(&mut self, mut wanted: impl FnMut(&Message<'_>) -> Option<T>) -> io::Result<T> {
        let mut buffer = [0; 65_536];
        loop {
            while let Ok(message) = channel_access::decode(&self.received) {
                let found = wanted(&message);
                let length = message.length;
                self.received.drain(..length);
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::ConnectionReset.into()),
                length => self.received.extend_from_slice(&buffer[..length]),
            }
        }
    }
}
