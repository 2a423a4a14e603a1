//! The process of a server, asked line by line.

use std::process::ExitStatus;
use std::time::Duration;

use super::super::log::Log;
use super::super::{IocError, LogLine};
use super::messages::{FromServer, ToServer};
use crate::process::{Child, Command, Deadline, Event, ProcessError};

/// Lines that the error of a dead server shows.
const LAST_WORDS: usize = 40;

/// Letters of a wrong line that its error shows.
const SHOWN_LETTERS: usize = 200;

/// How long an error waits for what was printed on the other stream.
const GRACE: Duration = Duration::from_millis(500);

/// How long a server may take to leave by itself, before it is killed.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// How long a killed server may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// A server's process. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Conversation {
    child: Child,
    command: String,
    log: Log,
}

impl Conversation {
    pub(super) fn start(command: &Command) -> Result<Conversation, IocError> {
        let child = command.start()?;
        Ok(Conversation { child, command: command.described(), log: Log::default() })
    }

    /// Stops the process until [`Conversation::resume`].
    pub(super) fn pause(&self) {
        self.child.pause();
    }

    /// Lets a stopped process go on.
    pub(super) fn resume(&self) {
        self.child.resume();
    }

    /// Says something without waiting for the answer.
    pub(super) fn say(&self, command: &ToServer) -> Result<(), IocError> {
        let line = serde_json::to_string(command).map_err(|error| {
            IocError::InvalidRequest(format!("a command cannot be written: {error}"))
        })?;
        self.child.write_line(&line);
        Ok(())
    }

    /// Blocks until the server says something; `what` says in an error what was
    /// awaited.
    pub(super) fn hear(&mut self, deadline: &Deadline, what: &str) -> Result<FromServer, IocError> {
        loop {
            match self.child.next_event(deadline, what)? {
                Event::Stdout(line) => {
                    return serde_json::from_str(&line).map_err(|error| {
                        self.garbage(&format!("{error}: `{}`", shortened(&line)))
                    });
                }
                Event::Stderr(line) => self.log.push(LogLine::of_stderr(line)),
                Event::Ended(status) => return Err(self.ended_early(status)),
            }
        }
    }

    /// The error for something that is not of the protocol.
    pub(super) fn garbage(&mut self, reason: &str) -> IocError {
        let output = self.whole_output();
        IocError::Garbage { reason: reason.to_owned(), command: self.command.clone(), output }
    }

    /// The error for a server that says why it does not serve.
    pub(super) fn refused(&mut self, reason: String) -> IocError {
        let output = self.whole_output();
        IocError::Refused { reason, command: self.command.clone(), output }
    }

    /// Everything that was printed, with what was on its way: the two streams do
    /// not arrive in the order of writing.
    fn whole_output(&mut self) -> String {
        let grace = Deadline::after(GRACE);
        while let Ok(event) = self.child.next_event(&grace, "") {
            match event {
                Event::Stderr(line) => self.log.push(LogLine::of_stderr(line)),
                Event::Stdout(_) => {}
                Event::Ended(_) => break,
            }
        }
        self.child.output()
    }

    /// The log with everything that was printed so far; never blocks. An answer
    /// that nobody asked for is an error.
    pub(super) fn log(&mut self) -> Result<&mut Log, IocError> {
        let now = Deadline::after(Duration::ZERO);
        loop {
            match self.child.next_event(&now, "") {
                Ok(Event::Stdout(line)) => {
                    let reason = format!("nobody asked for `{}`", shortened(&line));
                    return Err(self.garbage(&reason));
                }
                Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
                Ok(Event::Ended(status)) => return Err(self.ended_early(status)),
                Err(ProcessError::TimedOut { .. }) => return Ok(&mut self.log),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The error with everything that was printed instead of its end.
    pub(super) fn with_all_output(&self, error: IocError) -> IocError {
        match error {
            IocError::Process(error) => error.with_output(self.child.output()).into(),
            error => error,
        }
    }

    /// The error for a server that died, with its last words: its answers would
    /// only hide them.
    fn ended_early(&self, status: ExitStatus) -> IocError {
        let printed: Vec<&str> = self.log.since(0).map(|line| line.text.as_str()).collect();
        let last = &printed[printed.len().saturating_sub(LAST_WORDS)..];
        self.child.ended_early(status).with_output(last.join("\n")).into()
    }

    /// Ends stdin, so that the server leaves by itself; kills it after two seconds.
    pub(super) fn leave(self) {
        self.child.stop(EXIT_GRACE);
    }

    /// Kills the server as a crash would, and blocks until it is gone. Unlike a
    /// drop this leaves its folder: the supervisor removes that when its control socket
    /// closes.
    pub(super) fn kill(&mut self) {
        // Only what certainly lives may be killed by its number.
        if !matches!(self.log(), Err(IocError::Process(ProcessError::Ended { .. }))) {
            // SAFETY: kill touches no memory. The process was there a moment ago
            // and only its supervisor, which lives, can reap it.
            unsafe { libc::kill(self.child.pid() as libc::pid_t, libc::SIGKILL) };
        }
        let deadline = Deadline::after(KILL_DEADLINE);
        while let Ok(event) = self.child.next_event(&deadline, "end") {
            if matches!(event, Event::Ended(_)) {
                return;
            }
        }
    }
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(SHOWN_LETTERS) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
