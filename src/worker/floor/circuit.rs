//! A TCP circuit to one server: bytes in and out, never blocking.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use super::protocol::{Header, Protocol};

/// Bytes waiting to be written above which no request should be added.
const FULL_BYTES: usize = 64 * 1024;
/// Bytes that a circuit reads at once. Longer messages are taken in parts while
/// they are in the processor's cache: that takes a quarter less CPU time of a frame
/// of 650 kB than one buffer that holds all of it.
const INPUT_BYTES: usize = 64 * 1024;
/// Payloads are padded to a multiple of this, and so are parts of them.
const PADDED_BYTES: usize = 8;
/// The first part of a payload has at least so many bytes: all that comes before
/// the elements of any array, and a few of them.
const FIRST_PART_BYTES: usize = 64;

/// A server that begins does so within this time, or its system has dropped the connection
/// without a word: it takes more of them than the server has room to accept (pvxs 1.5.3
/// listens with room for four), and a client that only listens never learns that.
const TIME_TO_BEGIN: Duration = Duration::from_secs(1);

/// The longest time between two tries; each is twice the one before.
const LONGEST_TO_BEGIN: Duration = Duration::from_secs(16);

fn connected(address: SocketAddrV4, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address.into(), timeout)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// A circuit. Requests are put into its output, which [`Circuit::flush`] writes.
#[derive(Debug)]
pub(in crate::worker) struct Circuit<P: Protocol> {
    stream: TcpStream,
    address: SocketAddrV4,
    output: Vec<u8>,
    written: usize,
    /// The system takes no bytes until the server has read some.
    is_blocked: bool,
    is_down: bool,
    /// When it brought something last, or was opened.
    heard: Duration,
    /// Whether the server was asked since whether it is there.
    is_asked: bool,
    /// When it is opened again unless the server begins, and the time until then; none when
    /// it has begun, or the client does.
    begins: Option<(Duration, Duration)>,
    input: Input<P::Header>,
    peer: P::Peer,
}

impl<P: Protocol> Circuit<P> {
    /// Connects to a server and puts the greeting into the output. Blocks at most
    /// for `timeout`.
    pub(super) fn open(
        address: SocketAddrV4,
        timeout: Duration,
        now: Duration,
    ) -> io::Result<Circuit<P>> {
        let stream = connected(address, timeout)?;
        let mut output = Vec::new();
        let peer = P::handshake(&mut output);
        let begins = output.is_empty().then(|| (now + TIME_TO_BEGIN, TIME_TO_BEGIN));
        let input = Input::default();
        Ok(Circuit {
            stream,
            address,
            output,
            written: 0,
            is_blocked: false,
            is_down: false,
            heard: now,
            is_asked: false,
            begins,
            input,
            peer,
        })
    }

    /// The server.
    pub(in crate::worker) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    /// What is known of the server, and where requests are put.
    pub(in crate::worker) fn peer_and_output(&mut self) -> (&mut P::Peer, &mut Vec<u8>) {
        (&mut self.peer, &mut self.output)
    }

    /// Whether the server may be asked for anything.
    pub(in crate::worker) fn is_ready(&self) -> bool {
        !self.is_down && P::is_ready(&self.peer)
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
        self.output = Vec::new();
        self.written = 0;
        self.input = Input::default();
    }

    /// It has brought something.
    pub(super) fn hear(&mut self, now: Duration) {
        self.heard = now;
        self.is_asked = false;
        self.begins = None;
    }

    /// When it is to be opened again, unless the server begins.
    pub(super) fn begins(&self) -> Option<Duration> {
        self.begins.filter(|_| !self.is_down).map(|(due, _)| due)
    }

    /// Connects again to a server that has not begun. One that has no room for that either
    /// is left until the next time.
    pub(super) fn open_again(&mut self, now: Duration) -> io::Result<()> {
        let (_, waited) = self.begins.unwrap_or((now, TIME_TO_BEGIN));
        let longer = (2 * waited).min(LONGEST_TO_BEGIN);
        self.begins = Some((now + longer, longer));
        match connected(self.address, TIME_TO_BEGIN) {
            Ok(stream) => self.stream = stream,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// When it brought something last, or was opened.
    pub(super) fn heard(&self) -> Duration {
        self.heard
    }

    /// Asks the server whether it is there, once until something comes.
    pub(super) fn ask_after_server(&mut self) {
        if !std::mem::replace(&mut self.is_asked, true) {
            P::keep_alive(&self.peer, &mut self.output);
        }
    }

    /// Whether the server was asked whether it is there, and has not answered.
    pub(super) fn is_asked(&self) -> bool {
        self.is_asked
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

    /// Reads once what has come from the server; says whether there may be more.
    ///
    /// # Errors
    /// Those of the socket; `UnexpectedEof` when the server has closed it.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        self.input.read(&mut self.stream)
    }

    /// What was read: to be taken, emptied of whole messages and put back.
    pub(super) fn input(&mut self) -> &mut Input<P::Header> {
        &mut self.input
    }
}

impl<P: Protocol> AsRawFd for Circuit<P> {
    fn as_raw_fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }
}

/// What a circuit brings: a message, or a part of one that is too long for the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::worker) struct Piece<'a, H> {
    /// The message's header.
    pub(in crate::worker) header: H,
    /// Where in the payload the piece begins, a multiple of 8; the pieces of a
    /// message follow on one another from 0 to its end.
    pub(in crate::worker) at: usize,
    /// Its bytes: at the beginning of a message at least 64, if it has so many.
    pub(in crate::worker) bytes: &'a [u8],
}

