//! Record files that cannot be judged or reported.

use std::fs;
use std::sync::OnceLock;

use epics_gauge::record::{OLDEST_RECORD_FORMAT, RECORD_FORMAT};
use serde_json::{Value, json};

use super::{Ended, Invocation, assert_holds};

/// A record file of a real run, made once: a run, three records, an end.
fn good() -> &'static str {
    static RECORDS: OnceLock<String> = OnceLock::new();
    RECORDS.get_or_init(|| {
        let arguments = "run connect --approach wire --pvs 1 --mode serial --blocks 3 --out OUT";
        let ended = Invocation::of(arguments).finish();
        fs::read_to_string(ended.out("records.jsonl")).unwrap()
    })
}

fn read_by(subcommand: &str, text: &str) -> Ended {
    let arguments = format!("{subcommand} FOLDER/records.jsonl");
    Invocation::of(&arguments).file("records.jsonl", text).finish()
}

/// Refused by both, and without any data on stdout.
#[track_caller]
fn refused(text: &str, words: &[&str]) {
    for subcommand in ["judge", "report"] {
        let ended = read_by(subcommand, text);
        ended.exits_with(64).says(&["FOLDER/records.jsonl".trim_start_matches("FOLDER/")]);
        ended.says(words);
        assert_eq!(ended.stdout, "");
    }
}

/// The good file with one line changed.
fn with_line(number: usize, change: impl Fn(&str) -> String) -> String {
    let lines: Vec<String> = good()
        .lines()
        .enumerate()
        .map(|(index, line)| if index + 1 == number { change(line) } else { line.to_owned() })
        .collect();
    lines.join("\n") + "\n"
}

#[test]
fn a_good_file_is_accepted() {
    assert_eq!(good().lines().count(), 5);
    let ended = read_by("report", good());
    assert_holds(&ended.exits_with(0).stdout, &["Only the floor was measured"]);
    assert!(!ended.stdout.contains("cut off"));
}

#[test]
fn a_file_that_is_not_there_is_refused() {
    for subcommand in ["judge", "report"] {
        let ended = Invocation::of(&format!("{subcommand} FOLDER/none.jsonl")).finish();
        ended.exits_with(64).says(&["none.jsonl", "No such file", "--out folder of a run"]);
    }
}

#[test]
fn a_folder_without_a_run_is_refused_with_the_file_to_name() {
    let ended = Invocation::of("judge FOLDER").finish();
    ended.exits_with(64).says(&["No such file", "records.jsonl"]);
}

#[test]
fn a_file_that_is_no_record_file_is_refused() {
    refused("# A readme\nwith words\n", &["does not begin with a run"]);
    refused("{\"a\": 1}\n", &["does not begin with a run"]);
    refused("", &["does not begin with a run"]);
}

#[test]
fn a_file_without_its_first_line_is_refused() {
    let (_, rest) = good().split_once('\n').unwrap();
    refused(rest, &["does not begin with a run"]);
}

#[test]
fn a_file_whose_last_line_was_cut_is_accepted_and_reported_as_cut_off() {
    // The end, and half of the last record.
    let lines: Vec<&str> = good().lines().collect();
    let cut = format!("{}\n{}", lines[..3].join("\n"), &lines[3][..lines[3].len() / 2]);
    let ended = read_by("report", &cut);
    assert_holds(&ended.exits_with(0).stdout, &["This run was cut off"]);
    let judged = read_by("judge", &cut);
    let judgement: serde_json::Value = serde_json::from_str(&judged.stdout).unwrap();
    assert_eq!(judgement["complete"], false);
    assert_eq!(judgement["judgement"]["figures"][0]["rows"][0]["figure_s"]["samples"], 2);
}

#[test]
fn a_line_that_is_cut_in_the_middle_is_refused_with_its_number() {
    let broken = with_line(3, |line| line[..line.len() / 2].to_owned());
    refused(&broken, &["line 3", "EOF", "column"]);
}

#[test]
fn an_unknown_field_is_refused_with_its_line_and_name() {
    let broken = with_line(4, |line| line.replace("\"samples\"", "\"colour\":3,\"samples\""));
    refused(&broken, &["line 4", "unknown field `colour`"]);
    let run = with_line(1, |line| line.replace("\"seed\"", "\"colour\":3,\"seed\""));
    refused(&run, &["line 1", "unknown field `colour`"]);
}

#[test]
fn another_version_of_the_format_is_refused_as_such() {
    let (oldest, newest) = (OLDEST_RECORD_FORMAT, RECORD_FORMAT);
    let of_format = |format: u32| {
        let (own, other) = (format!("\"format\":{newest}"), format!("\"format\":{format}"));
        with_line(1, |line| line.replace(&own, &format!("{other},\"a_field_of_its_own\":true")))
    };
    for other in [oldest - 1, newest + 1] {
        let reads = format!("reads formats {oldest} to {newest}");
        refused(&of_format(other), &["line 1", &format!("format {other}"), &reads]);
    }
}

#[test]
fn a_file_of_the_format_before_is_read_without_what_it_did_not_have() {
    let mut lines: Vec<Value> =
        good().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines[0]["format"] = json!(4);
    let mut taken_out = 0;
    let samples = lines.iter_mut().filter_map(|line| line.get_mut("samples")?.as_array_mut());
    for sample in samples.flatten() {
        taken_out += usize::from(sample.as_object_mut().unwrap().remove("each_ns").is_some());
        sample.as_object_mut().unwrap().remove("witnessed");
    }
    assert!(taken_out > 0);
    let older: Vec<String> = lines.iter().map(Value::to_string).collect();
    let ended = read_by("report", &(older.join("\n") + "\n"));
    assert_holds(&ended.exits_with(0).stdout, &["Only the floor was measured"]);
}

#[test]
fn a_second_run_in_one_file_is_refused() {
    refused(&format!("{0}{0}", good()), &["line 6", "a second run"]);
}
