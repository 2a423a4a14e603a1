//! Nothing outlives a run, whatever ends it, and no process makes the harness
//! wait for ever.

pub(crate) mod proc_files;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use epics_gauge::ioc::SoftIoc;
use epics_gauge::process::{Child, Command, Deadline, Event, ProcessError};
use epics_gauge::record::RunRecords;
use tempfile::TempDir;

use crate::support::{Gauge, program};
use proc_files::{
    PATIENCE, Seen, descendants, ioc_below, process, signal, wait_until, wait_until_gone,
};

fn shell(script: &str) -> Command {
    Command::new("/bin/sh").argument("-c").argument(script)
}

fn ended(command: &Command) -> ExitStatus {
    match command.run(PATIENCE, |_| ()) {
        Err(ProcessError::Ended { status, .. }) => status,
        other => panic!("{other:?}"),
    }
}

/// Reads until a line on stdout.
fn next_line(child: &mut Child) -> String {
    let deadline = Deadline::after(PATIENCE);
    loop {
        match child.next_event(&deadline, "print a line").unwrap() {
            Event::Stdout(line) => return line,
            Event::Stderr(_) => {}
            Event::Ended(status) => panic!("{}", child.ended_early(status)),
        }
    }
}

fn seen(pid: &str) -> Seen {
    process(pid.trim().parse().unwrap()).unwrap_or_else(|| panic!("{pid} does not live"))
}

#[test]
fn exit_code_and_signal_of_a_command_are_passed_on() {
    assert_eq!(ended(&shell("exit 7")).code(), Some(7));
    assert_eq!(ended(&shell("exit 124")).code(), Some(124));
    assert_eq!(ended(&shell("kill -SEGV $$")).signal(), Some(libc::SIGSEGV));
    assert_eq!(ended(&shell("kill -KILL $$")).signal(), Some(libc::SIGKILL));
    assert_eq!(shell("echo fine; echo log >&2").run(PATIENCE, |_| ()).unwrap().len(), 9);
}

