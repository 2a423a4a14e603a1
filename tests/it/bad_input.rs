//! Bad input, lying workers, dying servers, full disks and Ctrl-C: each is a
//! clear message, the right exit code, what was measured so far kept, and
//! nothing left running.

mod approaches_file;
mod arguments;
mod full_disk;
mod interrupted;
mod ioc_death;
mod limits_file;
mod missing;
mod monitors;
mod output_folder;
mod record_file;
mod tampering;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use epics_gauge::record::{FailureKind, Record, RunRecords, Scenario};
use epics_gauge::worker_protocol::Stage;
use tempfile::TempDir;

use super::support::{gauge, program};

/// Stages of a complete record: in bulk mode, and one PV at a time.
const STAGES_IN_BULK: usize = 13;
const STAGES_IN_SERIAL: usize = 9;

/// Far longer than any run here takes on a busy machine, and shorter than the
/// deadlines that a broken harness might wait for.
const PATIENCE: Duration = Duration::from_secs(240);

/// One invocation of the program, in folders of its own: what it leaves behind,
/// files or processes, can be found.
struct Invocation {
    folder: TempDir,
    command: Command,
}

/// A running invocation.
struct Running {
    folder: TempDir,
    child: Child,
}

/// An invocation that has ended.
struct Ended {
    folder: TempDir,
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

impl Invocation {
    /// The program with these arguments, separated by blanks; `OUT` in them
    /// becomes the folder for `--out`, `FOLDER` one that holds nothing else.
    fn of(arguments: &str) -> Invocation {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let mut command = gauge();
        command.env("TMPDIR", temporary).current_dir(&folder).stdin(Stdio::null());
        let mut invocation = Invocation { folder, command };
        invocation.add(arguments);
        let (first, _) = arguments.split_once(' ').unwrap_or((arguments, ""));
        let is_run = first == "run" || first.parse::<Scenario>().is_ok() || first.starts_with('-');
        if is_run && arguments.contains("--out OUT") && !arguments.contains("--format") {
            // Tests look for what is in the tables, too.
            invocation.add("--tables");
        }
        invocation
    }

    /// More arguments.
    fn add(&mut self, arguments: &str) {
        let (out, folder) = (self.out(), self.folder.path().display().to_string());
        for argument in arguments.split_whitespace() {
            let argument = argument.replace("FOLDER", &folder);
            self.command.arg(argument.replace("OUT", &out.display().to_string()));
        }
    }

    fn environment(mut self, name: &str, value: impl AsRef<OsStr>) -> Invocation {
        self.command.env(name, value);
        self
    }

    /// A file in the folder that `FOLDER` stands for.
    fn file(self, name: &str, text: &str) -> Invocation {
        fs::write(self.folder.path().join(name), text).unwrap();
        self
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn start(mut self) -> Running {
        let file = |name| fs::File::create(self.folder.path().join(name)).unwrap();
        self.command.stdout(file("stdout")).stderr(file("stderr"));
        // A group of its own, so that a signal to it is like Ctrl-C.
        let child = self.command.process_group(0).spawn().unwrap();
        Running { folder: self.folder, child }
    }

    fn finish(self) -> Ended {
        self.start().finish()
    }
}

impl Running {
    /// As Ctrl-C does in a terminal.
    fn interrupt(&self) {
        let group = i32::try_from(self.child.id()).unwrap();
        // SAFETY: only sends a signal, to the group that was made for it.
        assert_eq!(unsafe { libc::kill(-group, libc::SIGINT) }, 0);
    }

    /// Waits until `is_so`, while it runs.
    fn wait_until(&mut self, what: &str, mut is_so: impl FnMut(&Path) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is_so(self.folder.path()) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "ended before {what}: {ended:?}");
            assert!(Instant::now() < end, "not {what} within {PATIENCE:?}");
            sleep(Duration::from_millis(10));
        }
    }

