//! Records of full runs, judged before figures had one table: the same records must give
//! the same verdicts for ever.
//!
//! `quick` is a bare quick run over both protocols, `monitors` scalars, capacity and
//! disturbances at 100 Hz, `disturbed` outages of the usual length. All ran beside other
//! work, so that some updates are lost and some verdicts are undecided. A line of a
//! `.verdicts` file holds a verdict's name, outcome, figure (median, low, high), limit,
//! what it was compared with, and `known` where it was expected to be over.

use std::io::Read;
use std::path::Path;

use epics_gauge::judge::{Limits, Verdict, judge};
use epics_gauge::record::RunRecords;
use flate2::read::GzDecoder;

/// JSON keeps 17 digits, the file 10.
const SAME: f64 = 1e-8;

fn read(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/judged/before");
    std::fs::read(folder.join(name)).unwrap()
}

pub(super) fn records(name: &str) -> RunRecords {
    let mut text = String::new();
    GzDecoder::new(read(&format!("{name}.jsonl.gz")).as_slice()).read_to_string(&mut text).unwrap();
    RunRecords::parse(&text).unwrap()
}

/// Words of verdicts' names, with those that they had then. The lookup was not in the names:
/// over pvAccess all PVs were found by name server.
const WORDS_THEN: [(&str, &str); 5] = [
    ("_name_server::", "::"),
    ("_in_order_", "_"),
    ("recovery::", "disturbed::"),
    ("_missing_pv::", "_vanish::"),
    ("::pvs_not_reconnected", "::pvs_left_behind"),
];

/// The verdict's name as it was then.
fn name_then(verdict: &Verdict) -> String {
    let replaced = |name: String, (now, then): &(&str, &str)| name.replacen(now, then, 1);
    WORDS_THEN.iter().fold(verdict.name.clone(), replaced)
}

fn is_same(expected: &str, verdict: &Verdict) -> bool {
    let columns: Vec<&str> = expected.split('\t').collect();
    let [name, outcome, median, low, high, limit, compared_with, known] = columns[..] else {
        panic!("{expected}");
    };
    let is_close = |text: &str, value: f64| {
        let before: f64 = text.parse().unwrap();
        (before - value).abs() <= SAME * before.abs()
    };
    let has_figure = match &verdict.figure {
        None => median.is_empty(),
        Some(figure) => {
            !median.is_empty()
                && is_close(median, figure.median)
                && is_close(low, figure.low)
                && is_close(high, figure.high)
        }
    };
    name == name_then(verdict)
        && outcome == verdict.outcome.name()
        && has_figure
        && is_close(limit, verdict.limit)
        && compared_with == verdict.compared_with.as_deref().unwrap_or("")
        && (known == "known") == verdict.expected_over.is_some()
}

fn assert_same_verdicts(name: &str) {
    let limits =
        Limits::parse(&String::from_utf8(read("limits.toml")).unwrap(), "limits.toml").unwrap();
    let verdicts = judge(&records(name), &limits).verdicts;
    let expected = String::from_utf8(read(&format!("{name}.verdicts"))).unwrap();
    let expected: Vec<&str> = expected.lines().collect();
    for line in &expected {
        let name = line.split('\t').next().unwrap();
        let own = verdicts.iter().find(|verdict| name_then(verdict) == name);
        let own = own.unwrap_or_else(|| panic!("no verdict {name} any more"));
        assert!(is_same(line, own), "before: {line}\nnow: {}\n{own:?}", own.explain());
    }
    assert_eq!(verdicts.len(), expected.len(), "there are verdicts that there were not before");
}

#[test]
fn a_quick_run_has_the_verdicts_that_it_had() {
    assert_same_verdicts("quick");
}

#[test]
fn a_run_of_monitors_has_the_verdicts_that_it_had() {
    assert_same_verdicts("monitors");
}

#[test]
fn a_run_of_disturbances_has_the_verdicts_that_it_had() {
    assert_same_verdicts("disturbed");
}
