//! What to run, and starting it under the supervisor.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader};
#[cfg(feature = "cli")]
use std::os::fd::OwnedFd;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use super::cores::CoreSet;
use super::{AttachedChild, Child, Deadline, Event, ProcessError, mark};
use crate::embedded;

/// How long the supervisor may take to start the command.
const START_DEADLINE: Duration = Duration::from_secs(10);

/// What to run.
///
/// Inherited `EPICS_*` variables are dropped: only what is set here reaches the
/// process.
#[derive(Debug, Clone)]
pub struct Command {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    folder: Option<PathBuf>,
    removed_with_harness: Option<PathBuf>,
    cores: Vec<usize>,
    /// The network namespace that it runs in, where it is not that of this process.
    network: Option<RawFd>,
    /// How long it may take to end by itself when this process is gone.
    grace: Duration,
    /// Descriptors of this process that it inherits under the same numbers.
    inherited: Vec<RawFd>,
}

impl Command {
    /// A command without arguments.
    pub fn new(program: impl Into<PathBuf>) -> Command {
        Command {
            program: program.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            folder: None,
            removed_with_harness: None,
            cores: Vec::new(),
            network: None,
            grace: Duration::ZERO,
            inherited: Vec::new(),
        }
    }

    /// Adds one argument.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Command {
        self.arguments.push(argument.into());
        self
    }

    /// Adds several arguments.
    pub fn arguments<A: Into<OsString>>(
        mut self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Command {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets environment variables.
    pub fn environment<V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (String, V)>,
    ) -> Command {
        self.environment.extend(variables.into_iter().map(|(name, value)| (name, value.into())));
        self
    }

    /// Sets the working folder.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Command {
        self.folder = Some(folder.into());
        self
    }

    /// Names a folder that is the harness's to remove; if the harness is killed,
    /// the supervisor removes it with the process.
    pub fn removed_with_harness(mut self, folder: impl Into<PathBuf>) -> Command {
        self.removed_with_harness = Some(folder.into());
        self
    }

    /// Keeps the process and its descendants on these processor cores, where the
    /// system can (Linux); on all when empty.
    pub fn cores(mut self, cores: &[usize]) -> Command {
        self.cores = cores.to_vec();
        self
    }

    /// Whether its program or an argument is this path.
    pub fn names(&self, path: &Path) -> bool {
        self.program == path || self.arguments.iter().any(|argument| *argument == *path)
    }

    /// The same with another path in place of this one, as program and as argument.
    pub fn relocated(mut self, from: &Path, to: &Path) -> Command {
        if self.program == from {
            self.program = to.to_owned();
        }
        for argument in self.arguments.iter_mut().filter(|argument| **argument == *from) {
            *argument = to.as_os_str().to_owned();
        }
        self
    }

    /// Runs the process in another network namespace.
    #[cfg(feature = "cli")]
    pub(super) fn in_network(mut self, namespace: &'static OwnedFd) -> Command {
        self.network = Some(namespace.as_raw_fd());
        self
    }

    /// Lets the process end by itself when this one is gone in whatever way, for so long: it
    /// sees the end of its stdin. Others are killed at once.
    #[cfg(feature = "cli")]
    pub fn ends_with_stdin_within(mut self, grace: Duration) -> Command {
        self.grace = grace;
        self
    }

    /// Has the process inherit a descriptor.
    #[cfg(feature = "cli")]
    pub(super) fn inherits(mut self, descriptor: &'static OwnedFd) -> Command {
        self.inherited.push(descriptor.as_raw_fd());
        self
    }

    /// The command line as a person would type it; for messages.
    pub fn described(&self) -> String {
        let mut words = vec![self.program.display().to_string()];
        words.extend(self.arguments.iter().map(|word| word.to_string_lossy().into_owned()));
        words.join(" ")
    }

    /// Starts the process and returns as soon as it runs.
    ///
    /// # Errors
    /// [`ProcessError::Start`] when the program cannot be executed.
    pub fn start(&self) -> Result<Child, ProcessError> {
        let supervisor = embedded::tool("supervisor")?;
        self.start_under(&supervisor).map_err(|error| ProcessError::Start {
            command: self.described(),
            reason: error.to_string(),
        })
    }

    /// Starts a command of the user's own that shares this process's terminal, streams and
    /// process group.
    ///
    /// # Errors
    /// [`ProcessError::Start`] when the program cannot be executed.
    pub fn start_attached(&self) -> Result<AttachedChild, ProcessError> {
        let supervisor = embedded::tool("supervisor")?;
        let attached = || {
            let mut command = std::process::Command::new(supervisor);
            command.arg("--attached");
            let (supervisor, control_socket, pid) = self.spawn_under(command)?;
            Ok(AttachedChild::around(supervisor, control_socket, pid))
        };
        attached().map_err(|error: io::Error| ProcessError::Start {
            command: self.described(),
            reason: error.to_string(),
        })
    }

    /// Runs to the end, within `allowed`; `on_line` sees each line as it comes.
    ///
    /// # Errors
    /// When it cannot be started, does not end in time, or ends with failure.
    pub fn run(
        &self,
        allowed: Duration,
        mut on_line: impl FnMut(&str),
    ) -> Result<String, ProcessError> {
        let mut child = self.start()?;
        child.close_stdin();
        let deadline = Deadline::after(allowed);
        loop {
            match child.next_event(&deadline, "end")? {
                Event::Stdout(line) | Event::Stderr(line) => on_line(&line),
                Event::Ended(status) if status.success() => return Ok(child.output()),
                Event::Ended(status) => return Err(child.ended_early(status)),
            }
        }
    }

    fn start_under(&self, supervisor: &Path) -> io::Result<Child> {
        let mut command = std::process::Command::new(supervisor);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if !self.grace.is_zero() {
            command.arg("--grace").arg(self.grace.as_millis().to_string());
        }
        let (supervisor, control_socket, pid) = self.spawn_under(command)?;
        Ok(Child::around(supervisor, control_socket, pid, self.described()))
    }

    /// Has the supervisor run the command. Answers with it, with its control socket, and with the process id
    /// of the command.
    fn spawn_under(
        &self,
        mut command: std::process::Command,
    ) -> io::Result<(std::process::Child, UnixStream, u32)> {
        let (control_socket, their_end) = UnixStream::pair()?;
        let their_end_number = their_end.as_raw_fd();
        command.arg(their_end_number.to_string());
        command.arg(self.removed_with_harness.as_deref().unwrap_or(Path::new("")));
        command.arg(&self.program).args(&self.arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("EPICS_") {
                command.env_remove(name);
            }
        }
        command.env(mark::VARIABLE, mark::mark());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        if let Some(folder) = &self.folder {
            command.current_dir(folder);
        }
        let cores = CoreSet::of(&self.cores);
        let network = self.network;
        let mut inherited = self.inherited.clone();
        inherited.push(their_end_number);
        // SAFETY: between fork and exec only fcntl, setns and sched_setaffinity are called,
        // which are async-signal-safe; the descriptors are open in the child.
        unsafe {
            command.pre_exec(move || {
                for descriptor in &inherited {
                    if libc::fcntl(*descriptor, libc::F_SETFD, 0) == -1 {
                        return Err(io::Error::last_os_error());
                    }
                }
                enter_network(network)?;
                cores.enter()
            });
        }
        let mut supervisor = command.spawn()?;
        drop(their_end);
        match started(&control_socket) {
            Ok(pid) => Ok((supervisor, control_socket, pid)),
            Err(error) => {
                let _ = supervisor.wait();
                Err(error)
            }
        }
    }
}

/// Moves this process there, between fork and exec.
#[cfg(target_os = "linux")]
fn enter_network(namespace: Option<RawFd>) -> io::Result<()> {
    let Some(namespace) = namespace else { return Ok(()) };
    // SAFETY: takes two numbers; the descriptor is open.
    match unsafe { libc::setns(namespace, libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Other systems have no such namespaces, and nobody asks for one.
#[cfg(not(target_os = "linux"))]
fn enter_network(_namespace: Option<RawFd>) -> io::Result<()> {
    Ok(())
}

/// Reads the supervisor's one line: the command's process id, or why there is none.
fn started(control_socket: &UnixStream) -> io::Result<u32> {
    control_socket.set_read_timeout(Some(START_DEADLINE))?;
    let mut line = String::new();
    BufReader::new(control_socket).read_line(&mut line)?;
    match line.trim_end().split_once(' ') {
        Some(("started", pid)) => pid.parse().map_err(io::Error::other),
        Some(("error", number)) => {
            let number = number.parse().map_err(io::Error::other)?;
            Err(io::Error::from_raw_os_error(number))
        }
        _ => Err(io::Error::other("the supervisor ended without a word")),
    }
}