impl<H: Header> Piece<'_, H> {
    /// Whether it is a whole message.
    pub(in crate::worker) fn is_whole(&self) -> bool {
        self.bytes.len() == self.header.payload_bytes()
    }

    /// Whether nothing of the message follows.
    pub(in crate::worker) fn is_last(&self) -> bool {
        self.at + self.bytes.len() >= self.header.payload_bytes()
    }
}

/// Bytes that were read and not taken yet.
#[derive(Debug)]
pub(super) struct Input<H> {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// The message of which parts are taken, and where in its payload the next
    /// begins.
    long: Option<(H, usize)>,
}

impl<H> Default for Input<H> {
    fn default() -> Input<H> {
        Input { bytes: Vec::new(), start: 0, end: 0, long: None }
    }
}

impl<H: Header> Input<H> {
    /// Takes the next message off, or the next part of a long one, if it is there.
    ///
    /// # Errors
    /// When it is no message.
    pub(super) fn next_piece(&mut self) -> Result<Option<Piece<'_, H>>, String> {
        if self.long.is_none() {
            let Some((header, length)) = H::decode(&self.bytes[self.start..self.end])? else {
                return Ok(None);
            };
            let payload = header.payload_bytes();
            if length + payload <= self.bytes.len() {
                let at = self.start + length;
                if at + payload > self.end {
                    return Ok(None);
                }
                self.start = at + payload;
                let bytes = &self.bytes[at..at + payload];
                return Ok(Some(Piece { header, at: 0, bytes }));
            }
            self.start += length;
            self.long = Some((header, 0));
        }
        Ok(self.long.and_then(|(header, at)| self.next_part(header, at)))
    }

    fn next_part(&mut self, header: H, at: usize) -> Option<Piece<'_, H>> {
        let missing = header.payload_bytes() - at;
        let there = self.end - self.start;
        let length = if there >= missing { missing } else { there / PADDED_BYTES * PADDED_BYTES };
        if length == 0 || (at == 0 && length < FIRST_PART_BYTES) {
            return None;
        }
        self.long = (length < missing).then_some((header, at + length));
        let bytes = &self.bytes[self.start..self.start + length];
        self.start += length;
        Some(Piece { header, at, bytes })
    }

    fn read(&mut self, stream: &mut impl Read) -> io::Result<bool> {
        self.make_room();
        loop {
            match stream.read(&mut self.bytes[self.end..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.end += read;
                    return Ok(self.end == self.bytes.len());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves what was not taken, which is no whole message, to the front.
    fn make_room(&mut self) {
        if self.bytes.is_empty() {
            self.bytes.resize(INPUT_BYTES, 0);
        }
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel_access::{self as message, Header};

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
        let mut input = Input::<Header>::default();
        let mut parameters = Vec::new();
        let mut next = 0;
        while input.read(&mut stream).is_ok() {
            while let Some(piece) = input.next_piece().unwrap() {
                let Piece { header, at, bytes } = piece;
                if piece.is_whole() {
                    parameters.push(header.parameter_2);
                    continue;
                }
                assert!(at == next && at.is_multiple_of(8));
                assert!(at > 0 || bytes.len() >= FIRST_PART_BYTES);
                let expected = (at..at + bytes.len()).map(|index| index as u8);
                assert!(bytes.iter().copied().eq(expected));
                next = if piece.is_last() { 0 } else { at + bytes.len() };
                if piece.is_last() {
                    parameters.push(header.parameter_2);
                }
            }
        }
        assert_eq!(next, 0);
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
    fn a_message_longer_than_the_buffer_comes_in_parts() {
        let header = b"\x00\x0f\xff\xff\x00\x06\x00\x00\x00\x00\x00\x01\x00\x00\x00\x06\
                       \x00\x03\x00\x00\x00\x00\x60\x00";
        let mut bytes = Vec::new();
        for _ in 0..2 {
            message::encode_write(&mut bytes, 1, 5, 2.0);
            bytes.extend_from_slice(header);
            bytes.extend((0..0x3_0000).map(|index| index as u8));
            message::encode_write(&mut bytes, 1, 7, 2.0);
        }
        assert_eq!(parameters(&bytes, false), [5, 6, 7, 5, 6, 7]);
        assert_eq!(parameters(&bytes, true), [5, 6, 7, 5, 6, 7]);
    }
}
