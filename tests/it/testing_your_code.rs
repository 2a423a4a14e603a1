//! Every example of `docs/testing-your-code.md`, run as it stands there. The one for pytest
//! is run by the Python package's own tests, in `ci/check-wheel`.

mod fixture;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::program;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The only block of code in this language.
#[track_caller]
fn block(language: &str) -> String {
    let document = fs::read_to_string(root().join("docs/testing-your-code.md")).unwrap();
    let fence = format!("\n```{language}\n");
    let parts: Vec<&str> = document.split(&fence).collect();
    let [_, rest] = parts[..] else { panic!("{} blocks of {language}", parts.len() - 1) };
    rest.split_once("```").unwrap().0.to_owned()
}

/// A folder with the document's database and a client of somebody's own.
fn project() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("tests")).unwrap();
    fs::copy(root().join("tests/current.db"), folder.path().join("tests/current.db")).unwrap();
    for name in ["my-client", "run-my-tests"] {
        let path = folder.path().join(name);
        let script = "#!/bin/sh\necho \"asked at $EPICS_CA_ADDR_LIST:$EPICS_CA_SERVER_PORT for $*\"\n\
                      exit 7\n";
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    folder
}

/// Runs a script in the project, with this program and the client in PATH.
fn bash(project: &TempDir, script: &str) -> Output {
    let own = program().parent().unwrap().display().to_string();
    let path = format!("{}:{own}:{}", project.path().display(), std::env::var("PATH").unwrap());
    Command::new("bash")
        .args(["-c", script])
        .env("PATH", path)
        .current_dir(project.path())
        .output()
        .unwrap()
}

#[test]
fn the_test_in_rust_is_one_of_these_tests() {
    let source = fs::read_to_string(root().join("tests/it/testing_your_code/fixture.rs")).unwrap();
    assert!(source.ends_with(&block("rust")), "{}", block("rust"));
}

#[test]
fn the_database_is_the_one_that_the_examples_load() {
    let document = fs::read_to_string(root().join("docs/testing-your-code.md")).unwrap();
    let database = fs::read_to_string(root().join("tests/current.db")).unwrap();
    assert!(document.contains(&format!("`tests/current.db`:\n\n```\n{database}```\n")));
}

#[test]
fn the_script_for_any_language_talks_to_its_ioc() {
    let script = block("bash");
    assert!(script.lines().count() <= 11, "{script}");
    let ran = bash(&project(), &script);
    let printed = String::from_utf8_lossy(&ran.stdout);
    let mut lines = printed.lines();
    let asked = lines.next().unwrap_or_default();
    assert!(
        asked.starts_with("asked at 127.0.0.1:") && asked.ends_with(" for t:current"),
        "{ran:?}"
    );
    let answer = lines.next().unwrap_or_default();
    assert!(answer.contains("\"event\":\"answer\"") && answer.contains("1.5"), "{printed}");
    // A database that is not there: the script prints what the IOC reported.
    let ran = bash(&project(), &script.replace("current.db", "none.db"));
    assert_eq!(ran.status.code(), Some(1));
    assert!(String::from_utf8(ran.stderr).unwrap().contains("none.db"));
}

#[test]
fn the_command_around_any_tests_passes_their_exit_code_on() {
    let document = fs::read_to_string(root().join("docs/testing-your-code.md")).unwrap();
    let command = document.split('`').find(|part| part.ends_with(" -- ./run-my-tests")).unwrap();
    let ran = bash(&project(), command);
    assert_eq!(ran.status.code(), Some(7), "{ran:?}");
    assert!(String::from_utf8(ran.stdout).unwrap().starts_with("asked at 127.0.0.1:"));
}
