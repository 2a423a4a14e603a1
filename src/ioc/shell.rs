//! The shell of a softIoc: commands in, what they print out.

use std::process::ExitStatus;
use std::time::Duration;

use super::log::Log;
use super::start_up::SCRIPT_ENDED;
use super::{IocError, LogLine};
use crate::process::{Child, Command, Deadline, Event, ProcessError};

/// The shell's prompt. It ends in a line end, so that reading lines shows when a
/// command is over.
const PROMPT: &str = "epics-gauge: the shell is ready";

/// How long a shell command may take.
pub(super) const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// Commands that are sent before the first answer is awaited: enough that the
/// IOC never waits for the harness, and their answers fit into what a child
/// keeps unread.
const COMMANDS_AT_ONCE: usize = 1_000;

/// How often a command is given before its answer counts as unknown: another thread of
/// the IOC may print in the middle of one.
const ATTEMPTS: usize = 3;

/// Lines that the error of a dead IOC shows.
const LAST_WORDS: usize = 40;

/// How long an IOC may take to leave by itself, before it is killed.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// How long a killed IOC may take to be gone.
const KILL_DEADLINE: Duration = Duration::from_secs(10);

/// A softIoc's process, controlled through its shell. Dropping it kills it.
#[derive(Debug)]
pub(super) struct Shell {
    child: Child,
    command: String,
    log: Log,
}

impl Shell {
    /// What the process needs in its environment.
    pub(super) fn environment() -> Vec<(String, String)> {
        vec![("IOCSH_PS1".to_owned(), format!("{PROMPT}\n"))]
    }

    /// Starts `command` and runs the script `start_up` in its shell. The script
    /// is not an argument: softIoc would sleep 0.2 s after it.
    pub(super) fn start(
        command: &Command,
        start_up: &str,
        deadline: &Deadline,
    ) -> Result<Shell, IocError> {
        let child = command.start()?;
        let mut shell = Shell { child, command: command.described(), log: Log::default() };
        let started = shell
            .until_prompt(deadline, "start its shell")
            .and_then(|_| shell.run_script(start_up, deadline, "serve"));
        match started {
            Ok(()) => Ok(shell),
            Err(IocError::Process(error)) => Err(error.with_output(shell.output()).into()),
            Err(error) => Err(error),
        }
    }

    /// Runs a script of its folder that breaks on errors and ends in
    /// printing [`SCRIPT_ENDED`].
    pub(super) fn run_script(
        &mut self,
        script: &str,
        deadline: &Deadline,
        what: &str,
    ) -> Result<(), IocError> {
        let logged = self.log.total();
        let printed = self.run_until(&format!("< {script}"), deadline, what)?;
        if printed.lines().any(|line| line == SCRIPT_ENDED) {
            return Ok(());
        }
        let reason = self.first_error(logged);
        let output = self.child.output();
        Err(IocError::Refused { reason, command: self.command.clone(), output })
    }

    /// Runs one command and returns what it printed on stdout.
    pub(super) fn run(&mut self, command: &str) -> Result<String, IocError> {
        let deadline = Deadline::after(COMMAND_DEADLINE);
        self.run_until(command, &deadline, &format!("finish `{command}`"))
    }

    /// Runs many commands and returns what each printed on stdout, in order.
    /// None waits for the answer to the one before, and stdout is not logged.
    pub(super) fn run_all(&mut self, commands: &[String]) -> Result<Vec<String>, IocError> {
        let mut answers = Vec::with_capacity(commands.len());
        for some in commands.chunks(COMMANDS_AT_ONCE) {
            let deadline = Deadline::after(COMMAND_DEADLINE);
            for command in some {
                self.child.write_line(command);
            }
            for command in some {
                let what = format!("finish `{command}`");
                let lines = self.lines_until_prompt(&deadline, &what)?;
                answers.push(lines.iter().map(|line| format!("{line}\n")).collect());
            }
        }
        Ok(answers)
    }

