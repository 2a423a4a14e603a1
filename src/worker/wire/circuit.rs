//! A TCP circuit to one server: bytes in and out, never blocking.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::message::{self, Message};

/// Bytes waiting to be written above which no request should be added.
const FULL_BYTES: usize = 64 * 1024;
/// No message is longer: an array of 16 million `DBR_DOUBLE`.
const LONGEST_MESSAGE_BYTES: usize = 128 << 20;
/// Bytes that a circuit reads at once.
const INPUT_BYTES: usize = 64 * 1024;

/// A circuit. Requests are put into its output, which [`Circuit::flush`] writes.
#[derive(Debug)]
pub(super) struct Circuit {
    stream: TcpStream,
    address: SocketAddrV4,
    output: Vec<u8>,
    written: usize,
    /// The system takes no bytes until the server has read some.
    is_blocked: bool,
    is_down: bool,
    input: Input,
}

impl Circuit {
    /// Connects to a server and puts the greeting into the output. Blocks at most
    /// for `timeout`.
    pub(super) fn open(
        address: SocketAddrV4,
        user: &str,
        host: &str,
        timeout: Duration,
    ) -> io::Result<Circuit> {
        let stream = TcpStream::connect_timeout(&address.into(), timeout)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut output = Vec::new();
        message::encode_greeting(&mut output, user, host);
        let input = Input::default();
        Ok(Circuit {
            stream,
            address,
            output,
            written: 0,
            is_blocked: false,
            is_down: false,
            input,
        })
    }

    /// The server.
    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// Where requests are put.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes that wait to be written.
    pub(super) fn queued_bytes(&self) -> usize {
        self.output.len() - self.written
    }

    /// Whether so much waits to be written that no request should be added.
    pub(super) fn is_full(&self) -> bool {
        self.queued_bytes() >= FULL_BYTES
    }

    /// Whether [`Circuit::flush`] must wait until the socket can be written.
    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    /// Says that the socket can be written again.
    pub(super) fn unblock(&mut self) {
        self.is_blocked = false;
    }

    /// Says that the circuit can be used no more.
    pub(super) fn down(&mut self) {
        self.is_down = true;
        self.output.clear();
        self.written = 0;
    }

    /// Whether the circuit can be used no more.
    pub(super) fn is_down(&self) -> bool {
        self.is_down
    }

    /// Writes as much of the output as the system takes now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while !self.is_blocked && self.written < self.output.len() {
            match self.stream.write(&self.output[self.written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => self.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        } else if self.written >= FULL_BYTES {
            self.output.drain(..self.written);
            self.written = 0;
        }
        Ok(())
    }

    /// Reads once what has come from the server.
    ///
    /// # Errors
    /// Those of the socket; `UnexpectedEof` when the server has closed it.
    pub(super) fn read(&mut self) -> io::Result<()> {
        self.input.read(&mut self.stream)
    }

    /// What was read: to be taken, emptied of whole messages and put back.
    pub(super) fn input(&mut self) -> &mut Input {
        &mut self.input
    }
}

impl AsRawFd for Circuit {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// Bytes of which the first messages are whole.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// How long the message at `start` is, as far as is known.
    needed: usize,
}

impl Input {
    /// Takes the next whole message off, if there is one.
    pub(super) fn next_message(&mut self) -> Option<Message<'_>> {
        match message::decode(&self.bytes[self.start..self.end]) {
            Ok(message) => {
                self.start += message.length;
                Some(message)
            }
            Err(needed) => {
                self.needed = needed;
                None
            }
        }
    }

    fn read(&mut self, stream: &mut impl Read) -> io::Result<()> {
        self.make_room()?;
        loop {
            match stream.read(&mut self.bytes[self.end..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            return Ok(());
        }
    }

    /// Moves the beginning of the next message to the front and makes room for
    /// all of it.
    fn make_room(&mut self) -> io::Result<()> {
        if self.needed > LONGEST_MESSAGE_BYTES {
            return Err(io::Error::other(format!("a message of {} bytes", self.needed)));
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let size = self.needed.max(INPUT_BYTES);
        if self.bytes.len() < size {
            self.bytes.resize(size, 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives one byte, or as many as are asked for, at each read.
    struct Stream<'a>(&'a [u8], bool);

    impl Read for Stream<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = if self.1 { 1.min(self.0.len()) } else { self.0.len().min(buffer.len()) };
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn parameters(stream: &[u8], byte_by_byte: bool) -> Vec<u32> {
        let mut stream = Stream(stream, byte_by_byte);
        let mut input = Input::default();
        let mut parameters = Vec::new();
        while input.read(&mut stream).is_ok() {
            while let Some(message) = input.next_message() {
                assert_eq!(message.payload.len(), message.header.payload_bytes as usize);
                parameters.push(message.header.parameter_2);
            }
        }
        parameters
    }

    #[test]
    fn messages_are_put_together_from_pieces() {
        let mut bytes = Vec::new();
        for ioid in 0..10_000 {
            message::encode_write(&mut bytes, 1, ioid, 2.0);
        }
        let all: Vec<u32> = (0..10_000).collect();
        assert_eq!(parameters(&bytes, false), all);
        assert_eq!(parameters(&bytes, true), all);
    }

    #[test]
    fn a_message_longer_than_the_buffer_is_read() {
        let mut bytes = b"\x00\x0f\xff\xff\x00\x06\x00\x00\x00\x00\x00\x01\x00\x00\x00\x06\
                          \x00\x10\x00\x00\x00\x02\x00\x00"
            .to_vec();
        bytes.resize(24 + 0x10_0000, 0);
        message::encode_write(&mut bytes, 1, 7, 2.0);
        assert_eq!(parameters(&bytes, false), [6, 7]);
    }

    #[test]
    fn a_message_of_absurd_length_is_refused() {
        let bytes = [b"\0\x0f\xff\xff".as_slice(), &[0; 12], &[0xff; 8]].concat();
        let mut stream = Stream(&bytes, false);
        let mut input = Input::default();
        input.read(&mut stream).unwrap();
        assert_eq!(input.next_message(), None);
        assert!(input.read(&mut stream).unwrap_err().to_string().contains("a message of"));
    }
}