#[test]
fn a_program_that_cannot_be_executed_is_named() {
    let no_program = tempfile::NamedTempFile::new().unwrap();
    for program in
        ["/nowhere/epics", "no-such-program-anywhere", no_program.path().to_str().unwrap()]
    {
        match Command::new(program).argument("-x").start() {
            Err(error @ ProcessError::Start { .. }) => {
                assert!(error.to_string().contains(&format!("`{program} -x`")), "{error}");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_error_carries_the_command_its_status_and_what_it_printed() {
    let error = shell("echo out; echo err >&2; exit 3").run(PATIENCE, |_| ()).unwrap_err();
    let message = error.to_string();
    for part in ["/bin/sh -c", "exit status: 3", "out", "err"] {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}

#[test]
fn inherited_epics_variables_do_not_reach_a_process() {
    // The variables of a process of its own: this one has threads.
    let script = format!("EPICS_CA_ADDR_LIST=192.0.2.1 EPICS_X=1 exec {} ioc", program().display());
    let mut child = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let environment = fs::read(format!("/proc/{}/environ", ioc_below(child.id()))).unwrap();
    writeln!(child.stdin.take().unwrap(), "exit").unwrap();
    child.wait().unwrap();
    let environment = String::from_utf8_lossy(&environment);
    assert!(environment.contains("EPICS_CA_ADDR_LIST=127.0.0.1\0"), "{environment}");
    assert!(
        !environment.contains("192.0.2.1") && !environment.contains("EPICS_X"),
        "{environment}"
    );
}

#[test]
fn a_process_that_ignores_signals_and_holds_stdout_is_killed_on_drop() {
    let script = "trap '' TERM INT HUP; sleep 1000 & echo $!; while :; do sleep 1000; done";
    let mut child = shell(script).start().unwrap();
    let grandchild = seen(&next_line(&mut child));
    let family = [process(child.pid()).unwrap(), grandchild];
    let start = Instant::now();
    drop(child);
    assert!(!family[0].lives() && !family[1].lives(), "{family:?}");
    assert!(start.elapsed() < Duration::from_secs(9), "it was waited for in vain");
}

#[test]
fn a_daemon_does_not_survive_its_drop() {
    // Forked twice, in a session of its own, with no stream left open.
    let script =
        "setsid sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'; sleep 1000";
    let mut child = shell(script).start().unwrap();
    let daemon = seen(&next_line(&mut child));
    assert!(daemon.lives());
    drop(child);
    assert!(!daemon.lives());
}

#[test]
fn a_daemon_does_not_survive_the_end_of_the_process_that_forked_it() {
    let script = "setsid sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $!'; exit 5";
    let mut child = shell(script).start().unwrap();
    let daemon: u32 = next_line(&mut child).trim().parse().unwrap();
    let deadline = Deadline::after(PATIENCE);
    match child.next_event(&deadline, "end").unwrap() {
        Event::Ended(status) => assert_eq!(status.code(), Some(5)),
        other => panic!("{other:?}"),
    }
    assert!(process(daemon).is_none());
}

#[test]
fn an_endless_line_does_not_block_the_harness() {
    let mut child = shell("while :; do printf 0123456789; done").start().unwrap();
    let start = Instant::now();
    let second = Deadline::after(Duration::from_secs(1));
    let error = child.next_event(&second, "end its line").unwrap_err();
    assert!(matches!(error, ProcessError::TimedOut { .. }), "{error:?}");
    let seen = process(child.pid()).unwrap();
    drop(child);
    assert!(!seen.lives());
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn megabytes_of_output_do_not_block_the_process_and_their_end_is_kept() {
    // 4 MB on both streams, while nobody reads an event.
    let script = "yes 0123456789012345678 | head -n 100000; \
                  yes 0123456789012345678 | head -n 100000 >&2; while :; do echo last; sleep 0.2; done";
    let child = shell(script).start().unwrap();
    wait_until("it printed all", || child.output().ends_with("last\n"));
    let kept = child.output();
    assert!(kept.len() < 2 << 20, "{} bytes kept", kept.len());
    assert!(kept.contains("earlier lines dropped"));
    // What nobody can read does not block either, though no pipe holds it.
    for _ in 0..100 {
        child.write_line(&"x".repeat(100_000));
    }
}

#[test]
fn a_process_that_closed_its_streams_is_waited_for_no_longer_than_the_deadline() {
    let start = Instant::now();
    let error = shell("exec >&- 2>&-; exec sleep 60").run(Duration::from_secs(1), |_| ());
    assert!(matches!(error, Err(ProcessError::TimedOut { .. })), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[test]
fn no_process_survives_a_panic() {
    let mut family = Vec::new();
    let mut folder = None;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let ioc = SoftIoc::builder().pvs(1).start().unwrap();
        let child = shell("sleep 1000").start().unwrap();
        family = vec![process(ioc.pid()).unwrap(), process(child.pid()).unwrap()];
        folder = Some(ioc.folder().to_owned());
        // Not by panic!, whose message would look like a failure in the output.
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
    assert!(panicked.is_err());
    assert_eq!(family.len(), 2);
    assert!(family.iter().all(|process| !process.lives()), "{family:?}");
    assert!(!folder.unwrap().exists());
}

/// An approach whose worker forks a daemon in every known way and then hangs.
/// The daemons' ids are in the file `daemons`.
fn daemon_forker() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = "#!/bin/sh\n\
        setsid sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >> daemons'\n\
        (nohup sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >> daemons)\n\
        echo ready >> daemons\n\
        sleep 1000\n";
    let worker = folder.path().join("worker.sh");
    fs::write(&worker, script).unwrap();
    fs::set_permissions(&worker, fs::Permissions::from_mode(0o755)).unwrap();
    let approaches = "[approach.daemon-forker]\ncommand = [\"/bin/sh\", \"{folder}/worker.sh\"]\n";
    fs::write(folder.path().join("approaches.toml"), approaches).unwrap();
    folder
}

/// The program in the middle of something, with a folder of its own for
/// temporary files and nothing of ours in its session.
pub(crate) struct Started {
    pub(crate) child: std::process::Child,
    /// Holds the folder of a run's results.
    gauge: Option<Gauge>,
    temporary: TempDir,
    stderr: tempfile::NamedTempFile,
}

impl Started {
    fn now(mut command: std::process::Command) -> Started {
        let temporary = tempfile::tempdir().unwrap();
        let stderr = tempfile::NamedTempFile::new().unwrap();
        command.env("TMPDIR", temporary.path()).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(stderr.reopen().unwrap());
        Started { child: command.spawn().unwrap(), gauge: None, temporary, stderr }
    }

    pub(crate) fn run(gauge: Gauge) -> Started {
        let mut started = Started::now(gauge.command());
        started.gauge = Some(gauge);
        started
    }

    fn ioc(arguments: &[&str]) -> Started {
        let mut command = std::process::Command::new(program());
        command.arg("ioc").args(arguments);
        Started::now(command)
    }

    fn family(&self) -> Vec<Seen> {
        descendants(self.child.id())
    }

    /// Waits until it has a descendant of each name, and gives all descendants.
    pub(crate) fn wait_for(&self, names: &[&str]) -> Vec<Seen> {
        let mut family = Vec::new();
        wait_until(&format!("{names:?} live"), || {
            family = self.family();
            names.iter().all(|name| family.iter().any(|process| process.name == *name))
        });
        family
    }

    /// Waits until it says this on stderr.
    fn wait_for_word(&self, word: &str) {
        wait_until(word, || fs::read_to_string(&self.stderr).unwrap().contains(word));
    }

    /// As a terminal does on Ctrl-C: to the whole foreground group.
    fn interrupt(&self, number: i32) {
        let group = libc::pid_t::try_from(self.child.id()).unwrap();
        // SAFETY: kill takes two numbers and touches no memory.
        assert_eq!(unsafe { libc::kill(-group, number) }, 0);
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if Instant::now() < end => thread::sleep(Duration::from_millis(10)),
                None => panic!("it still runs after {PATIENCE:?}"),
            }
        }
    }

    pub(crate) fn ends_with_code(&mut self, code: i32) {
        let status = self.wait();
        let stderr = fs::read_to_string(&self.stderr).unwrap();
        assert_eq!(status.code(), Some(code), "{status}: {stderr}");
    }

    pub(crate) fn left_files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.temporary.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a run whose worker has forked daemons and hangs; gives all its
/// processes, the daemons among them.
fn run_that_hangs(forker: &Path) -> (Started, Vec<Seen>) {
    let gauge = Gauge::run("connect --approach daemon-forker --pvs 10 --blocks 1 --mode bulk")
        .argument("--approaches")
        .argument(forker.join("approaches.toml"));
    let started = Started::run(gauge);
    let daemons = || fs::read_to_string(forker.join("daemons")).unwrap_or_default();
    wait_until("the worker has forked its daemons", || daemons().ends_with("ready\n"));
    let family = started.wait_for(&["softIoc", "supervisor", "sleep", "sh"]);
    let daemons: Vec<Seen> = daemons().lines().filter(|line| *line != "ready").map(seen).collect();
    assert_eq!(daemons.len(), 2);
    for daemon in &daemons {
        assert!(family.iter().any(|seen| seen.is(daemon)), "{daemon:?} escaped: {family:?}");
    }
    (started, family)
}

#[test]
fn no_process_survives_sigkill_of_a_run() {
    let forker = daemon_forker();
    let (mut started, family) = run_that_hangs(forker.path());
    signal(started.child.id(), libc::SIGKILL);
    assert_eq!(started.wait().signal(), Some(libc::SIGKILL));
    wait_until_gone(&family);
    assert_eq!(started.left_files(), [""; 0]);
}

#[test]
fn no_process_survives_sigkill_of_an_ioc_command() {
    let mut started = Started::ioc(&["--pvs", "10", "--rate", "10"]);
    let family = started.wait_for(&["softIoc", "supervisor"]);
    signal(started.child.id(), libc::SIGKILL);
    assert_eq!(started.wait().signal(), Some(libc::SIGKILL));
    wait_until_gone(&family);
    assert_eq!(started.left_files(), [""; 0]);
}

#[test]
fn signals_that_ask_to_stop_end_a_hanging_run_and_leave_nothing() {
    for number in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        let forker = daemon_forker();
        let (mut started, family) = run_that_hangs(forker.path());
        started.interrupt(number);
        started.ends_with_code(130);
        assert!(family.iter().all(|process| !process.lives()), "signal {number}: {family:?}");
        assert_eq!(started.left_files(), [""; 0], "signal {number}");
    }
}

#[test]
fn an_interrupted_run_keeps_the_records_it_has() {
    let gauge = Gauge::run("connect --approach wire --pvs 10 --blocks 1000 --mode bulk");
    let out = gauge.out();
    let mut started = Started::run(gauge);
    let file = out.join("records.jsonl");
    let records = || fs::read_to_string(&file).unwrap_or_default();
    wait_until("two records are written", || records().lines().count() > 2);
    let family = started.family();
    started.interrupt(libc::SIGINT);
    started.ends_with_code(130);
    assert!(family.iter().all(|process| !process.lives()), "{family:?}");
    assert_eq!(started.left_files(), [""; 0]);
    let run = RunRecords::parse(&records()).unwrap();
    assert!(run.records.len() >= 2);
    assert!(run.records.iter().all(|record| record.failure.is_none()));
    assert!(run.end.unwrap().interrupted);
    assert!(out.join("report.md").exists());
}

#[test]
fn signals_and_exit_end_an_ioc_command() {
    let ask: [(fn(&mut Started), i32); 3] = [
        (|started| started.interrupt(libc::SIGINT), 0),
        (|started| started.interrupt(libc::SIGTERM), 0),
        (|started| writeln!(started.child.stdin.as_ref().unwrap(), "exit").unwrap(), 0),
    ];
    for (stop, code) in ask {
        let mut started = Started::ioc(&["--pvs", "10"]);
        let family = started.wait_for(&["softIoc"]);
        started.wait_for_word("the IOC serves");
        stop(&mut started);
        started.ends_with_code(code);
        assert!(family.iter().all(|process| !process.lives()), "{family:?}");
        assert_eq!(started.left_files(), [""; 0]);
    }
}

/// Pipes and /dev/null end at once; that says nothing of the time that an IOC is needed.
#[test]
fn an_ioc_command_survives_the_end_of_its_input_and_ends_with_its_time() {
    let mut started = Started::ioc(&["--for", "2s"]);
    drop(started.child.stdin.take());
    started.wait_for_word("the IOC serves");
    let family = started.wait_for(&["softIoc"]);
    thread::sleep(Duration::from_millis(500));
    assert!(started.child.try_wait().unwrap().is_none(), "it ended with its input");
    started.ends_with_code(0);
    assert!(family.iter().all(|process| !process.lives()), "{family:?}");
}

#[test]
fn an_ioc_command_ends_with_the_process_that_started_it() {
    let stderr = tempfile::NamedTempFile::new().unwrap();
    let log_text = || fs::read_to_string(&stderr).unwrap();
    let script = format!("{} ioc </dev/null >/dev/null & sleep 100", program().display());
    let mut shell = std::process::Command::new("/bin/sh")
        .args(["-c", &script])
        .stderr(stderr.reopen().unwrap())
        .spawn()
        .unwrap();
    wait_until("it serves", || log_text().contains("the IOC serves"));
    let family = descendants(shell.id());
    assert!(family.iter().any(|process| process.name == "softIoc"), "{family:?}");
    shell.kill().unwrap();
    shell.wait().unwrap();
    wait_until("it says why it ends", || log_text().contains("the process that it served is gone"));
    let (sleeping, others): (Vec<Seen>, Vec<Seen>) =
        family.into_iter().partition(|process| process.name == "sleep");
    wait_until_gone(&others);
    sleeping.iter().for_each(|process| signal(process.pid, libc::SIGKILL));
}
