//! `NAME@VERSION`, `NAME@PATH`, `NAME@git+ADDRESS`: a Python approach or server with another
//! version of its library than the pinned one, in an environment of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use epics_gauge::approach::{Catalogue, ResolveError};
use epics_gauge::ioc::SoftIoc;
use epics_gauge::python_site::PythonSite;
use epics_gauge::record::{PythonEnvironment, RunRecords};
use epics_gauge::worker_protocol::{Mode, Stage};
use tempfile::TempDir;

use super::support::{WorkerDriver, gauge, program};

/// Not the pinned one.
const CHOSEN: &str = "pyepics@3.5.7";

#[test]
fn a_chosen_version_runs_beside_the_pinned_one_and_reports_which_it_is() {
    for (approach, is_chosen) in [("pyepics", false), (CHOSEN, true)] {
        let worker = reads_three(approach);
        let version = worker.hello.versions["pyepics"].clone();
        assert_eq!(version == "3.5.7", is_chosen, "{approach} says it is {version}");
        loaded_from_chosen_folder(worker.hello.pid, is_chosen);
        // What goes with it is in the same environment.
        assert!(worker.hello.versions.contains_key("numpy"));
    }
}

/// The same approach without the setting is the proof that the setting was passed on.
#[test]
fn a_setting_reaches_the_worker_of_its_approach_and_no_other() {
    const VARIABLE: &str = "EPICS_CA_CONN_TMO";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("approaches.toml");
    let script = format!("echo ${{{VARIABLE}-unset}} >> {{folder}}/seen");
    let approach = format!("[approach.mine]\ncommand = ['/bin/sh', '-c', '{script}']\n");
    fs::write(&file, approach).unwrap();
    let set = format!("mine:{VARIABLE}=7");
    for name in ["mine", &set] {
        let arguments = ["connect", "--pvs", "1", "--mode", "serial", "--server", "softioc"];
        let out = folder.path().join("out");
        let mut gauge = gauge();
        gauge.args(arguments).args(["--blocks", "1", "--approach", name, "--approaches"]);
        let ended = gauge.arg(&file).arg("--out").arg(&out).output().unwrap();
        assert_eq!(ended.status.code(), Some(4), "{}", String::from_utf8_lossy(&ended.stderr));
        let records = fs::read_to_string(out.join("records.jsonl")).unwrap();
        let run = RunRecords::parse(&records).unwrap();
        assert!(run.records.iter().any(|record| record.approach == name), "{name}");
        fs::remove_dir_all(out).unwrap();
    }
    let seen = fs::read_to_string(folder.path().join("seen")).unwrap();
    assert_eq!(seen, "unset\n7\n");
}

/// A worker of the approach that has read three PVs.
fn reads_three(approach: &str) -> WorkerDriver {
    const PVS: usize = 3;
    let ioc = SoftIoc::builder().pvs(PVS).start().unwrap();
    let mut worker = WorkerDriver::start(approach, ioc.client_environment());
    worker.job(PVS);
    for stage in [Stage::Context, Stage::Create, Stage::Connect] {
        worker.stage(stage, Mode::Bulk);
    }
    let values = worker.stage(Stage::Get, Mode::Bulk).values;
    assert_eq!(values, Some(vec![0.0, 1.0, 2.0]), "{approach}");
    worker
}

/// pyepics brings a libca, which shows where the package itself came from; and nothing of
/// the pinned packages is loaded beside it.
fn loaded_from_chosen_folder(pid: u32, is_chosen: bool) {
    let Ok(maps) = fs::read_to_string(format!("/proc/{pid}/maps")) else { return };
    let packages: Vec<&str> =
        maps.lines().filter(|line| line.contains("libca") || line.contains("/numpy/")).collect();
    assert!(!packages.is_empty());
    let is_from = |line: &&str| line.contains("-pyepics-");
    assert!(packages.iter().all(|line| is_from(line) == is_chosen), "{packages:#?}");
}

#[test]
fn a_version_that_does_not_exist_is_missing_with_what_pip_reported_and_what_there_is() {
    let approach = Catalogue::built_in().resolve("caproto@0.0.9999").unwrap();
    let site = PythonSite::install(|_| ());
    let missing = approach.command(&program(), &site).unwrap_err().to_string();
    let parts = ["caproto==0.0.9999", "No matching distribution", "index versions caproto"];
    for part in [&parts[..], &["its releases 0.1.0 to ", "--python"]].concat() {
        assert!(missing.contains(part), "{part} is not in: {missing}");
    }
}

