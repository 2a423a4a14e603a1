//! What several tests need.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use epics_gauge::approach::{Approach, Catalogue};
use epics_gauge::campaign::{IfBusy, MeasuringLock, measuring_lock};
use epics_gauge::process::{Child, Deadline, Event};
use epics_gauge::python_site::{Missing, PythonSite};
use epics_gauge::record::{Record, RunRecords};
use epics_gauge::scenario::pv_name;
use epics_gauge::worker_protocol::{
    Done, FromWorker, Hello, InjectedSlowdown, Job, Mode, Stage, StageCommand, ToWorker,
};
use tempfile::TempDir;

/// The program under test, with a folder of its own as `--out`.
pub(crate) struct Gauge {
    out: TempDir,
    arguments: Vec<String>,
}

/// How a run of the program ended and what it left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
    pub(crate) out: TempDir,
}

pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_epics-gauge"))
}

/// The program under test, which measures without the machine's lock: tests run side by
/// side, and none of them waits for another.
pub(crate) fn gauge() -> Command {
    let mut command = Command::new(program());
    command.env("EPICS_GAUGE_LOCK", "off");
    command
}

impl Gauge {
    /// `epics-gauge run` with these arguments, separated by blanks.
    pub(crate) fn run(arguments: &str) -> Gauge {
        let arguments = arguments.split_whitespace().map(str::to_owned).collect();
        Gauge { out: tempfile::tempdir().unwrap(), arguments }
    }

    pub(crate) fn argument(mut self, argument: impl AsRef<Path>) -> Gauge {
        self.arguments.push(argument.as_ref().display().to_string());
        self
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.out.path().join("run")
    }

    /// The command, for tests that start it themselves.
    pub(crate) fn command(&self) -> Command {
        let mut command = gauge();
        command.arg("run").args(&self.arguments).arg("--out").arg(self.out());
        command
    }

    pub(crate) fn finish(self) -> Ran {
        self.finish_with(&[])
    }

    /// Runs it with more in its environment.
    pub(crate) fn finish_with(self, environment: &[(&str, &str)]) -> Ran {
        let output = self.command().envs(environment.iter().copied()).output().unwrap();
        Ran {
            code: output.status.code(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            out: self.out,
        }
    }
}

impl Ran {
    /// Of the blocks that were asked for: how many more it takes to confirm what
    /// they say depends on the machine.
    pub(crate) fn records(&self) -> Vec<Record> {
        let text = std::fs::read_to_string(self.out.path().join("run/records.jsonl")).unwrap();
        let mut records = RunRecords::parse(&text).unwrap().records;
        records.retain(|record| !record.confirms);
        records
    }
}

/// Held by tests whose figures another test's load would spoil, on the whole
/// machine.
pub(crate) fn measuring_alone() -> MeasuringLock {
    measuring_lock(IfBusy::Wait, |waiting| eprintln!("{waiting}")).unwrap()
}

/// The names of the approaches of the catalogue that are meant, so that a test takes in
/// each new one by itself.
pub(crate) fn approaches_where(is_meant: impl Fn(&Approach) -> bool) -> Vec<String> {
    let catalogue = Catalogue::built_in();
    let meant = catalogue.all().iter().filter(|approach| is_meant(approach));
    meant.map(|approach| approach.name.clone()).collect()
}

/// Tests that start many clients hold this, so that they run one after another: together they
/// would leave the others of the suite no time, and a worker that has to wait seems to lie.
pub(crate) fn crowd() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checks all of them at once: what waits most of its time waits together.
pub(crate) fn at_once<T: Sync>(all: &[T], check: impl Fn(&T) + Sync) {
    let check = &check;
    std::thread::scope(|scope| {
        for one in all {
            scope.spawn(move || check(one));
        }
    });
}

/// The worker of an approach of the catalogue, driven by the test itself.
pub(crate) struct WorkerDriver {
    child: Child,
    pub(crate) hello: Hello,
}

impl WorkerDriver {
    pub(crate) fn start(approach: &str, environment: Vec<(String, String)>) -> WorkerDriver {
        let catalogue = Catalogue::built_in();
        let found = catalogue.resolve(approach).unwrap();
        let site = match found.needs_python_site() {
            true => PythonSite::install(|_| ()),
            false => Err(Missing("no Python was asked for".to_owned())),
        };
        let command = found.command(&program(), &site).unwrap().environment(environment);
        let mut child = command.start().unwrap();
        match answer_of(&mut child) {
            FromWorker::Hello(hello) => {
                assert_eq!(hello.approach, found.says_hello_as());
                WorkerDriver { child, hello }
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn job(&mut self, pvs: usize) {
        self.job_of((0..pvs).map(pv_name).collect(), 60.0);
    }

    /// A job of any PVs, with its own time limit.
    pub(crate) fn job_of(&mut self, pvs: Vec<String>, timeout_s: f64) {
        self.say(&ToWorker::Job(Job { pvs, timeout_s, slowdown: None }));
    }

    /// The usual job for a worker that is slower than it is.
    pub(crate) fn job_with(&mut self, pvs: usize, slowdown: Option<InjectedSlowdown>) {
        let pvs = (0..pvs).map(pv_name).collect();
        self.say(&ToWorker::Job(Job { pvs, timeout_s: 60.0, slowdown }));
    }

    pub(crate) fn stage(&mut self, stage: Stage, mode: Mode) -> Done {
        self.run(&StageCommand::new(stage, mode)).unwrap()
    }

    /// Runs a stage to its end; a failed one is the worker's error.
    pub(crate) fn run(&mut self, command: &StageCommand) -> Result<Done, String> {
        self.begin(command);
        self.finish()
    }

    /// Begins a stage, to do something else while it runs.
    pub(crate) fn begin(&self, command: &StageCommand) {
        self.say(&ToWorker::Stage(command.clone()));
    }

    /// Waits for the end of the stage that was begun.
    pub(crate) fn finish(&mut self) -> Result<Done, String> {
        match self.answer() {
            FromWorker::Done(done) => Ok(done),
            FromWorker::Failed(failed) => Err(failed.error),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until the process has ended by itself.
    pub(crate) fn ended(&mut self) -> std::process::ExitStatus {
        let deadline = Deadline::after(Duration::from_secs(30));
        loop {
            match self.child.next_event(&deadline, "end").unwrap() {
                Event::Ended(status) => return status,
                Event::Stdout(line) | Event::Stderr(line) => eprintln!("{line}"),
            }
        }
    }

    /// Ends its stdin, which ends it at once.
    pub(crate) fn end_stdin(&mut self) {
        self.child.close_stdin();
    }

    /// Stops the worker's process for a while; gives when that began.
    pub(crate) fn stopped_for(&self, duration: Duration) -> u64 {
        let since_ns = epics_gauge::process::monotonic_ns();
        self.child.pause();
        std::thread::sleep(duration);
        self.child.resume();
        since_ns
    }

    fn say(&self, message: &ToWorker) {
        self.child.write_line(&serde_json::to_string(message).unwrap());
    }

    fn answer(&mut self) -> FromWorker {
        answer_of(&mut self.child)
    }
}

fn answer_of(child: &mut Child) -> FromWorker {
    let deadline = Deadline::after(Duration::from_secs(90));
    loop {
        match child.next_event(&deadline, "answer").unwrap() {
            Event::Stdout(line) => return serde_json::from_str(&line).unwrap(),
            Event::Stderr(line) => eprintln!("{line}"),
            Event::Ended(status) => panic!("{status}"),
        }
    }
}
