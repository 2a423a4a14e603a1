//! The floors are shown to be floors by a command.

use assert_cmd::Command;

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
    // The greeting is not among what is required, and searches take more than one message.
    let connect: Vec<f64> = rows("connect")
        .iter()
        .map(|row| row[7].split_once(' ').unwrap().0.parse().unwrap())
        .collect();
    assert!((2.0..2.02).contains(&connect[0]) && (1.0..1.02).contains(&connect[1]), "{text}");
}
