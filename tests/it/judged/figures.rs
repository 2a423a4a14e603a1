//! Every number that the judge computes from records of full runs stays as it was.
//!
//! `before` holds the verdicts of these records; this holds the figures beside them: of
//! tables, charts, growth, losses, capacity and advice. Sentences are left out, so their
//! wording may change.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::Path;

use epics_gauge::judge::history::RunFigures;
use epics_gauge::judge::{BUDGET_S, Judgement, Limits, judge, matters, time_series};
use epics_gauge::record::RunRecords;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

/// The lines hold five digits, so that the files stay small; the last may be rounded either
/// way, as the last digit of a sum may differ between machines.
const SAME: f64 = 2e-4;

/// How many differences a failed test shows.
const SHOWN: usize = 10;

/// One line for each number, truth value, absent value and single word: its place, a tab,
/// and the value.
fn leaves(value: &Value, place: &str, lines: &mut String) {
    match value {
        Value::Object(entries) => {
            // A figure's place among the others shows its configuration.
            for (key, inner) in entries.iter().filter(|(key, _)| *key != "configuration") {
                leaves(inner, &format!("{place}.{key}"), lines);
            }
        }
        Value::Array(items) => {
            let _ = writeln!(lines, "{place}\t{} of them", items.len());
            for (at, inner) in items.iter().enumerate() {
                leaves(inner, &format!("{place}.{at}"), lines);
            }
        }
        Value::String(text) if text.contains(' ') => {}
        Value::Number(number) if number.is_f64() => {
            let _ = writeln!(lines, "{place}\t{:.4e}", number.as_f64().unwrap());
        }
        other => {
            let _ = writeln!(lines, "{place}\t{other}");
        }
    }
}

fn is_same(before: &str, now: &str) -> bool {
    let numbers = before.parse::<f64>().ok().zip(now.parse::<f64>().ok());
    match numbers {
        Some((before, now)) => (before - now).abs() <= SAME * before.abs(),
        None => before == now,
    }
}

/// The lines that differ, at most [`SHOWN`] of them, and how many do.
fn differences(before: &str, now: &str) -> (Vec<String>, usize) {
    let pairs = || {
        let longest = before.lines().count().max(now.lines().count());
        let (mut before, mut now) = (before.lines(), now.lines());
        (0..longest).map(move |_| (before.next().unwrap_or(""), now.next().unwrap_or("")))
    };
    let differ = |(before, now): &(&str, &str)| {
        let ((place, value), (own_place, own)) =
            (before.split_once('\t').unwrap_or_default(), now.split_once('\t').unwrap_or_default());
        place != own_place || !is_same(value, own)
    };
    let shown = pairs().filter(differ).take(SHOWN);
    let shown = shown.map(|(before, now)| format!("before: {before}\n   now: {now}")).collect();
    (shown, pairs().filter(differ).count())
}

/// All that the judge gives of a run beside its verdicts.
fn figures(run: &RunRecords, judgement: &Judgement) -> String {
    let mut value = json!({
        "judgement": judgement,
        "matters": matters(&judgement.figures, BUDGET_S),
        "time_series": judgement.monitors.iter().map(|one| time_series(run, one)).collect::<Vec<_>>(),
    });
    let of_history = RunFigures::of("run", run).unwrap();
    value["of_history"] = json!(of_history);
    // The limits are a file's, not computed; `before` holds the verdicts.
    let judged = value["judgement"].as_object_mut().unwrap();
    for held_elsewhere in ["limits", "verdicts"] {
        judged.remove(held_elsewhere);
    }
    for (now, then) in [("many_iocs", "fleets"), ("many_iocs_growth", "fleet_growth")] {
        let renamed = judged.remove(now).unwrap();
        judged.insert(then.to_owned(), renamed);
    }
    let mut lines = String::new();
    leaves(&value, "", &mut lines);
    // Names that the records have and the judge no longer gives.
    lines.replace("\"recovery\"", "\"disturbed\"").replace("\"missing-pv\"", "\"vanish\"")
}

fn assert_same_figures(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/judged/before");
    let limits = std::fs::read_to_string(folder.join("limits.toml")).unwrap();
    let limits = Limits::parse(&limits, "limits.toml").unwrap();
    let run = super::before::records(name);
    let now = figures(&run, &judge(&run, &limits));
    let mut before = String::new();
    if let Ok(file) = std::fs::File::open(folder.join(format!("{name}.figures.gz"))) {
        GzDecoder::new(file).read_to_string(&mut before).unwrap();
    }
    let (shown, count) = differences(&before, &now);
    if count > 0 {
        let file = std::env::temp_dir().join(format!("{name}.figures.gz"));
        let mut written =
            GzEncoder::new(std::fs::File::create(&file).unwrap(), Compression::best());
        written.write_all(now.as_bytes()).unwrap();
        written.finish().unwrap();
        panic!(
            "{count} figures of `{name}` changed; if they should, copy {} to {}:\n{}",
            file.display(),
            folder.display(),
            shown.join("\n")
        );
    }
}

#[test]
fn a_quick_run_has_the_figures_that_it_had() {
    assert_same_figures("quick");
}

#[test]
fn a_run_of_monitors_has_the_figures_that_it_had() {
    assert_same_figures("monitors");
}

#[test]
fn a_run_of_disturbances_has_the_figures_that_it_had() {
    assert_same_figures("disturbed");
}

#[test]
fn a_changed_figure_is_found_and_shown() {
    let before = ".a\t1.5\n.b\t\"x\"\n.c\ttrue\n";
    assert_eq!(differences(before, before).1, 0);
    assert_eq!(differences(before, &before.replace("1.5", "1.5001")).1, 0);
    let (shown, count) = differences(before, &before.replace("1.5", "1.6"));
    assert_eq!((shown, count), (vec!["before: .a\t1.5\n   now: .a\t1.6".to_owned()], 1));
    assert_eq!(differences(before, &before.replace("true", "false")).1, 1);
    assert_eq!(differences(before, &before.replace(".c\ttrue\n", "")).1, 1);
    assert_eq!(differences("", before).1, 3);
}

#[test]
fn a_line_stands_for_each_value_but_not_for_sentences() {
    let mut lines = String::new();
    leaves(&json!({"a": [1, null], "b": "one word: no", "c": "word"}), "", &mut lines);
    assert_eq!(lines, ".a\t2 of them\n.a.0\t1\n.a.1\tnull\n.c\t\"word\"\n");
}
