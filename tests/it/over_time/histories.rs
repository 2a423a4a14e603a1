//! Runs over time: where a level changed, and what cannot be read.

use std::fs;
use std::path::Path;
use std::process::Command;

use epics_gauge::report::Described;
use serde_json::Value;

use super::{RUN, gauge_in, records, runs, stderr, stdout};
use crate::support::program;

/// 25 runs, and 9 that take 1.3 times as long.
fn slower() -> Vec<f64> {
    [vec![1.0; 25], vec![1.3; 9]].concat()
}

/// Appends all runs of a folder to its `history.jsonl`.
fn appended(folder: &Path, count: usize) {
    let names: Vec<String> = (1..=count).map(|run| format!("run-{run}")).collect();
    let line = format!("history {} --append history.jsonl --recent 0", names.join(" "));
    let output = gauge_in(folder, &line);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_slower_level_is_found_with_its_commit_in_every_format() {
    let folder = runs(&slower());
    appended(folder.path(), 34);
    let history = |options: &str| {
        let output = gauge_in(folder.path(), &format!("history history.jsonl {options}"));
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stdout(&output)
    };
    let words = history("").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("libca, connect bulk of connect on softioc, 3 PVs"), "{words}");
    assert!(words.contains("from run 26 (0000000000) on"), "{words}");
    assert!(words.contains("at most 1 % for each figure in 100 runs"), "{words}");

    let json: Value = serde_json::from_str(&history("--format json")).unwrap();
    let schema: Value = serde_json::from_str(&Described::Report.schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    assert!(validator.is_valid(&json), "{:?}", validator.iter_errors(&json).next());
    let machine = &json["history"]["machines"][0];
    assert_eq!(machine["runs"][25]["revision"]["commit"], format!("{:040x}", 26));
    assert_eq!(machine["runs"][25]["revision"]["branch"], "main");
    let connect = machine["series"]
        .as_array()
        .unwrap()
        .iter()
        .find(|series| series["metric"] == "connect bulk" && series["approach"] == "libca");
    let change = &connect.unwrap()["changes"][0];
    assert_eq!((&change["first_run"], &change["is_worse"]), (&25.into(), &true.into()));
    let ratio = change["ratio"]["median"].as_f64().unwrap();
    assert!((ratio - 1.3).abs() < 0.02, "{ratio}");

    let csv = history("--format csv");
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let column = reader.headers().unwrap().iter().position(|name| name == "change").unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert!(rows.iter().any(|row| &row[column] == "worse"), "{csv}");
    let page = history("--format html");
    assert!(page.contains("from run 26 (0000000000) on, found with run"), "no mark of the change");
    let comment = history("--format comment --link https://example.org/gauge");
    assert!(comment.contains("### Worse") && comment.lines().count() < 40, "{comment}");
    assert!(comment.ends_with("[The whole report](https://example.org/gauge)\n\n"), "{comment}");
}

#[test]
fn a_worsening_turns_the_history_red_for_as_long_as_is_asked() {
    let folder = runs(&slower());
    let names: Vec<String> = (1..=34).map(|run| format!("run-{run}")).collect();
    let code = |options: &str| {
        gauge_in(folder.path(), &format!("history {} {options}", names.join(" "))).status.code()
    };
    assert_eq!(code("--recent 9"), Some(2));
    assert_eq!(code("--recent 1"), Some(0));
    assert_eq!(code("--recent 0"), Some(0));
}

#[test]
fn a_run_is_appended_once() {
    let folder = runs(&[1.0, 1.0]);
    appended(folder.path(), 2);
    let before = fs::read_to_string(folder.path().join("history.jsonl")).unwrap();
    assert_eq!(before.lines().count(), 2);
    let again = gauge_in(folder.path(), "history run-2 --append history.jsonl");
    assert!(stderr(&again).contains("history.jsonl has the run run-2 already"), "{again:?}");
    assert_eq!(fs::read_to_string(folder.path().join("history.jsonl")).unwrap(), before);
    let twice = gauge_in(folder.path(), "history history.jsonl run-2");
    assert_eq!(twice.status.code(), Some(64));
    assert!(stderr(&twice).contains("run-2 and run-2 are the same run"), "{twice:?}");
}

#[test]
fn another_machine_stands_apart_and_an_older_format_is_read() {
    let folder = runs(&[1.0, 1.0]);
    let elsewhere = records().replacen("\"cores\":", "\"cores\":1", 1);
    fs::create_dir(folder.path().join("elsewhere")).unwrap();
    fs::write(folder.path().join("elsewhere/records.jsonl"), elsewhere).unwrap();
    // Format 7 had neither ordinary gets nor commits.
    let older: String = records()
        .lines()
        .map(|line| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            if line["line"] == "run" {
                line["format"] = 7.into();
                line["started_utc"] = "2020-01-01T00:00:00Z".into();
                line.as_object_mut().unwrap().remove("revision");
            }
            format!("{line}\n")
        })
        .collect();
    fs::write(folder.path().join("older.jsonl"), older).unwrap();
    let output = gauge_in(folder.path(), "history run-1 run-2 elsewhere older.jsonl --format json");
    let json: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let machines = json["history"]["machines"].as_array().unwrap();
    let counts: Vec<usize> =
        machines.iter().map(|machine| machine["runs"].as_array().unwrap().len()).collect();
    assert_eq!(counts, [3, 1]);
    assert_eq!(machines[0]["runs"][0]["revision"], Value::Null);
}

