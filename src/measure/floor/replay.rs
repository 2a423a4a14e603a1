//! The replay: sends the recorded bytes, each piece when as many bytes have arrived as in the
//! recording, and parses nothing.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::super::stop::Stop;
use super::recorder::StageBytes;

/// How long a server may be silent while bytes of the recording are missing.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Bytes per read, the same as the floor.
const READ_BYTES: usize = 1 << 16;

/// A replayed conversation.
pub(super) struct Replay {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Replay {
    /// Connects to a server that is as fresh as in the recording.
    pub(super) fn start(server: SocketAddrV4) -> io::Result<Replay> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        Ok(Replay { stream, buffer: vec![0; READ_BYTES] })
    }

    /// Replays a stage; returns the time until the last byte arrived.
    ///
    /// # Errors
    /// When the server sends less than in the recording.
    pub(super) fn play(&mut self, recorded: &StageBytes) -> io::Result<Duration> {
        let started = Instant::now();
        let mut received = 0;
        for (before, bytes) in &recorded.pieces {
            self.receive(&mut received, *before)?;
            self.stream.write_all(bytes)?;
        }
        self.receive(&mut received, recorded.received_bytes())?;
        Ok(started.elapsed())
    }

    /// Calls `make` so that the server sends the bytes of a stage in which the client is
    /// silent; returns the time until the last byte arrived.
    ///
    /// # Errors
    /// When `make` fails, or the server sends less than in the recording.
    pub(super) fn listen(
        &mut self,
        recorded: &StageBytes,
        make: impl FnOnce() -> Result<(), Stop>,
    ) -> Result<Duration, Stop> {
        let started = Instant::now();
        thread::scope(|scope| {
            let received = scope.spawn(|| {
                self.receive(&mut 0, recorded.received_bytes()).map(|()| started.elapsed())
            });
            let made = make();
            let received = received.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            made?;
            received.map_err(|error| super::of_socket(&error))
        })
    }

    fn receive(&mut self, received: &mut usize, until: usize) -> io::Result<()> {
        while *received < until {
            match self.stream.read(&mut self.buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => *received += count,
            }
        }
        Ok(())
    }
}
