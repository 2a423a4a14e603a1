//! One process: started under the supervisor, read line by line, ended for certain.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Deadline, Output, ProcessError, Stopped, interrupted};

/// Longer lines are an error of the process, not a reason to run out of memory.
const LONGEST_LINE_BYTES: u64 = 256 << 20;

/// Lines of output that an error message carries.
const TAIL_LINES: usize = 40;

/// Lines that may wait for somebody to read them. Further ones are only in
/// [`Child::output`], unless somebody awaits an answer among them.
pub const MOST_UNREAD_LINES: usize = 65_536;

/// How long a full queue is left alone while somebody reads it.
const QUEUE_PAUSE: Duration = Duration::from_millis(1);

/// How long a killed process may take to be gone.
const END_DEADLINE: Duration = Duration::from_secs(10);

/// How long the threads of a stopped process may run on.
const STOP_DEADLINE: Duration = Duration::from_secs(2);

/// A dying process closes its streams some time before it is gone.
const EXIT_GRACE: Duration = Duration::from_millis(100);

/// Something that a process did.
#[derive(Debug)]
pub enum Event {
    /// A line on stdout, without its end.
    Stdout(String),
    /// A line on stderr, without its end.
    Stderr(String),
    /// It ended and all its output was read.
    Ended(ExitStatus),
}

/// Whether no thread of the process `pid` runs, as far as the system can say.
fn stands_still(pid: u32) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    tasks.flatten().all(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        // The state stands behind the name, which may have parentheses of its own.
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        !matches!(state, Some('R' | 'S' | 'D'))
    })
}

/// A running process. Dropping it kills it and all its descendants.
#[derive(Debug)]
pub struct Child {
    command: String,
    pid: u32,
    supervisor: std::process::Child,
    control_socket: UnixStream,
    stdin: Option<Sender<Vec<u8>>>,
    events: Receiver<(Event, Instant)>,
    /// When the latest event happened.
    event_at: Instant,
    output: Arc<Mutex<Output>>,
    /// Whether an answer is awaited, so that no line may be lost.
    is_attended: Arc<AtomicBool>,
}

impl Child {
    /// Takes over a started supervisor; `pid` is that of the command under it.
    pub(super) fn around(
        mut supervisor: std::process::Child,
        control_socket: UnixStream,
        pid: u32,
        command: String,
    ) -> Child {
        let (sender, events) = mpsc::sync_channel(MOST_UNREAD_LINES);
        let output = Arc::new(Mutex::new(Output::default()));
        let is_attended = Arc::new(AtomicBool::new(false));
        let queue = Queue { sender, is_attended: Arc::clone(&is_attended) };
        if let Some(stdout) = supervisor.stdout.take() {
            read_lines(stdout, Event::Stdout, queue.clone(), Arc::clone(&output));
        }
        if let Some(stderr) = supervisor.stderr.take() {
            read_lines(stderr, Event::Stderr, queue, Arc::clone(&output));
        }
        let stdin = supervisor.stdin.take().map(write_lines);
        let event_at = Instant::now();
        Child {
            command,
            pid,
            supervisor,
            control_socket,
            stdin,
            events,
            event_at,
            output,
            is_attended,
        }
    }

    /// Says whether an answer is awaited. While it is, a process that prints faster than
    /// its lines are read is held up instead of losing lines; else lines are lost, since a
    /// process must not wait for a harness that does something else.
    pub fn attend(&self, is_attended: bool) {
        self.is_attended.store(is_attended, Ordering::Relaxed);
    }

