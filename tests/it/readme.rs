//! Every example of the README, run as it stands there.

mod fixture;

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::support::gauge;

/// What a test adds to a command that measures every approach for minutes.
const SMALL: &str = "--approach libca --blocks 1 --fresh-blocks 0 --seconds 1";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The blocks of code in this language, without their fences.
fn blocks(readme: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        let Some(fence) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        if fence == language {
            blocks.push(block.join("\n") + "\n");
        }
    }
    blocks
}

/// The words after the program's name.
fn run(words: &[&str], out: &Path) -> Output {
    gauge().args(words).arg("--out").arg(out).output().unwrap()
}

#[test]
fn the_test_of_the_readme_is_one_of_these_tests() {
    let source = fs::read_to_string(root().join("tests/it/readme/fixture.rs")).unwrap();
    let shown = blocks(&readme(), "rust");
    assert_eq!(shown.len(), 1);
    assert!(source.ends_with(&shown[0]), "{}", shown[0]);
}

#[test]
fn the_command_of_the_readme_prints_the_answer_that_it_shows() {
    let readme = readme();
    let shown = blocks(&readme, "");
    let session = shown.iter().find(|block| block.starts_with("$ epics-gauge ")).unwrap();
    let command = session.lines().next().unwrap().trim_start_matches("$ epics-gauge ");
    let words: Vec<&str> = command.split(' ').chain(SMALL.split(' ')).collect();
    let out = tempfile::tempdir().unwrap();
    let ran = run(&words, &out.path().join("run"));
    let printed = String::from_utf8(ran.stdout).unwrap();
    assert!(matches!(ran.status.code(), Some(0 | 3)), "{printed}");
    // Columns stand further apart where figures are longer.
    let heading = |text: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.starts_with(" approach ")).unwrap().to_owned();
        line.split("  ")
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect()
    };
    assert_eq!(heading(session), heading(&printed), "{printed}");
    for file in ["report.html", "report.md", "report.json", "records.csv"] {
        assert!(out.path().join("run").join(file).is_file(), "{file}");
    }
}

/// Those in blocks of code, and those between backquotes.
fn cargo_commands(readme: &str) -> Vec<&str> {
    let in_blocks = readme.lines().filter(|line| line.starts_with("cargo "));
    let shown = in_blocks.map(|line| line.split('#').next().unwrap_or_default().trim());
    let quoted = readme.split('`').filter(|part| part.starts_with("cargo "));
    shown.chain(quoted).collect()
}

#[test]
fn every_cargo_command_of_the_readme_is_run_by_the_integration_or_here() {
    let readme = readme();
    let integration = fs::read_to_string(root().join("ci/test")).unwrap();
    for command in cargo_commands(&readme) {
        match command.strip_prefix("cargo run --release") {
            Some("") => {
                let out = tempfile::tempdir().unwrap();
                let words = format!("--pvs 10 --mode bulk {SMALL}");
                let words: Vec<&str> = words.split(' ').collect();
                let ran = run(&words, &out.path().join("run"));
                assert!(matches!(ran.status.code(), Some(0 | 3)), "{ran:?}");
            }
            Some(rest) => {
                let words: Vec<&str> = rest.trim_start_matches(" -- ").split(' ').collect();
                let ran = gauge().args(&words).output().unwrap();
                // What is missing is shown too.
                assert!(matches!(ran.status.code(), Some(0 | 4)), "{command}: {ran:?}");
            }
            None => assert!(integration.contains(command), "nothing runs `{command}`"),
        }
    }
}
