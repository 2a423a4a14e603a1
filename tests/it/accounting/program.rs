//! A Python process that does what the test says, line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use crate::processes::proc_files::{PATIENCE, wait_until};

/// What every script has: `say` a number to the test, `wait` for its word, and
/// `burn` CPU time of the calling thread, with the interpreter's lock released.
const PRELUDE: &str = "
import hashlib, os, sys, threading, time
def say(number):
    print(number, flush=True)
def wait():
    if not sys.stdin.readline():
        os._exit(0)
def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        hashlib.sha256(bytes(1 << 16)).digest()
";

pub(crate) struct Program {
    child: Option<Child>,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Program {
    /// Starts a script with arguments. It ends when this is dropped.
    pub(crate) fn start(script: &str, arguments: &[String]) -> Program {
        let mut command = Command::new(interpreter());
        command.args(["-c", &format!("{PRELUDE}{script}\nos._exit(0)\n")]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Program { child: Some(child), stdin, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// The next number that it says.
    pub(crate) fn heard(&self) -> u64 {
        let line = self.lines.recv_timeout(PATIENCE).expect("the script says something");
        line.parse().unwrap_or_else(|_| panic!("not a number: {line}"))
    }

    pub(crate) fn go_on(&mut self) {
        self.stdin.write_all(b"\n").unwrap();
    }

    /// Kills it, and leaves its exit code unasked for.
    pub(crate) fn kill_without_waiting(&mut self) {
        self.child.as_mut().unwrap().kill().unwrap();
    }

    /// Lets it end, and answers what the kernel then says that it and all
    /// children it waited for have used.
    pub(crate) fn resources(mut self) -> Resources {
        self.go_on();
        let mut ended = None;
        wait_until("the script ends", || {
            ended = resources_of_ended(self.pid());
            ended.is_some()
        });
        // Waited for: its number may be another's by now.
        self.child = None;
        ended.unwrap()
    }
}

/// The real interpreter: what version managers put in PATH is a script, which
/// uses CPU time of its own.
fn interpreter() -> &'static str {
    static INTERPRETER: OnceLock<String> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let show = ["-c", "import sys; print(sys.executable)"];
        let output = Command::new("python3").args(show).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// What a process has used in its life.
pub(crate) struct Resources {
    pub(crate) cpu_ns: u64,
    pub(crate) peak_rss_bytes: u64,
}

/// None as long as it runs.
fn resources_of_ended(pid: u32) -> Option<Resources> {
    let mut status = 0;
    // SAFETY: all fields are numbers, for which zero is a value.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the two that it is given; the process is a child of
    // this one that nobody else waits for.
    let answer =
        unsafe { libc::wait4(pid as libc::pid_t, &raw mut status, libc::WNOHANG, &raw mut used) };
    if answer == 0 {
        return None;
    }
    assert_eq!((answer, status), (pid as libc::pid_t, 0), "the script failed");
    let ns = |time: libc::timeval| time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1000;
    Some(Resources {
        cpu_ns: ns(used.ru_utime) + ns(used.ru_stime),
        peak_rss_bytes: used.ru_maxrss as u64 * 1024,
    })
}
