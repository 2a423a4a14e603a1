//! The shell of a softIoc: commands in, what they print out.

use std::process::ExitStatus;
use std::time::Duration;

use super::log::Log;
use super::refusal;
use super::start_up::SCRIPT_ENDED;
use super::{IocError, LogLine};
use crate::process::{Child, Command, Deadline, Event, MOST_UNREAD_LINES, ProcessError};

/// The shell's prompt. It ends in a line end, so that reading lines shows when a
/// command is over.
const PROMPT: &str = "epics-gauge: the shell is ready";

/// The variable that has the prompt with its line end, which a command could not contain.
const PROMPT_VARIABLE: &str = "IOC_FIXTURE_PROMPT";

/// What the shell prints when it has taken the prompt.
const PROMPT_TAKEN: &str = "epics-gauge: the prompt is set";

/// The reason in an error where Base printed none.
const UNKNOWN_REASON: &str = "it did not finish its script";

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
const EXIT_GRACE: Duration = Duration::from_secs(2);

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
        vec![
            ("IOCSH_PS1".to_owned(), format!("{PROMPT}\n")),
            (PROMPT_VARIABLE.to_owned(), format!("{PROMPT}\n")),
            // A Base that was built with readline would repeat every command.
            ("IOCSH_HISTEDIT_DISABLE".to_owned(), "1".to_owned()),
        ]
    }

    /// Starts `command`, whose shell then waits for commands. Scripts are no arguments:
    /// softIoc would sleep 0.2 s after one.
    pub(super) fn start(command: &Command, deadline: &Deadline) -> Result<Shell, IocError> {
        let child = command.start()?;
        let mut shell = Shell { child, command: command.described(), log: Log::default() };
        let started = shell.attended(|shell| shell.take_prompt(deadline));
        shell.with_output(started)?;
        Ok(shell)
    }

    /// An error of the process with everything that it printed.
    pub(super) fn with_output<T>(&self, result: Result<T, IocError>) -> Result<T, IocError> {
        result.map_err(|error| match error {
            IocError::Process(error) => error.with_output(self.output()).into(),
            error => error,
        })
    }

    /// Has the shell use the prompt of this crate, whichever it has: programs and scripts
    /// set their own.
    fn take_prompt(&mut self, deadline: &Deadline) -> Result<(), IocError> {
        const WHAT: &str = "start its shell";
        self.child.write_line(&format!("epicsEnvSet IOCSH_PS1 \"$({PROMPT_VARIABLE})\""));
        self.child.write_line(&format!("echo \"{PROMPT_TAKEN}\""));
        loop {
            match self.child.next_event(deadline, WHAT)? {
                // Another prompt may stand before it, on the same line.
                Event::Stdout(line) if line.ends_with(PROMPT_TAKEN) => break,
                Event::Stdout(line) if line.ends_with(PROMPT) => {}
                Event::Stdout(line) => self.log.push(LogLine::of_stdout(line)),
                Event::Stderr(line) => self.log.push(LogLine::of_stderr(line)),
                Event::Ended(status) => return Err(self.ended_early(status)),
            }
        }
        self.until_prompt(deadline, WHAT).map(drop)
    }

    /// Runs a script of the user's own as it is: its errors are in the log. It may set
    /// another prompt.
    pub(super) fn run_foreign_script(
        &mut self,
        script: &str,
        deadline: &Deadline,
    ) -> Result<(), IocError> {
        self.attended(|shell| {
            shell.child.write_line(&format!("< {script}"));
            shell.take_prompt(deadline)
        })
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
        let printed = match self.run_until(&format!("< {script}"), deadline, what) {
            Ok(printed) => printed,
            Err(error) => return Err(self.refused_before_crash(logged, error)),
        };
        // Some releases go on after a file that they could not load.
        if printed.lines().any(|line| line == SCRIPT_ENDED) && !self.has_unloaded(logged)? {
            return Ok(());
        }
        self.await_break(logged);
        Err(self.refused(logged))
    }

    fn has_unloaded(&mut self, logged: u64) -> Result<bool, IocError> {
        let mut lines = self.log()?.since(logged);
        Ok(lines.any(|line| line.is_error && refusal::says_not_loaded(&line.text)))
    }

    /// Base may crash on what it refuses: then that is the error, not the crash.
    fn refused_before_crash(&self, logged: u64, error: IocError) -> IocError {
        match (&error, self.refused(logged)) {
            (
                IocError::Process(ProcessError::Ended { status, .. }),
                IocError::Refused { reason, command, output },
            ) if reason != UNKNOWN_REASON => {
                let reason = format!("{reason}\nThen it ended with {status}");
                IocError::Refused { reason, command, output }
            }
            _ => error,
        }
    }

    /// The error for what the log says from its line `logged` on.
    pub(super) fn refused(&self, logged: u64) -> IocError {
        let errors: Vec<&str> = self
            .log
            .since(logged)
            .filter(|line| line.is_error)
            .map(|line| line.text.as_str())
            .collect();
        let reason = refusal::reason(&errors).unwrap_or_else(|| UNKNOWN_REASON.to_owned());
        IocError::Refused { reason, command: self.command.clone(), output: self.output() }
    }

    /// Runs one command and returns what it printed on stdout.
    pub(super) fn run(&mut self, command: &str) -> Result<String, IocError> {
        let deadline = Deadline::after(COMMAND_DEADLINE);
        self.run_until(command, &deadline, &format!("finish `{command}`"))
    }

    /// Runs many commands and returns what each printed on stdout, in order.
    /// None waits for the answer to the one before, and stdout is not logged.
    pub(super) fn run_all(&mut self, commands: &[String]) -> Result<Vec<String>, IocError> {
        let some_at_once = commands.chunks(COMMANDS_AT_ONCE);
        let answers: Result<Vec<Vec<String>>, IocError> =
            some_at_once.map(|some| self.attended(|shell| shell.run_some(some))).collect();
        Ok(answers?.concat())
    }

    fn run_some(&mut self, commands: &[String]) -> Result<Vec<String>, IocError> {
        let deadline = Deadline::after(COMMAND_DEADLINE);
        for command in commands {
            self.child.write_line(command);
        }
        let mut answer = |command: &String| {
            let what = format!("finish `{command}`");
            let lines = self.lines_until_prompt(&deadline, &what, false)?;
            Ok(lines.iter().map(|line| format!("{line}\n")).collect())
        };
        commands.iter().map(&mut answer).collect()
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
        self.attended(|shell| {
            shell.child.write_line(command);
            shell.until_prompt(deadline, what)
        })
    }

    /// What is printed until the prompt; all of it is logged.
    fn until_prompt(&mut self, deadline: &Deadline, what: &str) -> Result<String, IocError> {
        let lines = self.lines_until_prompt(deadline, what, true)?;
        Ok(lines.into_iter().map(|line| line + "\n").collect())
    }

    fn lines_until_prompt(
        &mut self,
        deadline: &Deadline,
        what: &str,
        is_logged: bool,
    ) -> Result<Vec<String>, IocError> {
        let mut lines = Vec::new();
        loop {
            match self.child.next_event(deadline, what)? {
                Event::Stdout(line) => {
                    // Another thread or process of the IOC may have begun a line before it.
                    let before = line.strip_suffix(PROMPT);
                    let printed = before.unwrap_or(&line);
                    if before.is_none() || !printed.is_empty() {
                        lines.push(printed.to_owned());
                        if is_logged {
                            self.log.push(LogLine::of_stdout(printed.to_owned()));
                        }
                    }
                    if before.is_some() {
                        return Ok(lines);
                    }
                }
                Event::Stderr(line) => self.log.push(LogLine::of_stderr(line)),
                Event::Ended(status) => return Err(self.ended_early(status)),
            }
        }
    }

    /// Does what awaits an answer, of which no line may be lost however much is printed.
    fn attended<T>(&mut self, work: impl FnOnce(&mut Shell) -> T) -> T {
        self.child.attend(true);
        let done = work(self);
        self.child.attend(false);
        done
    }

    /// Waits for the line that a script ends with when it breaks: error lines come on
    /// another stream than the prompt and may be late.
    fn await_break(&mut self, logged: u64) {
        let grace = Deadline::after(Duration::from_millis(500));
        let stopped = |line: &LogLine| line.text.contains("iocsh Error: Break");
        while !self.log.since(logged).any(stopped) {
            match self.child.next_event(&grace, "") {
                Ok(Event::Stdout(line)) => self.log.push(LogLine::of_stdout(line)),
                Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
                Ok(Event::Ended(_)) | Err(_) => break,
            }
        }
    }

    /// The error for an IOC that served and died, with its last words: what the
    /// harness made its shell print would only hide them.
    fn ended_early(&self, status: ExitStatus) -> IocError {
        let printed: Vec<&str> =
            self.log.since(0).filter(|line| line.is_error).map(|line| line.text.as_str()).collect();
        let last = &printed[printed.len().saturating_sub(LAST_WORDS)..];
        self.child.ended_early(status).with_output(last.join("\n")).into()
    }

    /// The log with everything that was printed so far; never blocks, however much an IOC
    /// goes on to print meanwhile.
    pub(super) fn log(&mut self) -> Result<&mut Log, IocError> {
        let now = Deadline::after(Duration::ZERO);
        for _ in 0..=MOST_UNREAD_LINES {
            match self.child.next_event(&now, "") {
                Ok(Event::Stdout(line)) => self.log.push(LogLine::of_stdout(line)),
                Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
                Ok(Event::Ended(status)) => return Err(self.ended_early(status)),
                Err(ProcessError::TimedOut { .. }) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(&mut self.log)
    }

    /// Everything that it printed, without its prompts.
    pub(super) fn output(&self) -> String {
        let output = self.child.output();
        let is_its_own = |line: &&str| !line.ends_with(PROMPT) && !line.ends_with(PROMPT_TAKEN);
        output.lines().filter(is_its_own).map(|line| format!("{line}\n")).collect()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// Stops the process in whatever it does, until [`Shell::resume`].
    pub(super) fn pause(&self) {
        self.child.pause();
    }

    pub(super) fn resume(&self) {
        self.child.resume();
    }

    /// Has the IOC leave by itself, and blocks until it is gone; kills it after two seconds.
    pub(super) fn end_cleanly(&mut self) {
        self.child.write_line("exit");
        let deadline = Deadline::after(EXIT_GRACE);
        while let Ok(event) = self.child.next_event(&deadline, "end") {
            if matches!(event, Event::Ended(_)) {
                return;
            }
        }
        self.kill();
    }

    /// The next line that it prints, within `deadline`; none if it prints none.
    pub(super) fn next_line(&mut self, deadline: &Deadline) -> Result<Option<LogLine>, IocError> {
        if let Some(line) = self.log.take_next() {
            return Ok(Some(line));
        }
        match self.child.next_event(deadline, "") {
            Ok(Event::Stdout(line)) => self.log.push(LogLine::of_stdout(line)),
            Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
            Ok(Event::Ended(status)) => return Err(self.ended_early(status)),
            Err(ProcessError::TimedOut { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        Ok(self.log.take_next())
    }

    pub(super) fn timed_out(&self, deadline: &Deadline, what: &str) -> IocError {
        self.child.timed_out(deadline, what).into()
    }

    /// Lets the IOC leave by itself; kills it after two seconds.
    pub(super) fn leave(self) {
        self.child.write_line("exit");
        self.child.stop(EXIT_GRACE);
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
