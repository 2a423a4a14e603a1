//! A running softIoc and its shell.

use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use tempfile::TempDir;

use super::start_up::{SCRIPT_ENDED, START_UP};
use super::{Builder, IocError, LogLine, identity};
use crate::process::{Child, Command, Deadline, Event, Ports, ProcessError, client_environment};

/// The shell's prompt. It ends in a line end, so that reading lines shows when a
/// command is over.
const PROMPT: &str = "epics-gauge: the shell is ready";

/// How long a shell command may take.
const COMMAND_DEADLINE: Duration = Duration::from_secs(30);

/// Lines that the error of a dead IOC shows.
const LAST_WORDS: usize = 40;

/// How long an IOC may take to leave by itself, before it is killed.
const LEAVE_PATIENCE: Duration = Duration::from_secs(2);

/// The factor between the count of processings and the index in a PV's value.
const PROCESSED_FACTOR: f64 = 1_048_576.0;

/// A running, isolated IOC. Dropping it kills it and removes its directory.
#[derive(Debug)]
pub struct SoftIoc {
    // Fields are dropped in this order: the process must be gone before its
    // folder and its ports are.
    child: Child,
    folder: TempDir,
    ports: Ports,
    command: String,
    rate_hz: Option<f64>,
    ticks: u64,
    log: Vec<LogLine>,
}

