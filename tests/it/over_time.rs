//! `history`, `export`, `bisect` and the comment of a pull request, as a user calls them.

mod bisect;
mod exports;
mod histories;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::program;

/// A small run that was measured once, for every test here.
static RUN: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let arguments = "run connect --approach libca --pvs 3 --blocks 1 --mode bulk --fresh-blocks 0 \
                     --commit 0123456789abcdef --branch main";
    let out = folder.path().join("run").display().to_string();
    let ran = gauge_in(folder.path(), &format!("{arguments} --out {out}"));
    assert!(folder.path().join("run/records.jsonl").is_file(), "{ran:?}");
    folder
});

fn records() -> String {
    fs::read_to_string(RUN.path().join("run/records.jsonl")).unwrap()
}

fn gauge_in(folder: &Path, arguments: &str) -> Output {
    Command::new(program()).args(arguments.split_whitespace()).current_dir(folder).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder with so many runs, `run-1` and on: the same run at later times, each with the
/// times of its stages multiplied.
fn runs(factors: &[f64]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, factor) in factors.iter().enumerate() {
        write_run(&folder.path().join(format!("run-{}", index + 1)), index, *factor);
    }
    folder
}

fn write_run(folder: &Path, index: usize, factor: f64) -> PathBuf {
    // The times of one run are not all the same in the next.
    let factor = factor * (1.0 + 0.001 * (index * 7 % 10) as f64);
    let mut text = String::new();
    for line in records().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        match line["line"].as_str() {
            Some("run") => {
                let (hour, minute) = (index / 60, index % 60);
                line["started_utc"] = format!("2026-01-01T{hour:02}:{minute:02}:00Z").into();
                line["revision"]["commit"] = format!("{:040x}", index + 1).into();
            }
            Some("record") => slow(&mut line, factor),
            _ => {}
        }
        text += &format!("{line}\n");
    }
    fs::create_dir_all(folder).unwrap();
    let file = folder.join("records.jsonl");
    fs::write(&file, text).unwrap();
    file
}

fn slow(record: &mut Value, factor: f64) {
    let mut at = 0;
    for sample in record["samples"].as_array_mut().unwrap() {
        let took = sample["end_ns"].as_u64().unwrap() - sample["start_ns"].as_u64().unwrap();
        sample["start_ns"] = at.into();
        at += (took as f64 * factor) as u64;
        sample["end_ns"] = at.into();
    }
}