    /// What `read` makes of the answer to a command that changes nothing; `answer` is
    /// its first one, where there is one already. An answer that `read` refuses is asked
    /// for again.
    pub(super) fn understood<T>(
        &mut self,
        command: &str,
        mut answer: Option<String>,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, IocError> {
        let mut last = (String::new(), String::new());
        for _ in 0..ATTEMPTS {
            let text = match answer.take() {
                Some(text) => text,
                None => self.run_all(&[command.to_owned()])?.concat(),
            };
            match read(&text) {
                Ok(found) => return Ok(found),
                Err(reason) => last = (reason, text),
            }
        }
        let (reason, answer) = last;
        Err(IocError::UnknownAnswer { command: command.to_owned(), reason, answer })
    }

    fn run_until(
        &mut self,
        command: &str,
        deadline: &Deadline,
        what: &str,
    ) -> Result<String, IocError> {
        if command.contains('\n') {
            return Err(IocError::InvalidRequest("a shell command is one line".to_owned()));
        }
        self.child.write_line(command);
        self.until_prompt(deadline, what)
    }

    /// What is printed until the prompt; all of it is logged.
    fn until_prompt(&mut self, deadline: &Deadline, what: &str) -> Result<String, IocError> {
        let mut printed = String::new();
        loop {
            match self.child.next_event(deadline, what)? {
                Event::Stdout(line) if line == PROMPT => return Ok(printed),
                Event::Stdout(line) => {
                    printed += &line;
                    printed.push('\n');
                    self.log.push(LogLine::of_stdout(line));
                }
                Event::Stderr(line) => self.log.push(LogLine::of_stderr(line)),
                Event::Ended(status) => return Err(self.ended_early(status)),
            }
        }
    }

    fn lines_until_prompt(
        &mut self,
        deadline: &Deadline,
        what: &str,
    ) -> Result<Vec<String>, IocError> {
        let mut lines = Vec::new();
        loop {
            match self.child.next_event(deadline, what)? {
                Event::Stdout(line) if line == PROMPT => return Ok(lines),
                Event::Stdout(line) => lines.push(line),
                Event::Stderr(line) => self.log.push(LogLine::of_stderr(line)),
                Event::Ended(status) => return Err(self.ended_early(status)),
            }
        }
    }

    /// What a script did not get past, in the log from its line `logged` on.
    fn first_error(&mut self, logged: u64) -> String {
        // Error lines come on another stream than the prompt and may be late.
        let grace = Deadline::after(Duration::from_millis(500));
        let stopped = |line: &LogLine| line.text.contains("iocsh Error: Break");
        while !self.log.since(logged).any(stopped) {
            match self.child.next_event(&grace, "") {
                Ok(Event::Stdout(line)) => self.log.push(LogLine::of_stdout(line)),
                Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
                Ok(Event::Ended(_)) | Err(_) => break,
            }
        }
        let tells = |line: &&LogLine| {
            let text = line.text.to_lowercase();
            line.is_error && (text.contains("error") || text.contains("not found"))
        };
        let told = self.log.since(logged).find(tells);
        told.map_or("it did not finish its script".to_owned(), |line| line.text.clone())
    }

    /// The error for an IOC that served and died, with its last words: what the
    /// harness made its shell print would only hide them.
    fn ended_early(&self, status: ExitStatus) -> IocError {
        let said: Vec<&str> =
            self.log.since(0).filter(|line| line.is_error).map(|line| line.text.as_str()).collect();
        let last = &said[said.len().saturating_sub(LAST_WORDS)..];
        self.child.ended_early(status).with_output(last.join("\n")).into()
    }

    /// The log with everything that was printed so far; never blocks.
    pub(super) fn log(&mut self) -> Result<&mut Log, IocError> {
        let now = Deadline::after(Duration::ZERO);
        loop {
            match self.child.next_event(&now, "") {
                Ok(Event::Stdout(line)) => self.log.push(LogLine::of_stdout(line)),
                Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
                Ok(Event::Ended(status)) => return Err(self.ended_early(status)),
                Err(ProcessError::TimedOut { .. }) => return Ok(&mut self.log),
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) fn output(&self) -> String {
        self.child.output()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    pub(super) fn timed_out(&self, deadline: &Deadline, what: &str) -> IocError {
        self.child.timed_out(deadline, what).into()
    }

    /// Lets the IOC leave by itself; kills it after two seconds.
    pub(super) fn leave(self) {
        self.child.write_line("exit");
        self.child.stop(LEAVE_PATIENCE);
    }

    /// Kills the IOC as a crash would, and blocks until it is gone. Unlike a drop
    /// this leaves its folder: the supervisor removes that when its control socket closes.
    pub(super) fn kill(&mut self) {
        if self.log().is_ok() {
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