impl SoftIoc {
    /// An IOC without records; see [`Builder`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(super) fn shell_environment() -> Vec<(String, String)> {
        vec![("IOCSH_PS1".to_owned(), format!("{PROMPT}\n"))]
    }

    /// Starts `command` and runs the start-up script in its shell. The script is
    /// not an argument: softIoc would sleep 0.2 s after it.
    pub(super) fn launch(
        command: &Command,
        folder: TempDir,
        ports: Ports,
        rate_hz: Option<f64>,
        deadline: &Deadline,
    ) -> Result<SoftIoc, IocError> {
        let mut ioc = SoftIoc {
            child: command.start()?,
            folder,
            ports,
            command: command.described(),
            rate_hz,
            ticks: 0,
            log: Vec::new(),
        };
        let started = ioc
            .until_prompt(deadline, "start its shell")
            .and_then(|_| ioc.run_script(START_UP, deadline, "serve"));
        match started {
            Ok(()) => Ok(ioc),
            Err(IocError::Process(error)) => Err(error.with_output(ioc.output()).into()),
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
        let logged = self.log.len();
        let printed = self.command_until(&format!("< {script}"), deadline, what)?;
        if printed.lines().any(|line| line == SCRIPT_ENDED) {
            return Ok(());
        }
        let reason = self.first_error(logged);
        let output = self.child.output();
        Err(IocError::Refused { reason, command: self.command.clone(), output })
    }

    pub(super) fn prove_ports(
        &mut self,
        identity: &str,
        deadline: &Deadline,
    ) -> Result<(), IocError> {
        let port = self.ports.ca_server();
        let shown = self.command("epicsEnvShow RSRV_SERVER_PORT")?;
        if shown.trim() != format!("RSRV_SERVER_PORT={port}") {
            let reason = format!("it serves TCP with `{}`", shown.trim());
            return Err(IocError::Ports { reason, port });
        }
        identity::prove(port, &format!("epics-gauge:{identity}"), deadline)
            .map_err(|reason| IocError::Ports { reason, port })
    }

    /// The process id of the IOC.
    pub fn pid(&self) -> u32 {
        self.child.pid()
    }

    /// The port of its CA server, UDP and TCP, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.ports.ca_server()
    }

    /// Its private directory, which is its working directory too.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The environment in which a CA client finds this IOC and nothing else.
    pub fn client_environment(&self) -> Vec<(String, String)> {
        client_environment(&self.ports)
    }

    /// The value of PV `gauge:index` after all ticks so far: the index plus 2^20
    /// times the count of ticks.
    pub fn expected_value(&self, index: usize) -> f64 {
        index as f64 + PROCESSED_FACTOR * self.ticks as f64
    }

    /// Processes all records of [`Builder::pvs`] once; blocks until every one
    /// has its new value.
    ///
    /// # Errors
    /// When they are scanned by rate, or the IOC fails.
    pub fn tick(&mut self) -> Result<(), IocError> {
        if let Some(rate) = self.rate_hz {
            let message = format!("the records are scanned at {rate} Hz: no tick is needed");
            return Err(IocError::Asked(message));
        }
        self.command("dbpf epics-gauge:tick.PROC 1")?;
        self.ticks += 1;
        let deadline = Deadline::after(COMMAND_DEADLINE);
        while self.counted_ticks()? < self.ticks {
            if deadline.remaining().is_zero() {
                return Err(self.child.timed_out(&deadline, "process all records").into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn counted_ticks(&mut self) -> Result<u64, IocError> {
        Ok(self.field_value("epics-gauge:ticks")? as u64)
    }

    /// Reads a numeric field by the shell's `dbgf`, so without any network.
    ///
    /// # Errors
    /// When there is no such field or it is not a number.
    pub fn field_value(&mut self, field: &str) -> Result<f64, IocError> {
        let answer = self.command(&format!("dbgf {field}"))?;
        let number = answer.rsplit_once("= ").or_else(|| answer.rsplit_once(':'));
        number.and_then(|(_, number)| number.trim().parse().ok()).ok_or_else(|| {
            IocError::Asked(format!("`dbgf {field}` gave no number: {}", answer.trim()))
        })
    }

    /// Runs one command in the IOC's shell and returns what it printed on
    /// stdout. What it printed on stderr is in [`SoftIoc::log`].
    ///
    /// # Errors
    /// When the IOC dies or does not finish the command within 30 s.
    pub fn command(&mut self, command: &str) -> Result<String, IocError> {
        let deadline = Deadline::after(COMMAND_DEADLINE);
        self.command_until(command, &deadline, &format!("finish `{command}`"))
    }

    fn command_until(
        &mut self,
        command: &str,
        deadline: &Deadline,
        what: &str,
    ) -> Result<String, IocError> {
        if command.contains('\n') {
            return Err(IocError::Asked("a shell command is one line".to_owned()));
        }
        self.child.write_line(command);
        self.until_prompt(deadline, what)
    }

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

    /// The error for an IOC that served and died, with its last words: what the
    /// harness made its shell print would only hide them.
    fn ended_early(&self, status: ExitStatus) -> IocError {
        let said: Vec<&str> =
            self.log.iter().filter(|line| line.is_error).map(|line| line.text.as_str()).collect();
        let last = &said[said.len().saturating_sub(LAST_WORDS)..];
        self.child.ended_early(status).with_output(last.join("\n")).into()
    }

    /// What a script did not get past, in the log from line `logged` on.
    fn first_error(&mut self, logged: usize) -> String {
        // Error lines come on another stream than the prompt and may be late.
        let grace = Deadline::after(Duration::from_millis(500));
        let stopped = |line: &LogLine| line.text.contains("iocsh Error: Break");
        while !self.log[logged..].iter().any(stopped) {
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
        let told = self.log[logged..].iter().find(tells);
        told.map_or("it did not finish its script".to_owned(), |line| line.text.clone())
    }

    /// Every line that the IOC has printed so far. Lines that report overload
    /// carry the event.
    ///
    /// # Errors
    /// When the IOC is dead.
    pub fn log(&mut self) -> Result<&[LogLine], IocError> {
        let now = Deadline::after(Duration::ZERO);
        loop {
            match self.child.next_event(&now, "") {
                Ok(Event::Stdout(line)) => self.log.push(LogLine::of_stdout(line)),
                Ok(Event::Stderr(line)) => self.log.push(LogLine::of_stderr(line)),
                Ok(Event::Ended(status)) => return Err(self.ended_early(status)),
                Err(ProcessError::TimedOut { .. }) => return Ok(&self.log),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Everything it printed, both streams.
    pub fn output(&self) -> String {
        self.child.output()
    }

    /// Lets the IOC leave by itself; kills it after two seconds.
    pub fn stop(self) {
        self.child.write_line("exit");
        self.child.stop(LEAVE_PATIENCE);
    }
}