#[test]
fn a_figure_that_some_runs_lack_is_compared_over_the_gap() {
    let folder = runs(&slower());
    // A run in between that measured something else.
    let gap = folder.path().join("run-12/records.jsonl");
    fs::write(&gap, fs::read_to_string(&gap).unwrap().replace("\"pvs\":3", "\"pvs\":4")).unwrap();
    appended(folder.path(), 34);
    let output = gauge_in(folder.path(), "history history.jsonl");
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stdout(&output).contains("run 26 (0000000000)"), "{}", stdout(&output));
}

#[test]
fn a_branch_is_shown_by_itself() {
    let folder = runs(&[1.0, 1.0]);
    let other = folder.path().join("run-2/records.jsonl");
    let text =
        fs::read_to_string(&other).unwrap().replace("\"branch\":\"main\"", "\"branch\":\"b\"");
    fs::write(&other, text).unwrap();
    let of =
        |branch: &str| gauge_in(folder.path(), &format!("history run-1 run-2 --branch {branch}"));
    assert!(stdout(&of("b")).contains("run-2") && !stdout(&of("b")).contains("run-1"));
    let none = of("c");
    assert_eq!(none.status.code(), Some(64));
    assert!(stderr(&none).contains("their branches are: b, main"), "{none:?}");
}

#[test]
fn what_is_no_history_is_refused_with_file_and_line() {
    let folder = runs(&[1.0, 1.0]);
    appended(folder.path(), 2);
    let path = folder.path().join("history.jsonl");
    let good = fs::read_to_string(&path).unwrap();
    let refused = |text: &str, arguments: &str, words: &str| {
        fs::write(&path, text).unwrap();
        let output = gauge_in(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments}: {output:?}");
        assert!(stderr(&output).contains(words), "{words} is not in: {}", stderr(&output));
    };
    let cut_off = &good[..good.len() - 20];
    refused(cut_off, "history history.jsonl", "history.jsonl: line 2: it was cut off");
    refused(cut_off, "history run-1 --append history.jsonl", "line 2: it was cut off");
    let broken = good.replacen("{\"configuration\"", "{\"configurations\"", 1);
    refused(&broken, "history history.jsonl", "history.jsonl: line 1: ");
    let newer = good.replace("\"format\":1", "\"format\":2");
    refused(&newer, "history history.jsonl", "line 1: it has format 2, this build reads format 1");
    refused(&good, "report history.jsonl", "`epics-gauge history history.jsonl` reads it");
    refused(&good, "history nowhere", "nowhere: ");
    refused(&good, "history run-1 --link https://x.org", "--link belongs to --format comment");
    refused(&good, "history run-1 --format comment --link x.org", "begins with https://");
}

#[test]
fn a_run_knows_its_commit_and_its_report_shows_it() {
    let shown = gauge_in(RUN.path(), "report run --format markdown");
    assert!(stdout(&shown).contains("commit measured: 0123456789abcdef of main"));
    let refused = Command::new(program()).args(["run", "connect", "--commit", "a b"]).output();
    let printed = stderr(&refused.unwrap());
    assert!(printed.contains("give a name without blanks"), "{printed}");
}

/// The lines of all blocks of shell commands in a document.
fn commands(document: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split_once("```"));
    blocks.flat_map(|(block, _)| block.lines().map(str::to_owned)).collect()
}

#[test]
fn the_documented_commands_do_what_they_report() {
    let folder = runs(&[1.0; 5]);
    let names = ["monday", "tuesday", "friday", "gauge", "limits"];
    for (index, name) in names.iter().enumerate() {
        let run = folder.path().join(format!("run-{}", index + 1));
        fs::rename(run, folder.path().join(name)).unwrap();
    }
    let mut lines = commands("over-time.md");
    lines.extend(commands("use-in-your-ci.md").into_iter().filter(|line| line.contains("history")));
    assert!(lines.len() > 8, "{lines:?}");
    let own = program().parent().unwrap().display().to_string();
    let path = format!("{own}:{}", std::env::var("PATH").unwrap());
    // Bisections have repositories of their own.
    for line in lines.iter().filter(|line| !line.contains("bisect")) {
        let mut shell = Command::new("bash");
        shell.args(["-e", "-c", line]).env("PATH", &path).current_dir(folder.path());
        let output = shell.output().unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
    for file in ["history.html", "figures.json", "bencher.json", "otava.csv", "epics-gauge.prom"] {
        assert!(fs::metadata(folder.path().join(file)).unwrap().len() > 100, "{file}");
    }
}
