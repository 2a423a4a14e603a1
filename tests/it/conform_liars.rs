//! The suite checked itself, with real workers that err in one way each: each is found in its own
//! group and in no other, and a client that fails or returns what was last put passes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::Value;

use crate::support::{gauge, program};

/// One check a group, two of puts: a client that is right passes all of them.
const CHECKS: [&str; 13] = [
    "scalars.double-epsilon",
    "strings.39",
    "enums.gap",
    "arrays.length-1",
    "alarms.hihi",
    "times.never-processed",
    "limits.display",
    "names.name-of-alias",
    "filters.array-slice",
    "monitors.order",
    "puts.double",
    "puts.disp",
    "structures.group",
];

/// The groups of Channel Access, each with its liar.
const GROUPS: [&str; 11] = [
    "scalars", "strings", "enums", "arrays", "alarms", "times", "limits", "names", "filters",
    "monitors", "puts",
];

/// The checks of refusals and of absent PVs.
const MUST_FAIL: [&str; 9] = [
    "names.missing-field",
    "names.missing",
    "filters.unknown",
    "puts.enum-wrong-text",
    "puts.disp",
    "puts.access-security",
    "puts.read-only-field",
    "puts.no-mod-field",
    "puts.hidden",
];

/// The outcome of each check, by liar.
type Outcomes = BTreeMap<String, BTreeMap<String, String>>;

/// Has liars over a floor asked.
fn outcomes(protocol: &str, liars: &[&str], checks: &[&str]) -> (Outcomes, Value) {
    let folder = tempfile::tempdir().unwrap();
    let liar = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/conform/liar.py");
    let floor = if protocol == "ca" { "wire" } else { "wire-pva" };
    let (liar, gauge_program) = (liar.display(), program());
    let mut approaches = String::new();
    for name in liars {
        let _ = writeln!(
            approaches,
            "[approach.{name}]\nprotocol = \"{protocol}\"\ncommand = [\"python3\", \"{liar}\", \
             \"{}\", \"{floor}\", \"{name}\"]",
            gauge_program.display()
        );
    }
    let file = folder.path().join("liars.toml");
    std::fs::write(&file, approaches).unwrap();
    let mut command = gauge();
    command.args(["conform", "--format", "json", "--approach", &liars.join(",")]);
    command.arg("--approaches").arg(file);
    if !checks.is_empty() {
        command.args(["--check", &checks.join(",")]);
    }
    let output = command.output().unwrap();
    let shown = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{shown}");
    let matrix: Value = serde_json::from_slice(&output.stdout).expect(&shown);
    let ids: Vec<&str> = matrix["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["id"].as_str().unwrap())
        .collect();
    let mut found = Outcomes::new();
    for page in matrix["pages"].as_array().unwrap() {
        for column in page["columns"].as_array().unwrap() {
            let fields = ids.iter().zip(column["fields"].as_array().unwrap());
            let outcomes = fields.filter_map(|(id, field)| {
                Some(((*id).to_owned(), field["outcome"].as_str()?.to_owned()))
            });
            found
                .entry(column["approach"].as_str().unwrap().to_owned())
                .or_default()
                .extend(outcomes);
        }
    }
    (found, matrix)
}

fn not_passed(outcomes: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let failed = outcomes.iter().filter(|(_, outcome)| *outcome != "pass");
    failed.map(|(id, _)| id.split('.').next().unwrap()).collect()
}

#[test]
fn each_liar_is_found_in_its_group_and_in_no_other() {
    let (of_ca, _) = outcomes("ca", &GROUPS, &CHECKS);
    let (of_pva, _) = outcomes("pva", &["structures"], &CHECKS);
    assert_eq!(of_ca.len() + of_pva.len(), 12);
    for (liar, outcomes) in of_ca.iter().chain(&of_pva) {
        assert_eq!(not_passed(outcomes), BTreeSet::from([&**liar]), "{liar}: {outcomes:?}");
    }
}

#[test]
fn a_client_whose_calls_all_fail_shows_no_refusal() {
    let (found, matrix) = outcomes("ca", &["fails", "timesout", "echo"], &MUST_FAIL);
    for (liar, outcomes) in &found {
        assert_eq!(outcomes.len(), MUST_FAIL.len(), "{liar}");
        assert!(outcomes.values().all(|outcome| outcome != "pass"), "{liar}: {outcomes:?}");
    }
    let shown = matrix.to_string();
    assert!(shown.contains("an error proves no refusal: it failed"), "{matrix:#}");
    assert!(shown.contains("permitted: put 5.0 to pu:permitted"), "{matrix:#}");
}

/// A control that the library confirms is none before the IOC holds what was written.
#[test]
fn a_permitted_put_that_gets_lost_shows_no_refusal() {
    let (found, _) = outcomes("ca", &["writesonlyrefused"], &["puts.disp", "puts.no-mod-field"]);
    let outcomes = &found["writesonlyrefused"];
    assert_eq!(outcomes["puts.disp"], "wrong");
    assert_eq!(outcomes["puts.no-mod-field"], "pass");
}

#[test]
fn a_client_that_returns_what_was_last_put_passes_no_check_at_all() {
    for protocol in ["ca", "pva"] {
        let (found, _) = outcomes(protocol, &["echo"], &[]);
        let passed: Vec<&String> = found["echo"]
            .iter()
            .filter(|(_, outcome)| *outcome == "pass")
            .map(|one| one.0)
            .collect();
        assert!(passed.is_empty(), "{protocol}: {passed:?}");
        assert!(found["echo"].len() >= 120, "{protocol}: {}", found["echo"].len());
    }
}

#[test]
fn a_client_that_crashes_and_one_that_hangs_are_named() {
    let (found, matrix) = outcomes("ca", &["crashes", "hangs"], &["scalars.double"]);
    assert_eq!(found["crashes"]["scalars.double"], "crash", "{matrix:#}");
    assert_eq!(found["hangs"]["scalars.double"], "hang", "{matrix:#}");
    assert!(matrix.to_string().contains("exit status: 3"), "{matrix:#}");
    assert!(matrix.to_string().contains("did not answer within"), "{matrix:#}");
}
