//! `bisect` in repositories made for it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use epics_gauge::python_site::PythonSite;
use tempfile::TempDir;

use super::{gauge_in, stderr, stdout};

/// The worker of docs/over-time.md: it takes the library from the checkout that it is given.
const FILE: &str = r#"
[approach.before]
command = ["{python}", "{folder}/worker.py", "{good}"]
hello = "mine"

[approach.after]
command = ["{python}", "{folder}/worker.py", "{checkout}"]
hello = "mine"
"#;

const WORKER: &str = r#"
import sys
from epics_gauge.worker import Client, groups, serve

sys.path.insert(0, sys.argv[1])
import my_library


class Mine(Client):
    def versions(self):
        return {"my-library": "1"}

    def connect(self, mode):
        self.pvs = []
        for _, some in groups(mode, self.job.pvs):
            self.pvs += [my_library.connected(name, self.job.timeout_s) for name in some]

    def get(self, mode, pvs):
        values = []
        for pv in pvs:
            values.append(self.pvs[pv].read(timeout=self.job.timeout_s).data[0])
            self.pv_done()
        return values


serve(Mine)
"#;

const LIBRARY: &str = r#"
import sys, time
sys.path.append('SITE')
from caproto.threading.client import Context

context = Context()


def connected(name, timeout):
    (pv,) = context.get_pvs(name)
    pv.wait_for_connection(timeout=timeout)
    time.sleep(DELAY_S)
    return pv
"#;

#[test]
fn the_file_is_that_of_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/over-time.md");
    let documented = fs::read_to_string(path).unwrap();
    assert!(documented.contains(FILE.replace("worker.py", "gauge_worker.py").trim()));
}

struct Repository {
    folder: TempDir,
}

impl Repository {
    fn new() -> Repository {
        let repository = Repository { folder: tempfile::tempdir().unwrap() };
        repository.git("init --quiet --initial-branch main");
        repository.write("gauge.toml", FILE);
        repository.write("worker.py", WORKER);
        repository.write(".gitignore", "__pycache__/\n/out/\n/epics-gauge-out/\n");
        repository
    }

    /// A repository of so many commits, whose library is slower from one on; that one or
    /// another does not build.
    fn of(commits: usize, slow_from: usize, broken: usize) -> Repository {
        let repository = Repository::new();
        let site = PythonSite::install(|_| ()).unwrap();
        let library = LIBRARY.replace("SITE", &site.folder().display().to_string());
        for commit in 1..=commits {
            let delay = if commit >= slow_from { "0.01" } else { "0.0" };
            let broken = if commit == broken { "this is no Python\n" } else { "" };
            let text = library.replace("DELAY_S", delay);
            repository.write("my_library.py", &format!("{text}\n# commit {commit}\n{broken}"));
            repository.commit(&format!("commit-{commit}"));
        }
        repository
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn git(&self, arguments: &str) -> String {
        let output =
            Command::new("git").args(arguments.split(' ')).current_dir(self.path()).output();
        let output = output.unwrap();
        assert!(output.status.success(), "git {arguments}: {output:?}");
        stdout(&output)
    }

    /// Commits everything, and names the commit by a tag.
    fn commit(&self, message: &str) {
        self.git("add --all");
        self.git(&format!(
            "-c user.name=nobody -c user.email=nobody@localhost commit --quiet --allow-empty -m \
             {message}"
        ));
        self.git(&format!("tag {message}"));
    }

    fn bisect(&self, good: &str, bad: &str, build: &str) -> Output {
        gauge_in(
            self.path(),
            &format!(
                "bisect {good} {bad} before after --approaches gauge.toml --pvs 20 --tolerance 50 \
                 --most-pairs 32 --out out -- {build}"
            ),
        )
    }

    /// The checkout is as it was: its branch, its files, and no further work trees.
    fn assert_untouched(&self) {
        assert_eq!(self.git("rev-parse --abbrev-ref HEAD"), "main\n");
        assert_eq!(self.git("status --porcelain"), "");
        assert_eq!(self.git("worktree list").lines().count(), 1);
    }

    fn refused(&self, arguments: &str, words: &str) {
        let output = gauge_in(self.path(), arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments}: {output:?}");
        let printed = stderr(&output).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(printed.contains(words), "{words} is not in: {printed}");
    }
}

const BUILD: &str = "python3 -B -c compile(open('my_library.py').read(),'my_library.py','exec')";

#[test]
fn a_slowdown_is_found_and_a_commit_that_does_not_build_is_skipped() {
    let repository = Repository::of(4, 4, 2);
    let output = repository.bisect("commit-1", "commit-4", BUILD);
    let (printed, errors) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(0), "{printed}\n{errors}");
    assert!(printed.contains("The first worse commit is"), "{printed}");
    assert!(printed.contains("commit-4 (nobody, "), "{printed}");
    if errors.contains("does not build, skipped: ") {
        let broken = repository.git("rev-parse commit-2");
        let log = repository.path().join(format!("out/logs/build-{}.log", broken.trim()));
        assert!(fs::read_to_string(log).unwrap().contains("SyntaxError"));
    }
    repository.assert_untouched();
}

/// 30 commits, of which the 17th is the slow one and the 15th does not build.
#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn a_slowdown_among_thirty_commits_is_found() {
    let repository = Repository::of(30, 17, 15);
    let output = repository.bisect("commit-1", "main", BUILD);
    let (printed, errors) = (stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(0), "{printed}\n{errors}");
    assert!(printed.contains("commit-17 (nobody, "), "{printed}");
    assert!(errors.contains("does not build, skipped: "), "{errors}");
    repository.assert_untouched();
}

#[test]
fn what_cannot_be_bisected_is_refused_with_the_reason() {
    let repository = Repository::new();
    repository.write("my_library.py", "");
    repository.commit("one");
    repository.commit("two");
    let compare = "before after --approaches gauge.toml";
    let refused = |arguments: &str, words: &str| repository.refused(arguments, words);
    refused(&format!("bisect one one {compare} -- true"), "are the same commit");
    refused(&format!("bisect two one {compare} -- true"), "two does not come before one");
    refused(&format!("bisect zero two {compare} -- true"), "`zero` is no commit of");
    refused(&format!("bisect one two {compare}"), "write it behind `--`");
    refused("bisect one two before after --nonsense -- true", "what `epics-gauge compare` takes");
    refused("bisect one two wire wire -- true", "every commit would be measured alike");
    repository.write("my_library.py", "changed\n");
    refused(&format!("bisect one two {compare} -- true"), "has changes that are not committed");
    repository.git("checkout --quiet -- my_library.py");
    let elsewhere = tempfile::tempdir().unwrap();
    let output = gauge_in(elsewhere.path(), &format!("bisect one two {compare} -- true"));
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    repository.assert_untouched();
}

#[test]
fn a_good_commit_that_does_not_build_ends_it_with_its_log() {
    let repository = Repository::new();
    repository.write("my_library.py", "");
    repository.commit("one");
    repository.commit("two");
    let output = repository.bisect("one", "two", "python3 -c raise(SystemExit('no-compiler'))");
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    assert!(stderr(&output).contains("one does not build: "), "{output:?}");
    let good = repository.git("rev-parse one");
    let log = repository.path().join(format!("out/logs/build-{}.log", good.trim()));
    assert!(fs::read_to_string(log).unwrap().contains("no-compiler"));
    repository.assert_untouched();
}
