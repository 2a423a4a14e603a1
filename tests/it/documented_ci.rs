//! `docs/use-in-your-ci.md` as written: its files and its commands, in a repository
//! with two commits, but for the installation; two softIocs are compared with fewer pairs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use epics_gauge::embedded;
use epics_gauge::python_site::PythonSite;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::program;

fn document() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join("docs/use-in-your-ci.md")).unwrap()
}

/// The first block of code behind `marker`, which stands on a line of its own.
fn block_behind(marker: &str) -> String {
    let document = document();
    let (_, rest) = document
        .split_once(&format!("\n{marker}\n"))
        .unwrap_or_else(|| panic!("the document has no line {marker}"));
    let (_, block) = rest.split_once("```").unwrap();
    let (_, block) = block.split_once('\n').unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

fn file(name: &str) -> String {
    block_behind(&format!("`{name}`:"))
}

fn shell_command(marker: &str) -> String {
    let block = block_behind(marker);
    assert_eq!(block.lines().count(), 1, "{block}");
    block.trim().to_owned()
}

/// The real libca worker that says hello as `mine`.
fn fast_worker() -> String {
    let gauge = program().display().to_string();
    format!(
        "#!/bin/sh\n{gauge} worker libca | sed -u '1s/\"approach\":\"libca\"/\"approach\":\"mine\"/'\n"
    )
}

/// A worker that takes 0.4 s longer to connect.
fn slow_worker() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/workers");
    let proxy = folder.join("tampering_worker.py").display().to_string();
    let gauge = program().display().to_string();
    format!("#!/bin/sh\nexec python3 {proxy} slow-at-connect mine {gauge}\n")
}

/// A script around this crate's softIoc.
fn soft_ioc() -> String {
    let tool = |name| embedded::tool(name).unwrap().display().to_string();
    format!("#!/bin/sh\nexec {} -D {} \"$@\"\n", tool("softIoc"), tool("softIoc.dbd"))
}

/// A repository of somebody's client, with the document's files.
struct Repository {
    folder: TempDir,
}

impl Repository {
    /// With one commit, whose worker is `before`, and one whose worker is `after`.
    fn of(before: &str, after: &str) -> Repository {
        let repository = Repository { folder: tempfile::tempdir().unwrap() };
        for name in ["gauge.toml", "limits.toml", ".gitlab-ci.yml", ".github/workflows/gauge.yml"] {
            repository.write(name, &file(name));
        }
        repository.write_program("bin/softIoc", &soft_ioc());
        repository.git("init --quiet");
        for (worker, message) in [(before, "before"), (after, "after")] {
            repository.write_program("gauge-worker", worker);
            repository.git("add --all");
            repository.git(&format!(
                "-c user.name=nobody -c user.email=nobody@localhost commit --quiet --allow-empty -m {message}"
            ));
        }
        repository
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn write_program(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn git(&self, arguments: &str) {
        let status = Command::new("git")
            .args(arguments.split(' '))
            .current_dir(self.folder.path())
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments}");
    }

    /// Runs a line as both services do, with this program in PATH. Like other tests it
    /// does not wait for the machine's lock.
    fn shell(&self, line: &str) -> Output {
        let own = program().parent().unwrap().display().to_string();
        let path = format!("{own}:{}", std::env::var("PATH").unwrap());
        Command::new("bash")
            .args(["-e", "-o", "pipefail", "-c", line])
            .env("PATH", path)
            .env("EPICS_GAUGE_LOCK", "off")
            .env("CI_MERGE_REQUEST_DIFF_BASE_SHA", "HEAD^1")
            .current_dir(self.folder.path())
            .output()
            .unwrap()
    }

    /// Runs all lines but the installation, which must be the first; the last one's end.
    fn run(&self, lines: &[String]) -> Ended {
        let (install, rest) = lines.split_first().unwrap();
        assert_eq!(install, "cargo install --locked --git EPICS_GAUGE_REPOSITORY epics-gauge");
        let (last, preparation) = rest.split_last().unwrap();
        for line in preparation {
            let output = self.shell(line);
            assert!(output.status.success(), "{line}: {output:?}");
        }
        Ended::of(self.shell(last))
    }
}

/// A library that is slower by a time for each PV, and the files of the document that measure it.
fn write_python_library(repository: &Repository, delay_s: f64) {
    let site = PythonSite::install(|_| ()).unwrap();
    let library = LIBRARY
        .replace("SITE", &site.folder().display().to_string())
        .replace("DELAY_S", &delay_s.to_string());
    repository.write("my_library/__init__.py", &library);
    for name in ["benchmark/gauge_worker.py", "benchmark/gauge.toml"] {
        repository.write(name, &file(name));
    }
}

/// Somebody's library: pyepics by another name. caproto failed here to connect its first of
/// 1000 PVs within 25 s on busy machines.
const LIBRARY: &str = "
import sys, time
sys.path.append('SITE')
import epics

__version__ = '1.0-DELAY_S'


class PV:
    def __init__(self, name):
        self.pv = epics.PV(name)

    def wait_for_connection(self, timeout):
        assert self.pv.wait_for_connection(timeout=timeout)
        time.sleep(DELAY_S)