/// caproto as somebody works on it: a folder that pip can build, of another version.
fn checkout() -> TempDir {
    let site = PythonSite::install(|_| ()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copied = Command::new("cp")
        .arg("-R")
        .arg(site.folder().join("caproto"))
        .arg(folder.path().join("caproto"))
        .status();
    assert!(copied.unwrap().success());
    let project = "[build-system]\nrequires = [\"setuptools\"]\n\
                   build-backend = \"setuptools.build_meta\"\n\
                   [project]\nname = \"caproto\"\nversion = \"9.9.9\"\n\
                   [tool.setuptools.packages.find]\ninclude = [\"caproto*\"]\n";
    fs::write(folder.path().join("pyproject.toml"), project).unwrap();
    folder
}

fn committed(folder: &Path) -> String {
    let git = |arguments: &str| {
        let git = Command::new("git").args(arguments.split(' ')).current_dir(folder).output();
        let git = git.unwrap();
        assert!(git.status.success(), "git {arguments}: {git:?}");
        String::from_utf8(git.stdout).unwrap().trim().to_owned()
    };
    git("init --quiet");
    git("add --all");
    git("-c user.name=nobody -c user.email=nobody@localhost commit --quiet -m one");
    git("rev-parse HEAD")
}

#[test]
fn a_checkout_and_a_commit_of_a_client_and_a_server_are_compared() {
    let folder = checkout();
    let commit = committed(folder.path());
    let path = folder.path().canonicalize().unwrap();
    let (from_path, from_git) =
        (format!("caproto@{}", path.display()), format!("caproto@git+file://{}", path.display()));
    let environments = compared(&[&from_path, &from_git]);
    let [a, b] = &environments[..] else { panic!("{environments:?}") };
    assert_eq!([&a.of, &b.of], [&from_path, &from_git]);
    let caproto = |environment: &PythonEnvironment| {
        let mut packages = environment.packages.iter();
        packages.find(|package| package.name == "caproto").unwrap().clone()
    };
    assert_eq!((caproto(a).version.as_str(), caproto(a).commit), ("9.9.9", None));
    assert_eq!(caproto(b).commit, Some(commit));
    let numpy = a.packages.iter().find(|package| package.name == "numpy").unwrap();
    assert_eq!(numpy.sha256.as_ref().map(String::len), Some(64), "{numpy:?}");

    let server = format!("caproto-ioc@{}", path.display());
    let environments = compared(&["--server", "caproto-ioc", &server, "--approach", "wire"]);
    assert_eq!(environments.len(), 1);
    assert_eq!(environments[0].of, server);
}

/// The environments that a comparison with these arguments recorded, after which both sides
/// were measured.
#[track_caller]
fn compared(arguments: &[&str]) -> Vec<PythonEnvironment> {
    let out = tempfile::tempdir().unwrap();
    let ended = gauge()
        .arg("compare")
        .args(arguments)
        .args(["--most-pairs", "8", "--pvs", "5", "--out"])
        .arg(out.path().join("run"))
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(matches!(ended.status.code(), Some(0 | 2 | 3)), "{:?}: {printed}", ended.status);
    let records = fs::read_to_string(out.path().join("run/records.jsonl")).unwrap();
    RunRecords::parse(&records).unwrap().run.environments
}

#[test]
fn what_cannot_be_installed_is_refused_before_anything_is_measured() {
    for (words, expected) in [
        ("compare caproto@./nowhere caproto", "is no path"),
        ("compare caproto@git+nowhere caproto", "is no address that git takes"),
        ("compare --server softioc caproto-ioc@1,2", "is not a version"),
        ("compare --server softioc softioc@7.0.8", "has no versions to choose"),
        ("compare --server softioc p4p-server", "does not speak a protocol"),
        ("run connect --server none@1", "unknown server `none`"),
    ] {
        let mut command = gauge();
        let ended = command.args(words.split(' ')).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert_eq!(ended.status.code(), Some(64), "{words}: {stderr}");
        assert!(stderr.contains(expected), "{words}: {stderr}");
    }
}

#[test]
fn another_python_is_named_for_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere: PathBuf = folder.path().join("python9");
    let ended = gauge()
        .args(["compare", "caproto@1.2.0", "caproto@1.3.0", "--python"])
        .arg(&nowhere)
        .arg("--out")
        .arg(folder.path().join("out"))
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(4), "{stderr}");
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert!(stdout.contains("python9") || stderr.contains("python9"), "{stdout}{stderr}");
}

#[test]
fn an_approach_without_versions_to_choose_names_what_to_do_instead() {
    let mut catalogue = Catalogue::built_in();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/approaches.toml");
    catalogue.add_file(&file).unwrap();
    // The user's own are found like those of this crate.
    assert_eq!(catalogue.resolve("minimal").as_ref().ok(), catalogue.get("minimal"));
    let native = catalogue.resolve("libca@7.0.8").unwrap_err();
    assert!(native.to_string().contains("--ioc-a"), "{native}");
    let own = catalogue.resolve("minimal@1.0").unwrap_err();
    assert!(matches!(own, ResolveError::Own { .. }), "{own}");
    assert!(own.to_string().contains("[approach.NAME]"), "{own}");
}
