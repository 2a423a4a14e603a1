//! The floors are shown to be floors by a command.

use assert_cmd::Command;
use serde_json::Value;

#[test]
fn floors_send_what_the_protocol_requires_and_their_bytes_can_be_replayed() {
    let mut command = Command::cargo_bin("epics-gauge").unwrap();
    let ended = command.args(["floor", "--pvs", "300", "--blocks", "1"]).assert().success();
    let text = &String::from_utf8_lossy(&ended.get_output().stdout);
    for heading in ["wire on softioc, 300 PVs", "wire-pva on softioc-pva, 300 PVs"] {
        assert!(text.contains(heading), "{text}");
    }
    let rows = |stage: &str| {
        let rows = text.lines().filter(|line| line.starts_with(&format!("| {stage} ")));
        rows.map(|row| row.split('|').map(str::trim).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    for (stage, messages) in
        [("get", ["1.00 (1.00)", "2.00 (2.00)"]), ("get-again", ["1.00 (1.00)"; 2])]
    {
        let rows = rows(stage);
        assert_eq!([rows[0][7], rows[1][7]], messages, "{stage}: {text}");
        let bytes =
            |row: &[&str]| row[8].split_once(" (").map(|(sent, rest)| format!("{sent})") == rest);
        assert_eq!((bytes(&rows[0]), bytes(&rows[1])), (Some(true), Some(true)), "{text}");
    }
    let subscribed = rows("subscribe");
    let messages = [subscribed[0][7], subscribed[1][7]];
    assert_eq!(messages, ["1.00 (1.00)", "2.00 (2.00)"], "{text}");
    let collected = rows("collect");
    let received = [collected[0][9], collected[1][9]];
    assert_eq!(received, ["40.00 (40.00)", "41.00 (41.00)"], "{text}");
    assert_eq!([collected[0][7], collected[1][7]], ["0.00 (0.00)"; 2], "{text}");
    // The greeting is not among what is required, and searches take more than one message.
    let connect: Vec<f64> = rows("connect")
        .iter()
        .map(|row| row[7].split_once(' ').unwrap().0.parse().unwrap())
        .collect();
    assert!((2.0..2.02).contains(&connect[0]) && (1.0..1.02).contains(&connect[1]), "{text}");
}

/// The fields are those of `docs/data.md`.
#[test]
fn every_sample_of_a_floor_is_there_for_programs() {
    let mut command = Command::cargo_bin("epics-gauge").unwrap();
    command.args(["floor", "--pvs", "50", "--blocks", "2", "--format", "json"]);
    let ended = command.assert().success();
    let shown: Value = serde_json::from_slice(&ended.get_output().stdout).unwrap();
    assert_eq!(shown["format"], 1);
    let floors = shown["floors"].as_array().unwrap();
    assert_eq!(floors.iter().map(|one| &one["approach"]).collect::<Vec<_>>(), ["wire", "wire-pva"]);
    for floor in floors {
        assert_eq!(floor["pvs"], 50);
        let stages = floor["stages"].as_array().unwrap();
        let names: Vec<&Value> = stages.iter().map(|one| &one["stage"]).collect();
        assert_eq!(names, ["connect", "get", "get-again", "subscribe", "collect"]);
        for stage in stages {
            for of in ["floor", "replayed"] {
                let blocks = stage[of].as_array().unwrap();
                assert_eq!(blocks.len(), 2, "{stage}");
                assert!(
                    blocks.iter().all(|took| took["seconds"].as_f64().unwrap() > 0.0),
                    "{stage}"
                );
            }
        }
        assert_eq!(stages[4]["received"], stages[4]["required_to_receive"]);
        assert_eq!(stages[4]["received"]["messages"], 50);
    }
}