    /// The process id of the command itself, not of the supervisor.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Everything it printed so far, both streams; the last mebibyte.
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).text()
    }

    /// Writes one line to its stdin; never blocks. What a dead process cannot
    /// read is lost: its end is reported by [`Child::next_event`].
    pub fn write_line(&self, line: &str) {
        if let Some(stdin) = &self.stdin {
            let mut bytes = Vec::with_capacity(line.len() + 1);
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            let _ = stdin.send(bytes);
        }
    }

    /// Ends its stdin, after everything that was written.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Stops the process in whatever it does, until [`Child::resume`], and returns when
    /// none of its threads runs any more. It can still be killed.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
        // The thread that takes the signal stops the others when it runs next. On a busy
        // machine they go on for milliseconds until then.
        let stopping = Deadline::after(STOP_DEADLINE);
        while !stands_still(self.pid) && !stopping.remaining().is_zero() {
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Lets a paused process go on.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: libc::c_int) {
        if let Ok(pid) = libc::pid_t::try_from(self.pid) {
            // SAFETY: only sends a signal. The supervisor has not waited for the process
            // as long as it lives itself, so the number is still this process's.
            unsafe { libc::kill(pid, signal) };
        }
    }

    /// Blocks until it prints a line or ends; `what` says in an error what was
    /// awaited.
    ///
    /// # Errors
    /// [`ProcessError::TimedOut`] after `deadline`, [`ProcessError::Interrupted`].
    pub fn next_event(&mut self, deadline: &Deadline, what: &str) -> Result<Event, ProcessError> {
        match deadline.receive(&self.events) {
            Ok((event, at)) => {
                self.event_at = at;
                Ok(event)
            }
            Err(Stopped::Interrupted) => Err(ProcessError::Interrupted),
            Err(Stopped::TimedOut) => Err(self.timed_out(deadline, what)),
            Err(Stopped::Closed) => self.end(deadline, what),
        }
    }

    /// When the line that [`Child::next_event`] gave last was complete, before anything was
    /// done with it.
    pub fn event_at(&self) -> Instant {
        self.event_at
    }

    /// All output is read. Most processes are dying then, but one may also close
    /// its streams and live on.
    fn end(&mut self, deadline: &Deadline, what: &str) -> Result<Event, ProcessError> {
        let dying = Deadline::after(EXIT_GRACE);
        loop {
            match self.supervisor.try_wait() {
                Ok(Some(status)) => return Ok(Event::Ended(status)),
                Ok(None) if interrupted() => return Err(ProcessError::Interrupted),
                Ok(None) if deadline.remaining().is_zero() && dying.remaining().is_zero() => {
                    return Err(self.timed_out(deadline, what));
                }
                Ok(None) => thread::sleep(Duration::from_micros(500)),
                Err(error) => {
                    let (command, reason) = (self.command.clone(), error.to_string());
                    return Err(ProcessError::Start { command, reason });
                }
            }
        }
    }

    /// The error for a process that ended although it was still needed.
    pub fn ended_early(&self, status: ExitStatus) -> ProcessError {
        ProcessError::Ended { command: self.command.clone(), status, output: self.tail() }
    }

    /// The error for a process that did not `what` in time.
    pub fn timed_out(&self, deadline: &Deadline, what: &str) -> ProcessError {
        ProcessError::TimedOut {
            command: self.command.clone(),
            what: what.to_owned(),
            seconds: deadline.seconds(),
            output: self.tail(),
        }
    }

    /// Ends its stdin and waits for it to end by itself, at most `grace`;
    /// then kills it.
    pub fn stop(mut self, grace: Duration) {
        self.close_stdin();
        let deadline = Deadline::after(grace);
        while let Ok(event) = self.next_event(&deadline, "end") {
            if matches!(event, Event::Ended(_)) {
                return;
            }
        }
    }

    fn tail(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).tail(TAIL_LINES)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // The supervisor sees the end of its control socket, kills everything and ends.
        let _ = self.control_socket.shutdown(Shutdown::Both);
        let deadline = Deadline::after(END_DEADLINE);
        while matches!(self.supervisor.try_wait(), Ok(None)) {
            if deadline.remaining().is_zero() {
                let _ = self.supervisor.kill();
                let _ = self.supervisor.wait();
                return;
            }
            thread::sleep(Duration::from_micros(500));
        }
    }
}

/// Where the lines of a process wait.
#[derive(Clone)]
struct Queue {
    sender: SyncSender<(Event, Instant)>,
    is_attended: Arc<AtomicBool>,
}

impl Queue {
    /// Answers whether there is still somebody who could read. When the queue is full,
    /// blocks while an answer is awaited, and drops the event otherwise: rather lose a line
    /// than memory, or block the process.
    fn push(&self, event: (Event, Instant)) -> bool {
        let mut event = event;
        loop {
            match self.sender.try_send(event) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(_)) if !self.is_attended.load(Ordering::Relaxed) => {
                    return true;
                }
                Err(TrySendError::Full(waiting)) => event = waiting,
            }
            thread::sleep(QUEUE_PAUSE);
        }
    }
}

fn read_lines(
    stream: impl Read + Send + 'static,
    event: fn(String) -> Event,
    queue: Queue,
    output: Arc<Mutex<Output>>,
) {
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            match reader.by_ref().take(LONGEST_LINE_BYTES).read_until(b'\n', &mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
            let at = Instant::now();
            if bytes.last() == Some(&b'\n') {
                bytes.pop();
            }
            // Base colours its messages even into a pipe.
            let line = console::strip_ansi_codes(&String::from_utf8_lossy(&bytes)).into_owned();
            let shortened: String = line.chars().take(2000).collect();
            output.lock().unwrap_or_else(PoisonError::into_inner).push(shortened);
            if !queue.push((event(line), at)) {
                return;
            }
        }
    });
}

/// A pipe that nobody reads blocks its writer, so writing has its own thread;
/// it ends with the process, when the pipe breaks.
fn write_lines(mut stdin: impl Write + Send + 'static) -> Sender<Vec<u8>> {
    let (sender, lines) = mpsc::channel::<Vec<u8>>();
    thread::spawn(move || {
        for line in lines {
            if stdin.write_all(&line).and_then(|()| stdin.flush()).is_err() {
                return;
            }
        }
    });
    sender
}
