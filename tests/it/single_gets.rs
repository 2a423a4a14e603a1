//! The times of single gets: what a mean hides is found.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::{Gauge, program};

const STALL_NS: u64 = 30_000_000;

/// An approach whose library stalls in every tenth get, and one that does not time each.
fn approaches() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    format!(
        "[approach.stalling]\nhello = 'pyepics'\ncommand = ['{{python}}', \
         '{root}/tests/it/workers/stalling_worker.py', '{root}/src/worker/python/main.py', \
         '--site', '{{site}}', 'pyepics']\n\n\
         [approach.protocol]\ncommand = ['{{python}}', '{root}/docs/examples/protocol_worker.py', \
         '{{site}}']\n"
    )
}

#[test]
fn a_library_that_stalls_now_and_then_is_seen_by_its_longest_gets() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, approaches()).unwrap();
    let gauge = Gauge::run(
        "connect --approach wire,pyepics,stalling --pvs 10000 --mode bulk --blocks 1 \
         --fresh-blocks 0 --approaches",
    );
    let ran = gauge.argument(&file).finish();
    let run = ran.out.path().join("run");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(run.join("report.json")).unwrap()).unwrap();
    let figures = report["judgement"]["figures"].as_array().unwrap();
    let gets = figures.iter().find(|one| one["metric"] == "get serial").unwrap();
    let each = |approach: &str, what: &str| {
        let rows = gets["rows"].as_array().unwrap();
        let row = rows.iter().find(|row| row["approach"] == approach).unwrap();
        row["each"][what].as_u64().unwrap_or_else(|| panic!("{approach}, {what}: {row}"))
    };
    for approach in ["wire", "pyepics", "stalling"] {
        assert_eq!(each(approach, "count"), 100, "1 % of the PVs are read one by one");
    }
    // Nine of ten are as before.
    assert!(each("stalling", "p50_ns") < STALL_NS / 3);
    assert!(each("stalling", "p99_ns") >= STALL_NS);
    assert!(each("pyepics", "p50_ns") < STALL_NS / 3);

    let written = std::fs::read_to_string(run.join("report.md")).unwrap();
    assert!(written.contains("## single gets: of 10 000 PVs"), "{written}");
    let figure = Command::new(program())
        .arg("report")
        .arg(&run)
        .args(["--figure", "get-serial-softioc"])
        .output()
        .unwrap();
    let figure = String::from_utf8(figure.stdout).unwrap();
    // On a busy machine the longest took longer than it stalled.
    let (_, longest) = figure.split_once("stalling, longest: ").unwrap();
    let (ms, unit) = longest.split_once(' ').unwrap();
    let ms: f64 = ms.parse().unwrap();
    assert!(ms * 1e6 >= STALL_NS as f64 && unit.starts_with("ms"), "{ms}: {figure}");
}

#[test]
fn who_does_not_time_each_get_is_shown_by_its_workers() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, approaches()).unwrap();
    let gauge = Gauge::run(
        "connect --approach wire,protocol --pvs 3 --mode serial --blocks 2 --fresh-blocks 0 \
         --approaches",
    );
    let ran = gauge.argument(&file).finish();
    let figure = Command::new(program())
        .arg("report")
        .arg(ran.out.path().join("run"))
        .args(["--figure", "get-serial-softioc"])
        .output()
        .unwrap();
    let figure = String::from_utf8(figure.stdout).unwrap();
    for words in ["wire, longest: ", "protocol, block 0: ", "Who does not time each get"] {
        assert!(figure.contains(words), "{words} is not in {figure}");
    }
}
