//! A run that was interrupted is continued in its folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use epics_gauge::record::RunRecords;

use crate::support::{Gauge, gauge};

fn records(folder: &Path) -> RunRecords {
    RunRecords::parse(&fs::read_to_string(folder.join("records.jsonl")).unwrap()).unwrap()
}

fn resumed(folder: &Path) -> (Option<i32>, String) {
    let output = gauge().args(["run", "--resume"]).arg(folder).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn what_was_measured_is_kept_and_the_rest_is_measured_once() {
    let ran = Gauge::run(
        "connect --approach wire,libca --pvs 10,20 --mode bulk --blocks 3 --fresh-blocks 0 --seed 5",
    )
    .finish();
    let folder = ran.out.path().join("run");
    let whole = records(&folder);
    assert_eq!(whole.records.len(), 12, "{}", ran.stderr);
    // As if it had been killed in the middle of writing the sixth record.
    let text = fs::read_to_string(folder.join("records.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let cut = lines[..6].join("\n") + "\n" + &lines[6][..40];
    fs::write(folder.join("records.jsonl"), cut).unwrap();

    let (code, stderr) = resumed(&folder);
    assert_eq!(code, ran.code, "{stderr}");
    let continued = records(&folder);
    assert_eq!(continued.run, whole.run, "the same run");
    assert_eq!(continued.records[..5], whole.records[..5], "kept as they were");
    let key =
        |record: &epics_gauge::record::Record| (record.pvs, record.block, record.approach.clone());
    let keys = |run: &RunRecords| run.records.iter().map(key).collect::<BTreeSet<_>>();
    assert_eq!(continued.records.len(), 12, "none twice");
    assert_eq!(keys(&continued), keys(&whole));
    assert!(!continued.end.unwrap().interrupted);
    assert!(folder.join("report.html").exists());

    let (code, stderr) = resumed(&folder);
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains("it is complete"), "{stderr}");
}

#[test]
fn what_cannot_be_continued_is_refused_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stderr) = resumed(folder.path());
    assert_eq!(code, Some(64), "{stderr}");
    assert!(stderr.contains("records.jsonl"), "{stderr}");
    let ran = Gauge::run("connect --approach wire --pvs 10 --mode bulk --blocks 1").finish();
    let folder = ran.out.path().join("run");
    let file = folder.join("records.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let begun: Vec<&str> = text.lines().take(1).collect();
    for (from, to, words) in [
        ("\"cores\":", "\"cores\":9", "another machine"),
        ("\"version\":\"0", "\"version\":\"9", "by epics-gauge 9"),
    ] {
        let other = begun[0].replacen(from, to, 1) + "\n";
        fs::write(&file, &other).unwrap();
        let (code, stderr) = resumed(&folder);
        assert_eq!(code, Some(64), "{stderr}");
        assert!(stderr.contains(words), "{words}: {stderr}");
        assert_eq!(fs::read_to_string(&file).unwrap(), other);
    }
}
