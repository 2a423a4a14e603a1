//! What `bisect` asks of git.

use std::env;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use epics_gauge::process::{Command, ProcessError};

use crate::cli::Failure;

/// Whatever git does by itself, but for checking out a work tree.
const DEADLINE: Duration = Duration::from_secs(60);

/// A large repository on a slow drive.
const CHECKOUT_DEADLINE: Duration = Duration::from_secs(1800);

/// The repository of the folder that this program runs in.
pub(super) struct Git {
    top: PathBuf,
}

/// How often it is looked whether a work tree is gone.
const LOOK: Duration = Duration::from_millis(20);

/// How a bisection ended.
pub(super) enum Bisected {
    /// The first worse commit: its hash, its subject, who made it and when.
    Found(String),
    /// Only commits are left that could not be tested, a line each.
    Skipped(String),
}

impl Git {
    pub(super) fn here() -> Result<Git, Failure> {
        let top = git(Path::new("."), &["rev-parse", "--show-toplevel"]).map_err(|error| {
            Failure::usage(format!(
                "bisect must run in a checkout of the repository that it looks through:\n{error}"
            ))
        })?;
        Ok(Git { top: PathBuf::from(top.trim_end()) })
    }

    /// What is not committed would be in no commit that is measured.
    pub(super) fn check_clean(&self) -> Result<(), Failure> {
        let changed = self.ask(&["status", "--porcelain", "--untracked-files=no"])?;
        match changed.lines().next() {
            None => Ok(()),
            Some(first) => Err(Failure::usage(format!(
                "{} has changes that are not committed, such as {}; commit or stash them: bisect \
                 measures commits only",
                self.top.display(),
                first.trim()
            ))),
        }
    }

    /// The hash of a commit.
    pub(super) fn commit(&self, name: &str) -> Result<String, Failure> {
        let commit = format!("{name}^{{commit}}");
        let hash = git(&self.top, &["rev-parse", "--verify", "--end-of-options", &commit]);
        let hash = hash.map_err(|_| {
            Failure::usage(format!(
                "`{name}` is no commit of {}; in a shallow clone fetch more first: git fetch \
                 --unshallow",
                self.top.display()
            ))
        })?;
        // Git prints `--end-of-options` too, in some versions.
        Ok(hash.lines().last().unwrap_or_default().trim().to_owned())
    }

    pub(super) fn is_ancestor(&self, one: &str, other: &str) -> Result<bool, Failure> {
        match git(&self.top, &["merge-base", "--is-ancestor", one, other]) {
            Ok(_) => Ok(true),
            Err(ProcessError::Ended { status, .. }) if status.code() == Some(1) => Ok(false),
            Err(error) => Err(Failure::unmeasured(error)),
        }
    }

    pub(super) fn count_between(&self, good: &str, bad: &str) -> Result<usize, Failure> {
        let count = self.ask(&["rev-list", "--count", &format!("{good}..{bad}")])?;
        let not_a_number = |_| Failure::unmeasured(format!("git counted commits as `{count}`"));
        count.trim().parse().map_err(not_a_number)
    }

    /// Looks for the first worse commit between these two, in `tree`: `program` tests each
    /// commit by `file`, within `allowed` in all.
    pub(super) fn bisect_run(
        &self,
        tree: &WorkTree,
        [good, bad]: [&str; 2],
        program: &Path,
        file: &Path,
        allowed: Duration,
    ) -> Result<Bisected, Failure> {
        let start = ["bisect", "start", bad, good];
        git(tree.path(), &start).map_err(Failure::unmeasured)?;
        let (program, file) = (program.display().to_string(), file.display().to_string());
        let test = ["bisect", "run", &program, "bisect-step", &file];
        let ended = command(tree.path(), &test).run(allowed, |line| eprintln!("{line}"));
        match ended {
            Ok(_) => {
                let format = "--format=%H %s (%an, %as)";
                let found = git(tree.path(), &["show", "--no-patch", format, "refs/bisect/bad"]);
                Ok(Bisected::Found(found.map_err(Failure::unmeasured)?.trim().to_owned()))
            }
            // Git's own code when all that is left was skipped.
            Err(ProcessError::Ended { status, .. }) if status.code() == Some(2) => {
                let left = ["bisect", "log"];
                let log = git(tree.path(), &left).map_err(Failure::unmeasured)?;
                Ok(Bisected::Skipped(possible(&log)))
            }
            Err(ProcessError::Interrupted) => Err(Failure::interrupted()),
            Err(error) => Err(Failure::unmeasured(error)),
        }
    }

    fn ask(&self, arguments: &[&str]) -> Result<String, Failure> {
        git(&self.top, arguments).map_err(Failure::unmeasured)
    }
}

/// The commits that git's log of a bisection calls possible.
fn possible(log: &str) -> String {
    let lines = log.lines().filter_map(|line| line.strip_prefix("# possible first bad commit: "));
    lines.map(|line| format!("{line}\n")).collect()
}

/// Another work tree of the repository, removed when it is dropped.
pub(super) struct WorkTree {
    top: PathBuf,
    path: PathBuf,
}

impl WorkTree {
    pub(super) fn add(git: &Git, path: &Path, commit: &str) -> Result<WorkTree, Failure> {
        let tree = WorkTree { top: git.top.clone(), path: path.to_owned() };
        let shown = path.display().to_string();
        command(&git.top, &["worktree", "add", "--quiet", "--detach", &shown, commit])
            .run(CHECKOUT_DEADLINE, |_| ())
            .map_err(Failure::unmeasured)?;
        Ok(tree)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for WorkTree {
    fn drop(&mut self) {
        let shown = self.path.display().to_string();
        remove(&self.top, &shown);
        if self.path.exists() {
            eprintln!(
                "epics-gauge: the work tree {shown} could not be removed; `git worktree remove \
                 --force {shown}` does it"
            );
        }
    }
}

/// Removes a work tree, also after Ctrl-C, which ends every other wait.
fn remove(top: &Path, shown: &str) {
    let removing = command(top, &["worktree", "remove", "--force", shown]).start_attached();
    let Ok(mut removing) = removing else { return };
    let end = Instant::now() + CHECKOUT_DEADLINE;
    while matches!(removing.ended(), Ok(None)) && Instant::now() < end {
        thread::sleep(LOOK);
    }
}

/// What git prints on stdout and stderr.
fn git(folder: &Path, arguments: &[&str]) -> Result<String, ProcessError> {
    command(folder, arguments).run(DEADLINE, |_| ())
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    Command::new("git")
        .arguments(arguments.iter().copied())
        .folder(folder)
        .environment(epics_variables())
}

/// What this program and the user's build find in the environment, which is taken from
/// every other process.
pub(super) fn epics_variables() -> Vec<(String, String)> {
    env::vars().filter(|(name, _)| name.starts_with("EPICS_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_bisection_is_read_from_its_log() {
        let log = "# bad: [b2] two\n# only skipped commits left to test\n\
                   # possible first bad commit: [b2] two\n# possible first bad commit: [b1] one\n";
        assert_eq!(possible(log), "[b2] two\n[b1] one\n");
    }
}