    def get(self, timeout):
        return self.pv.get(timeout=timeout, use_monitor=False)
";

#[test]
fn the_documented_worker_compares_a_python_library_in_two_checkouts() {
    let repository = Repository::of("", "");
    let commit = |message: &str| {
        repository.git("add --all");
        repository.git(&format!(
            "-c user.name=nobody -c user.email=nobody@localhost commit --quiet -m {message}"
        ));
        let asked = repository.shell("git rev-parse --short=9 HEAD");
        String::from_utf8(asked.stdout).unwrap().trim().to_owned()
    };
    write_python_library(&repository, 0.0);
    let before = commit("fast");
    write_python_library(&repository, 0.001);
    let after = commit("slow");
    repository.git("worktree add --quiet before HEAD^1");
    let marker = "With the change checked out, and what it changes in a second checkout called \
                  `before`:";
    let ended = Ended::of(repository.shell(&shell_command(marker)));
    assert_eq!(ended.code, 2, "{}", ended.all);
    let report = fs::read_to_string(repository.path("gauge/report.md")).unwrap();
    for versions in [
        format!("A is before: commit {before}, my-library 1.0-0, python "),
        format!("B is after: commit {after}, my-library 1.0-0.001, python "),
    ] {
        assert!(report.contains(&versions), "{versions} is not in {report}");
    }
}

/// How a command ended and what it printed.
struct Ended {
    code: i32,
    stdout: String,
    all: String,
}

impl Ended {
    fn of(output: Output) -> Ended {
        let stdout = String::from_utf8(output.stdout).unwrap();
        let all = format!("{stdout}\n{}", String::from_utf8(output.stderr).unwrap());
        Ended { code: output.status.code().unwrap(), stdout, all }
    }
}

/// The lines that the steps of the only job run.
fn github_lines() -> Vec<String> {
    let workflow: Value = serde_saphyr::from_str(&file(".github/workflows/gauge.yml")).unwrap();
    let steps = workflow["jobs"]["gauge"]["steps"].as_array().unwrap();
    steps.iter().filter_map(|step| step["run"].as_str()).map(str::to_owned).collect()
}

fn gitlab_lines() -> Vec<String> {
    let pipeline: Value = serde_saphyr::from_str(&file(".gitlab-ci.yml")).unwrap();
    let lines = pipeline["gauge"]["script"].as_array().unwrap();
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}

/// What the document's table says of an exit code.
#[track_caller]
fn documented(code: i32) -> String {
    let document = document();
    let row = document.lines().find(|line| line.starts_with(&format!("| {code} | ")));
    row.unwrap_or_else(|| panic!("the document does not list exit code {code}")).to_owned()
}

#[test]
fn the_documented_workflow_is_red_for_a_slower_client_and_reports_it_beside_the_change() {
    let ended = Repository::of(&fast_worker(), &slow_worker()).run(&github_lines());
    assert_eq!(ended.code, 2, "{}", ended.all);
    assert!(ended.stdout.contains("::error title=connect bulk regressed::"), "{}", ended.all);
    assert!(documented(2).contains("| red | the change is worse |"));
}

#[test]
fn the_documented_pipeline_does_not_find_an_unchanged_client_worse() {
    let repository = Repository::of(&fast_worker(), &fast_worker());
    let ended = repository.run(&gitlab_lines());
    // An undecided comparison of alike sides is the machine's doing.
    assert!(matches!(ended.code, 0 | 3), "{}", ended.all);
    assert!(documented(0).contains("| green |") && documented(3).contains("| red |"));
    let artefact: Value = serde_saphyr::from_str(&file(".gitlab-ci.yml")).unwrap();
    assert_eq!(artefact["gauge"]["artifacts"]["paths"][0], "gauge");
    assert!(repository.path("gauge/report.md").is_file());
}

#[test]
fn the_documented_limit_is_kept_by_a_fast_client_and_broken_by_a_slow_one() {
    let line = shell_command("The command, for either service:");
    for (worker, code) in [(fast_worker(), 0), (slow_worker(), 1)] {
        let ended = Ended::of(Repository::of(&worker, &worker).shell(&line));
        assert_eq!(ended.code, code, "{}", ended.all);
    }
    assert!(
        document().contains("It ends with 0 when the limit is kept, and with 1 when it is broken")
    );
}

#[test]
fn the_documented_comparison_of_softiocs_finds_the_same_one_no_worse() {
    let repository = Repository::of("", "");
    repository.git("worktree add before HEAD^1");
    let marker = "Build your softIoc in both checkouts, and compare them instead of the workers:";
    // The same softIoc on both sides: all the pairs of the default decide no more than few.
    let few = " --most-pairs 8 --tolerance 100";
    let ended = Ended::of(repository.shell(&(shell_command(marker) + few)));
    assert!(matches!(ended.code, 0 | 3), "{}", ended.all);
    let records = fs::read_to_string(repository.path("gauge/records.jsonl")).unwrap();
    assert!(records.contains("\"ioc-a\"") && records.contains("\"ioc-b\""));
}

#[test]
fn the_documented_files_are_ten_lines_and_use_the_action_of_our_own_workflows() {
    for name in [".github/workflows/gauge.yml", ".gitlab-ci.yml"] {
        assert!(file(name).lines().count() <= 11, "{name}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = fs::read_to_string(root.join(".github/workflows/ci.yml")).unwrap();
    let workflow = file(".github/workflows/gauge.yml");
    let checkout = workflow.lines().find(|line| line.contains("uses: ")).unwrap();
    assert!(own.contains(checkout.trim()), "{checkout}");
}
