//! The other floor: it sends bytes that were recorded, when as many bytes have come as
//! there had then, and looks at none of them.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::super::stop::Stop;
use super::recorder::Spoken;

/// How long a server may be silent that has something to say.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that are read at once, as many as the floor reads.
const READ_BYTES: usize = 1 << 16;

/// A conversation that is replayed.
pub(super) struct Replay {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Replay {
    /// Connects to a server that is as fresh as that of the recording was.
    pub(super) fn start(server: SocketAddrV4) -> io::Result<Replay> {
        let stream = TcpStream::connect(server)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Replay { stream, buffer: vec![0; READ_BYTES] })
    }

    /// Replays a stage; says how long it took until the last byte had come.
    ///
    /// # Errors
    /// When the server says less than it did.
    pub(super) fn play(&mut self, spoken: &Spoken) -> io::Result<Duration> {
        let started = Instant::now();
        let mut heard = 0;
        for (before, bytes) in &spoken.pieces {
            self.hear(&mut heard, *before)?;
            self.stream.write_all(bytes)?;
        }
        self.hear(&mut heard, spoken.heard_bytes())?;
        Ok(started.elapsed())
    }

    /// Has the server make what it said in a stage in which the client said nothing; says how
    /// long it took until the last byte had come.
    ///
    /// # Errors
    /// When it cannot be made, or the server says less than it did.
    pub(super) fn listen(
        &mut self,
        spoken: &Spoken,
        make: impl FnOnce() -> Result<(), Stop>,
    ) -> Result<Duration, Stop> {
        let started = Instant::now();
        thread::scope(|scope| {
            let heard =
                scope.spawn(|| self.hear(&mut 0, spoken.heard_bytes()).map(|()| started.elapsed()));
            let made = make();
            let heard = heard.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            made?;
            heard.map_err(|error| super::of_socket(&error))
        })
    }

    fn hear(&mut self, heard: &mut usize, until: usize) -> io::Result<()> {
        while *heard < until {
            match self.stream.read(&mut self.buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                count => *heard += count,
            }
        }
        Ok(())
    }
}