    fn finish(mut self) -> Ended {
        let end = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > end {
                self.child.kill().unwrap();
                self.child.wait().unwrap();
                panic!("did not end within {PATIENCE:?}");
            }
            sleep(Duration::from_millis(10));
        };
        let printed = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        let (stdout, stderr) = (printed("stdout"), printed("stderr"));
        let ended = Ended { folder: self.folder, status, stdout, stderr };
        ended.assert_nothing_is_left();
        ended
    }
}

impl Ended {
    #[track_caller]
    fn exits_with(&self, code: i32) -> &Ended {
        assert_eq!(self.status.code(), Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// All words are in what the program says on stderr.
    #[track_caller]
    fn says(&self, words: &[&str]) -> &Ended {
        assert_holds(&self.stderr, words);
        self
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn out(&self, name: &str) -> PathBuf {
        self.file("out").join(name)
    }

    fn report(&self) -> String {
        fs::read_to_string(self.out("report.md")).unwrap()
    }

    fn run(&self) -> RunRecords {
        let text = fs::read_to_string(self.out("records.jsonl")).unwrap();
        RunRecords::parse(&text).unwrap()
    }

    /// Of the blocks that were asked for: how many more it takes to confirm what
    /// they say depends on the machine.
    fn records_of(&self, approach: &str) -> Vec<Record> {
        let mut records = self.run().records;
        records.retain(|record| record.approach == approach && !record.confirms);
        records
    }

    /// The approach did all it was asked in every block.
    #[track_caller]
    fn is_complete(&self, approach: &str, blocks: usize, stages: usize) -> &Ended {
        let records = self.records_of(approach);
        assert_eq!(records.len(), blocks, "records of {approach}");
        for record in records {
            assert_eq!(record.failure, None, "{approach}");
            assert_eq!(record.samples.len(), stages, "{:?}", record.samples);
        }
        self
    }

    /// Every record of the approach has failed so, and the report says it.
    #[track_caller]
    fn has_failed(
        &self,
        approach: &str,
        kind: FailureKind,
        stage: Option<Stage>,
        words: &[&str],
    ) -> &Ended {
        let records = self.records_of(approach);
        assert!(!records.is_empty(), "{approach} has no record");
        for record in records {
            let failure = record.failure.unwrap();
            assert_eq!((failure.kind, failure.stage), (kind, stage), "{}", failure.message);
            assert_holds(&failure.message, words);
        }
        for text in [&self.report(), &self.stdout] {
            assert_holds(text, &[&format!("{approach}: {}", kind.name())]);
            assert_holds(text, words);
        }
        self
    }

    /// Descendants inherit TMPDIR, which no other process has.
    #[track_caller]
    fn assert_nothing_is_left(&self) {
        let temporary = self.folder.path().join("temporary");
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let processes = processes_with(&temporary);
            if processes.is_empty() {
                break;
            }
            assert!(Instant::now() < end, "still running: {processes:?}");
            sleep(Duration::from_millis(50));
        }
        let files: Vec<PathBuf> =
            fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.is_empty(), "left behind: {files:?}");
    }
}

/// Blanks and line ends count as one: reports break lines.
#[track_caller]
fn assert_holds(text: &str, words: &[&str]) {
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let flattened = flat(text);
    for word in words {
        assert!(flattened.contains(&flat(word)), "`{word}` is not in:\n{text}");
    }
}

/// Command lines of the processes that have this folder in their environment.
fn processes_with(folder: &Path) -> Vec<String> {
    let folder = folder.as_os_str().as_encoded_bytes();
    let holds = |environment: &[u8]| environment.windows(folder.len()).any(|part| part == folder);
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| {
            let process = entry.ok()?.path();
            let environment = fs::read(process.join("environ")).ok()?;
            let command = fs::read_to_string(process.join("cmdline")).ok()?;
            holds(&environment).then(|| command.replace('\0', " "))
        })
        .collect()
}
