//! A Channel Access client of a few lines, which depends on no approach.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

pub(crate) const EVENT_ADD: u16 = 1;
pub(crate) const ERROR: u16 = 11;
pub(crate) const READ_NOTIFY: u16 = 15;
pub(crate) const CREATE_CHAN: u16 = 18;
pub(crate) const CREATE_CH_FAIL: u16 = 26;

pub(crate) const DBR_SHORT: u16 = 1;
pub(crate) const DBR_TIME_SHORT: u16 = 15;
pub(crate) const DBR_CTRL_DOUBLE: u16 = 34;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message from the server.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) command: u16,
    pub(crate) data_type: u16,
    pub(crate) count: u32,
    pub(crate) parameter_1: u32,
    pub(crate) parameter_2: u32,
    pub(crate) payload: Vec<u8>,
}

/// One circuit to an IOC.
pub(crate) struct Circuit {
    stream: TcpStream,
}

/// A channel on a circuit.
pub(crate) struct Channel {
    sid: u32,
    pub(crate) native_type: u16,
    pub(crate) count: u32,
}

impl Circuit {
    pub(crate) fn to(port: u16) -> Circuit {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut circuit = Circuit { stream };
        circuit.send(0, 0, 13, 0, 0, &[]);
        circuit
    }

    fn send(&mut self, command: u16, data_type: u16, count: u16, one: u32, two: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(8);
        let mut bytes = Vec::new();
        for half in [command, padded as u16, data_type, count] {
            bytes.extend_from_slice(&half.to_be_bytes());
        }
        for word in [one, two] {
            bytes.extend_from_slice(&word.to_be_bytes());
        }
        bytes.extend_from_slice(body);
        bytes.resize(16 + padded, 0);
        self.stream.write_all(&bytes).unwrap();
    }

    fn bytes(&mut self, count: usize) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn message(&mut self) -> std::io::Result<Message> {
        let header = self.bytes(16)?;
        let half = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        let (mut payload_bytes, mut count) = (u32::from(half(2)), u32::from(half(6)));
        if half(2) == 0xffff {
            let extension = self.bytes(8)?;
            (payload_bytes, count) = (word(&extension, 0), word(&extension, 4));
        }
        Ok(Message {
            command: half(0),
            data_type: half(4),
            count,
            parameter_1: word(&header, 8),
            parameter_2: word(&header, 12),
            payload: self.bytes(payload_bytes as usize)?,
        })
    }

    /// The next message that has one of these commands.
    pub(crate) fn message_of(&mut self, commands: &[u16]) -> Message {
        loop {
            let message = self.message().unwrap();
            if commands.contains(&message.command) {
                return message;
            }
        }
    }

    pub(crate) fn channel(&mut self, pv: &str) -> Option<Channel> {
        let mut name = pv.as_bytes().to_vec();
        name.push(0);
        self.send(CREATE_CHAN, 0, 0, 7, 13, &name);
        let answer = self.message_of(&[CREATE_CHAN, CREATE_CH_FAIL]);
        (answer.command == CREATE_CHAN).then_some(Channel {
            sid: answer.parameter_2,
            native_type: answer.data_type,
            count: answer.count,
        })
    }

    /// Reads all elements that the channel has; the answer may be an error.
    pub(crate) fn read(&mut self, channel: &Channel, data_type: u16) -> Message {
        self.send(READ_NOTIFY, data_type, 0, channel.sid, 1, &[]);
        self.message_of(&[READ_NOTIFY, ERROR])
    }

    /// Asks for value changes of all elements.
    pub(crate) fn subscribe(&mut self, channel: &Channel, data_type: u16, id: u32) {
        const DBE_VALUE: [u8; 2] = [0, 1];
        let mut mask = vec![0; 12];
        mask.extend_from_slice(&DBE_VALUE);
        mask.extend_from_slice(&[0, 0]);
        self.send(EVENT_ADD, data_type, 0, channel.sid, id, &mask);
    }

    /// Whether the server has nothing more to say for `quiet`.
    pub(crate) fn is_silent(&mut self, quiet: Duration) -> bool {
        self.stream.set_read_timeout(Some(quiet)).unwrap();
        let read = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        read.is_err()
    }
}

pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Unsigned pixels from `at` on.
pub(crate) fn pixels(bytes: &[u8], at: usize, count: usize) -> Vec<u16> {
    let pairs = bytes[at..at + 2 * count].chunks_exact(2);
    pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
}
