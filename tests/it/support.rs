//! What several tests need.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use epics_gauge::record::{Record, RunRecords};
use tempfile::TempDir;

/// The program under test, with a folder of its own as `--out`.
pub(crate) struct Gauge {
    out: TempDir,
    arguments: Vec<String>,
}

/// How a run of the program ended and what it left.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) out: TempDir,
}

pub(crate) fn program() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_epics-gauge"))
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
        let mut command = Command::new(program());
        command.arg("run").args(&self.arguments).arg("--out").arg(self.out());
        command
    }

    pub(crate) fn finish(self) -> Ran {
        let output = self.command().output().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            out: self.out,
        }
    }
}

impl Ran {
    pub(crate) fn records(&self) -> Vec<Record> {
        let text = std::fs::read_to_string(self.out.path().join("run/records.jsonl")).unwrap();
        RunRecords::parse(&text).unwrap().records
    }
}

/// Held by tests whose figures another test's load would spoil, on the whole
/// machine.
pub(crate) fn measuring_alone() -> File {
    let lock = File::create(std::env::temp_dir().join("epics-gauge-measuring.lock")).unwrap();
    lock.lock().unwrap();
    lock
}
