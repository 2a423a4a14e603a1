//! Tests that `cargo test` ignores are run by `ci/test-slow`, all of them, and that
//! script by a schedule.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What each ignored test says.
const REASON: &str = "slow: `ci/test-slow` runs it";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The entries between `slow_tests=(` and `)`.
fn listed(script: &str) -> BTreeSet<String> {
    let lines = script.lines().skip_while(|line| *line != "slow_tests=(").skip(1);
    lines.take_while(|line| *line != ")").map(|line| line.trim().to_owned()).collect()
}

/// The ignored tests of this program, as it lists them.
fn ignored_here() -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--list", "--ignored"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    names.map(|name| format!("it::{name}")).collect()
}

/// The tests of the gate that its source makes by `slow_trial(NAME, …)`.
fn ignored_by_the_gate(source: &str) -> BTreeSet<String> {
    let calls = source.split("slow_trial(\"").skip(1).filter_map(|rest| rest.split_once('"'));
    calls.map(|(name, _)| format!("gate::{name}")).collect()
}

/// The ignored unit tests of a source file below `src`: in its module `tests`, or in one
/// that has nothing else.
fn ignored_units(file: &Path, source: &str) -> BTreeSet<String> {
    let module = file.with_extension("").display().to_string().replace('/', "::");
    let after = source.split("#[ignore").skip(1).filter_map(|rest| rest.split_once("fn "));
    let names = after.filter_map(|(_, rest)| rest.split_once('('));
    let inner = if source.contains("mod tests {") { "tests::" } else { "" };
    names.map(|(name, _)| format!("lib::{module}::{inner}{name}")).collect()
}

/// What is ignored and not in the list, and what is in the list and not ignored.
fn differences(ignored: &BTreeSet<String>, listed: &BTreeSet<String>) -> Vec<String> {
    ignored.symmetric_difference(listed).cloned().collect()
}

/// The reasons of ignored tests in a source, `None` for one without.
fn reasons(source: &str) -> Vec<Option<&str>> {
    let attributes = source.lines().filter_map(|line| line.trim().strip_prefix("#[ignore"));
    attributes.map(|rest| rest.strip_prefix(" = \"")?.strip_suffix("\"]")).collect()
}

fn sources_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_ignored_test_is_run_by_the_script_for_slow_ones() {
    let mut ignored = ignored_here();
    ignored.extend(ignored_by_the_gate(&read("tests/gate/itself.rs")));
    let library = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in sources_below(&library) {
        let source = fs::read_to_string(&file).unwrap();
        ignored.extend(ignored_units(file.strip_prefix(&library).unwrap(), &source));
    }
    let listed = listed(&read("ci/test-slow"));
    assert!(ignored.len() > 3, "{ignored:?}");
    assert_eq!(differences(&ignored, &listed), [""; 0], "ignored or in ci/test-slow, not both");
}

#[test]
fn a_test_that_nothing_runs_is_found() {
    let script = "slow_tests=(\n    it::a::b\n    gate::c\n)\nother\n";
    let listed = listed(script);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(listed, set(&["it::a::b", "gate::c"]));
    assert_eq!(differences(&set(&["it::a::b", "gate::c"]), &listed), [""; 0]);
    assert_eq!(differences(&set(&["it::a::b", "it::d", "gate::c"]), &listed), ["it::d"]);
    assert_eq!(differences(&set(&["it::a::b"]), &listed), ["gate::c"]);
    let gate = "vec![\n slow_trial(\"itself::x\", x),\n Trial::test(\"itself::y\", y)]";
    assert_eq!(ignored_by_the_gate(gate), set(&["gate::itself::x"]));
    let unit = "#[test]\n#[ignore = \"slow\"]\nfn takes_long() {\n#[test]\nfn other() {";
    let units = ignored_units(Path::new("stats/simulated.rs"), unit);
    assert_eq!(units, set(&["lib::stats::simulated::takes_long"]));
    let units = ignored_units(Path::new("stats/mean.rs"), &format!("mod tests {{\n{unit}"));
    assert_eq!(units, set(&["lib::stats::mean::tests::takes_long"]));
}

#[test]
fn tests_are_ignored_for_one_reason_only() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "tests"].map(|folder| root.join(folder));
    for file in folders.iter().flat_map(|folder| sources_below(folder)) {
        // This one has some to test itself with.
        if file.ends_with("tests/it/slow.rs") {
            continue;
        }
        for reason in reasons(&fs::read_to_string(&file).unwrap()) {
            assert_eq!(reason, Some(REASON), "{}", file.display());
        }
    }
    let attribute = format!("    #[ignore = \"{REASON}\"]\n#[ignore]\n#[ignore = \"later\"]");
    assert_eq!(reasons(&attribute), [Some(REASON), None, Some("later")]);
}
