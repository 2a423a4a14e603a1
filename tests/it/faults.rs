//! Faults: clients that lie turn their own field of the matrix red, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::{Gauge, at_once, crowd};

/// Each lie of `workers/lying_worker.py`, with the figure that shows it and the faults in
/// which that exists.
const LIES: [(&str, &str, &[&str]); 8] = [
    ("cached-value", "gets stale", &["frozen-5s", "restart"]),
    ("says-connected", "PVs falsely connected", &["frozen-5s", "restart"]),
    ("one-stays-away", "PVs never recovered", &["restart"]),
    ("leaks-descriptor", "client descriptors per round", &["churn"]),
    ("confirms-early", "puts early", &["put-slow"]),
    ("says-dead-connected", "dead PVs connected", &["dead-1pct"]),
    ("floods-searches", "searches later", &["dead-1pct"]),
    ("loses-last", "PVs without last value", &["frozen-5s", "restart", "burst"]),
];

/// How often a fault is measured at most.
const TRIES: usize = 3;

const FAULTS: [&str; 6] = ["frozen-5s", "restart", "dead-1pct", "churn", "put-slow", "burst"];

/// Who is measured: in churn, which takes pyepics half a minute, only the liar about it.
fn measured_in(fault: &str) -> Vec<&'static str> {
    let all = LIES.iter().map(|(lie, _, _)| *lie);
    let named = all.filter(|lie| fault != "churn" || *lie == "leaks-descriptor");
    named.chain(["honest"]).collect()
}

fn approaches() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).display();
    let entry = |lie: &str| {
        format!(
            "[approach.{lie}]\nhello = 'pyepics'\ncommand = ['{{python}}', \
             '{root}/tests/it/workers/lying_worker.py', '{lie}', \
             '{root}/src/worker/python/main.py', '--site', '{{site}}', 'pyepics']\n"
        )
    };
    LIES.iter().map(|(lie, _, _)| entry(lie)).collect::<String>() + &entry("honest")
}

/// The fields that are red: approach, fault and figure.
fn red(report: &Value) -> BTreeSet<(String, String, String)> {
    let verdicts = report["judgement"]["verdicts"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    verdicts
        .filter(|verdict| verdict["outcome"] == "over" || verdict["outcome"] == "failed")
        // A floor is measured too, and none of these lies is its own.
        .filter(|verdict| verdict["approach"] != "wire")
        .map(|verdict| {
            (text(&verdict["approach"]), text(&verdict["fault"]), text(&verdict["metric"]))
        })
        .collect()
}

fn measured(fault: &str) -> (Option<i32>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, approaches()).unwrap();
    let names = measured_in(fault);
    let gauge = Gauge::run(&format!(
        "faults --fault {fault} --server softioc --approach wire,{} --approaches",
        names.join(",")
    ));
    let ran = gauge.argument(&file).finish();
    let report = std::fs::read_to_string(ran.out.path().join("run/report.json"));
    let report = report.unwrap_or_else(|error| panic!("{error}: {}", ran.stderr));
    (ran.code, serde_json::from_str(&report).unwrap())
}

#[test]
fn each_lie_turns_its_own_field_red_and_no_other() {
    let _crowd = crowd();
    at_once(&FAULTS, |fault| {
        let expected: BTreeSet<(String, String, String)> = LIES
            .iter()
            .filter(|(_, _, shown_in)| shown_in.contains(fault))
            .map(|(lie, figure, _)| ((*lie).to_owned(), (*fault).to_owned(), (*figure).to_owned()))
            .collect();
        // A busy machine may break a limit in seconds; what a lie breaks is broken each time.
        let mut runs = (0..TRIES).map(|_| measured(fault));
        let as_expected = runs.find(|(_, report)| {
            let found = red(report);
            let cells = &report["judgement"]["faults"];
            assert!(found.is_superset(&expected), "{fault}: {found:?}: {cells}");
            eprintln!("{fault}: {found:?}");
            found == expected
        });
        let (code, report) = as_expected.unwrap_or_else(|| panic!("{fault}: more was red"));
        assert_eq!(code, Some(1), "{fault}");
        let cells = report["judgement"]["faults"].as_array().unwrap();
        let failing = cells.iter().filter(|cell| cell["state"] == "fail" && cell["floor"] == false);
        assert_eq!(failing.count(), expected.len(), "{fault}: {cells:?}");
    });
}
