//! One measurement at a time: who waits for whom, and for how long.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

use tempfile::TempDir;

use crate::processes::proc_files::wait_until;
use crate::support::program;

/// A lock of this test's own, so that it waits for nobody else.
struct Lock {
    folder: TempDir,
}

/// Measures for long enough.
const LONG: &str = "run scalars --approach wire --pvs 1 --rate 10 --seconds 300 --blocks 1";

/// Measures in a moment.
const SHORT: &str = "run connect --approach wire --pvs 1 --mode bulk --blocks 1 --fresh-blocks 0";

impl Lock {
    fn new() -> Lock {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let lock = Lock { folder };
        File::create(lock.path()).unwrap();
        lock
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("lock")
    }

    fn command(&self, arguments: &str, out: &str) -> Command {
        let mut command = Command::new(program());
        command.args(arguments.split_whitespace());
        command.arg("--out").arg(self.folder.path().join(out));
        command.env("EPICS_GAUGE_LOCK", self.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// A command that measures already.
    fn measuring(&self) -> Running {
        let running = Running(self.command(LONG, "long").spawn().unwrap());
        wait_until("the first command measures", || !self.is_free());
        running
    }

    fn is_free(&self) -> bool {
        File::open(self.path()).unwrap().try_lock().is_ok()
    }
}

/// Killed when dropped.
struct Running(Child);

impl Running {
    fn signal(&self, signal: libc::c_int) {
        // SAFETY: only sends a signal, to a child that was not waited for.
        unsafe { libc::kill(self.0.id() as libc::pid_t, signal) };
    }

    /// The first line on its stderr that holds `word`.
    fn line_with(&mut self, word: &str) -> (String, BufReader<ChildStderr>) {
        let mut stderr = BufReader::new(self.0.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended without `{word}`");
        }
        (line, stderr)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Process id, user and command of whoever measures.
#[track_caller]
fn names(text: &str, holder: &Running) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let own = Command::new("id").arg("-un").output().unwrap();
    let user = String::from_utf8(own.stdout).unwrap();
    assert!(
        text.contains(&format!("process {} of user {},", holder.0.id(), user.trim())),
        "{text}"
    );
    assert!(text.contains("epics-gauge run scalars --approach wire"), "{text}");
}

#[test]
fn a_second_command_waits_reports_for_whom_and_measures_when_the_first_is_killed() {
    let lock = Lock::new();
    let first = lock.measuring();
    let mut second = Running(lock.command(SHORT, "short").spawn().unwrap());
    let (line, mut rest) = second.line_with("waiting");
    names(&line, &first);
    assert!(line.contains("--no-wait"), "{line}");
    first.signal(libc::SIGKILL);
    let mut text = String::new();
    rest.read_to_string(&mut text).unwrap();
    let code = second.0.wait().unwrap().code();
    // One block decides nothing; it has measured.
    assert!(lock.folder.path().join("short/report.json").is_file(), "{code:?} {text}");
    drop(first);
}

#[test]
fn a_command_that_does_not_wait_ends_with_who_measures() {
    let lock = Lock::new();
    let first = lock.measuring();
    for measures in [
        SHORT,
        "compare wire libca --pvs 1",
        "calibrate --pvs 1 --rounds 20 --experiments 100 --whole-runs 0",
    ] {
        let second = lock.command(&format!("{measures} --no-wait"), "short").output().unwrap();
        let text = stderr(&second);
        assert_eq!(second.status.code(), Some(4), "{measures}: {text}");
        names(&text, &first);
        assert!(text.contains("another measurement runs on this machine"), "{text}");
        assert!(!lock.folder.path().join("short").exists(), "{measures}");
    }
}

#[test]
fn ctrl_c_ends_the_wait() {
    let lock = Lock::new();
    let _first = lock.measuring();
    let mut second = Running(lock.command(SHORT, "short").spawn().unwrap());
    let _line = second.line_with("waiting");
    second.signal(libc::SIGINT);
    assert_eq!(second.0.wait().unwrap().code(), Some(130));
}

#[test]
fn another_user_waits_as_well() {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("not tried: only root can be another user");
        return;
    }
    let lock = Lock::new();
    let first = lock.measuring();
    let copy = lock.folder.path().join("epics-gauge");
    // By another process: while this one has the copy open to write, a test beside it may
    // fork and keep it open, and nobody can run it.
    assert!(Command::new("cp").arg(program()).arg(&copy).status().unwrap().success());
    let second = as_nobody(&copy)
        .args(SHORT.split_whitespace())
        .arg("--no-wait")
        .current_dir("/")
        .env("EPICS_GAUGE_LOCK", lock.path())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(4), "{}", stderr(&second));
    names(&stderr(&second), &first);
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(program);
    command
}

#[test]
fn a_command_within_the_command_that_measures_does_not_wait_for_it() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let lock = Lock::new();
    let held = File::open(lock.path()).unwrap();
    held.lock().unwrap();
    // This test holds the lock, and starts the command itself.
    let within = lock.command(SHORT, "short").output().unwrap();
    assert!(lock.folder.path().join("short/report.json").is_file(), "{}", stderr(&within));
    assert!(!stderr(&within).contains("waiting"), "{}", stderr(&within));
}
