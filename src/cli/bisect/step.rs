//! One step of a bisection: the commit that is checked out is built, and compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use epics_gauge::process::{Command, ProcessError, interrupted};
use serde::{Deserialize, Serialize};

use super::git::{WorkTree, epics_variables};
use super::placeholders::read;
use super::{Placeholders, comparison};
use crate::cli::arguments::{BisectStepArguments, CompareArguments};
use crate::cli::exit::Exit;
use crate::cli::{Failure, compare, interrupt};

/// A build, EPICS Base from nothing on a small machine included.
const BUILD_DEADLINE: Duration = Duration::from_secs(3600);

/// A build with its comparison.
pub(super) const STEP_DEADLINE: Duration = Duration::from_secs(2 * 3600);

/// What `git bisect run` takes for an answer: git-bisect(1).
const GOOD: u8 = 0;
const BAD: u8 = 1;
const SKIP: u8 = 125;
/// Ends the bisection.
const ABORT: u8 = 255;

/// How a commit is tested. It is written to a file, for git starts each test.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Step {
    /// The command that builds a checkout.
    build: Vec<String>,
    /// The arguments of the comparison, with all folders filled in.
    compare: Vec<String>,
    /// The user's approaches, with all folders filled in.
    approaches_file: Option<PathBuf>,
    /// The user's servers, likewise.
    servers_file: Option<PathBuf>,
    /// Where logs and comparisons are kept.
    folder: PathBuf,
}

/// What a test found.
#[derive(Debug)]
pub(super) enum Tested {
    /// No difference, or better.
    Good,
    /// Worse.
    Bad,
    /// The comparison could not decide it.
    Undecided,
    /// It does not build; the log.
    NotBuilt(PathBuf),
    /// A side failed.
    Unmeasured,
    /// Nothing more is to be tested.
    Stopped(Exit),
}

impl Step {
    pub(super) fn new(
        [compare, build]: [&[String]; 2],
        asked: &CompareArguments,
        folder: &Path,
        [good, checkout]: [&WorkTree; 2],
    ) -> Result<Step, Failure> {
        let files = [&asked.approaches_file, &asked.servers_file];
        let mut named = compare.iter().any(|word| Placeholders::is_in(word));
        for file in files.into_iter().flatten() {
            named |= Placeholders::is_in(&read(file)?);
        }
        if !named {
            return Err(Failure::usage(
                "every commit would be measured alike: write {checkout} where the folder of the \
                 commit under test belongs, and {good} where that of the good commit does, in the \
                 --approaches file or in --ioc-a and --ioc-b (docs/over-time.md)",
            ));
        }
        let placeholders = Placeholders::new(good.path(), checkout.path());
        let filled = |file: &Option<PathBuf>, name: &str| {
            let filled =
                file.as_ref().map(|file| placeholders.filled_file(file, folder.join(name)));
            filled.transpose()
        };
        Ok(Step {
            build: build.to_vec(),
            compare: compare.iter().map(|word| placeholders.fill_in(word)).collect(),
            approaches_file: filled(&asked.approaches_file, "approaches.toml")?,
            servers_file: filled(&asked.servers_file, "servers.toml")?,
            folder: folder.to_owned(),
        })
    }

    /// Writes it for [`run`].
    pub(super) fn write(&self) -> Result<PathBuf, Failure> {
        let path = self.folder.join("step.json");
        let text = serde_json::to_string_pretty(self).map_err(Failure::unmeasured)?;
        fs::write(&path, text).map_err(|error| {
            Failure::unmeasured(format!("cannot write {}: {error}", path.display()))
        })?;
        Ok(path)
    }

    /// Builds `commit`, which is checked out in `tree`; the log where that fails.
    pub(super) fn build(&self, tree: &Path, commit: &str) -> Result<Result<(), PathBuf>, Failure> {
        let [program, words @ ..] = &self.build[..] else { return Ok(Ok(())) };
        let program = if program.contains('/') { tree.join(program) } else { program.into() };
        let command =
            Command::new(program).arguments(words).folder(tree).environment(epics_variables());
        let error = match command.run(BUILD_DEADLINE, |line| eprintln!("{line}")) {
            Ok(_) => return Ok(Ok(())),
            Err(ProcessError::Interrupted) => return Err(Failure::interrupted()),
            Err(error) => error,
        };
        let log = self.folder.join("logs").join(format!("build-{commit}.log"));
        fs::write(&log, format!("{error}\n")).map_err(|error| {
            Failure::unmeasured(format!("cannot write {}: {error}", log.display()))
        })?;
        Ok(Err(log))
    }

    /// Builds and compares `commit`, which is checked out in `tree`.
    pub(super) fn test(&self, tree: &Path, commit: &str) -> Result<Tested, Failure> {
        if let Err(log) = self.build(tree, commit)? {
            return Ok(Tested::NotBuilt(log));
        }
        let mut arguments = comparison(&self.compare)?;
        arguments.out = Some(self.folder.join(commit));
        arguments.approaches_file.clone_from(&self.approaches_file);
        arguments.servers_file.clone_from(&self.servers_file);
        Ok(match compare::run(&arguments) {
            Ok(Exit::Good) => Tested::Good,
            Ok(Exit::Regressed) => Tested::Bad,
            Ok(Exit::Undecided) => Tested::Undecided,
            Ok(Exit::CouldNotMeasure) => Tested::Unmeasured,
            Ok(other) => Tested::Stopped(other),
            Err(failure) if failure.exit == Exit::CouldNotMeasure && !interrupted() => {
                eprintln!("epics-gauge: {}", failure.message);
                Tested::Unmeasured
            }
            Err(failure) => return Err(failure),
        })
    }
}

/// `bisect-step`, which `git bisect run` starts in the checkout that is tested.
pub(in crate::cli) fn run(arguments: &BisectStepArguments) -> Result<Exit, Failure> {
    interrupt::listen().map_err(Failure::unmeasured)?;
    let tested = step_of(arguments);
    let (code, words) = match &tested {
        Ok((_, Tested::Good)) => (GOOD, "good".to_owned()),
        Ok((_, Tested::Bad)) => (BAD, "worse".to_owned()),
        Ok((_, Tested::Undecided)) => (SKIP, "undecided, skipped".to_owned()),
        Ok((_, Tested::NotBuilt(log))) => {
            (SKIP, format!("does not build, skipped: {}", log.display()))
        }
        Ok((_, Tested::Unmeasured)) => (SKIP, "could not be measured, skipped".to_owned()),
        Ok((_, Tested::Stopped(_))) => (ABORT, "stopped".to_owned()),
        Err(failure) => (ABORT, failure.message.clone()),
    };
    let commit = tested.as_ref().map_or("this step", |(commit, _)| commit);
    eprintln!("epics-gauge: {commit}: {words}");
    Ok(Exit::OfCommand(code))
}

fn step_of(arguments: &BisectStepArguments) -> Result<(String, Tested), Failure> {
    let step: Step = serde_json::from_str(&read(&arguments.file)?).map_err(Failure::usage)?;
    let tree = std::env::current_dir().map_err(Failure::unmeasured)?;
    let head = Command::new("git").arguments(["rev-parse", "HEAD"]).folder(&tree);
    let head = head.run(Duration::from_secs(60), |_| ()).map_err(Failure::unmeasured)?;
    let commit = head.trim().to_owned();
    let tested = step.test(&tree, &commit)?;
    Ok((commit, tested))
}
