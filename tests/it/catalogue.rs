//! The approaches: those of the catalogue answer every value right and say what
//! they are, and the documented way to add one works as written.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use epics_gauge::approach::{Approach, Catalogue, Kind};
use epics_gauge::manifest::Over;
use epics_gauge::record::Record;
use epics_gauge::scenario::reads;
use epics_gauge::worker_protocol::{Mode, Stage};

use super::support::{Gauge, Ran, approaches_where, program};

/// One block of each in both modes; every value was checked when none failed.
fn one_block(approaches: &[String], pvs: &str) -> Ran {
    let arguments = format!(
        "connect --approach {} --pvs {pvs} --blocks 1 --profile full",
        approaches.join(",")
    );
    let ran = Gauge::run(&arguments).finish();
    for record in ran.records() {
        let Record { approach, pvs, mode, failure, .. } = &record;
        assert!(failure.is_none(), "{approach}, {pvs} PVs, {mode}: {failure:#?}");
    }
    ran
}

/// Both counts of PVs in both modes, each with every stage that reads or writes.
#[track_caller]
fn is_complete(ran: &Ran, approach: &str) {
    let mut records = ran.records();
    records.retain(|record| record.approach == approach);
    let configurations: Vec<(usize, &str)> =
        records.iter().map(|record| (record.pvs, record.mode.name())).collect();
    for configuration in [(1, "serial"), (1, "bulk"), (20, "serial"), (20, "bulk")] {
        assert!(
            configurations.contains(&configuration),
            "{approach} has no record of {configuration:?}"
        );
    }
    for record in &records {
        let count = |stage| record.samples.iter().filter(|sample| sample.stage == stage).count();
        let modes = if record.mode.name() == "bulk" { 2 } else { 1 };
        assert_eq!((count(Stage::Import), count(Stage::Connect)), (1, 1), "{approach}");
        for stage in [Stage::Get, Stage::GetAgain, Stage::Put, Stage::Readback] {
            assert_eq!(count(stage), modes, "{approach}: {stage}");
        }
        for stage in [Stage::GetDefault, Stage::GetDefaultAgain] {
            assert_eq!(count(stage), 1, "{approach}: {stage}");
        }
        asks_as_it_says(approach, record);
        says_its_versions(approach, &record.versions);
    }
    times_single_pvs(&records, approach);
}

/// One by one, each PV has a time of its own. The harness refuses those that are longer
/// than the stage; they must not be shorter either, though a busy machine may stop a
/// worker between its last PV and the end.
#[track_caller]
fn times_single_pvs(records: &[Record], approach: &str) {
    let samples = || records.iter().flat_map(|record| &record.samples);
    let mut most = 0.0;
    for sample in samples() {
        let is_timed =
            sample.mode == Mode::Serial && (reads(sample.stage) || sample.stage == Stage::Put);
        let expected = if is_timed { sample.pvs } else { 0 };
        assert_eq!(sample.each_ns.len(), expected, "{approach}: {sample:?}");
        let took_ns = (sample.end_ns - sample.start_ns).max(1);
        most = f64::max(most, sample.each_ns.iter().sum::<u64>() as f64 / took_ns as f64);
    }
    assert!(most > 0.8, "{approach}: single PVs took {most:.3} of their stage at most");
}

/// The harness sees the request of an ordinary get, unless the approach says that a monitor
/// answers it, which is then seen too.
#[track_caller]
fn asks_as_it_says(approach: &str, record: &Record) {
    let catalogue = Catalogue::built_in();
    let call = catalogue.get(approach).unwrap().default_get.as_deref();
    let call = call.unwrap_or_else(|| panic!("{approach} has no `default_get` in its manifest"));
    let monitors = u64::from(call.contains("monitor"));
    let gets = record.samples.iter().filter_map(|sample| Some((sample, sample.default_get?)));
    for (sample, get) in gets {
        let cached = match sample.stage {
            Stage::GetDefaultAgain if monitors > 0 => sample.pvs,
            _ => 0,
        };
        assert_eq!(get.monitors, Some(monitors * sample.pvs as u64), "{approach}: {get:?}");
        if get.sent_bytes.is_some() {
            assert_eq!(get.from_cache(sample.pvs), cached, "{approach}: {get:?}");
        }
    }
}

#[track_caller]
fn says_its_versions(approach: &str, versions: &BTreeMap<String, String>) {
    let tells = |name: &str| versions.get(name).is_some_and(|version| !version.trim().is_empty());
    assert!(!versions.is_empty() && versions.keys().all(|name| tells(name)), "{approach}");
    let catalogue = Catalogue::built_in();
    let Approach { kind, over, .. } = catalogue.get(approach).unwrap();
    if *kind == Kind::Python {
        assert!(tells("python"), "{approach}: {versions:?}");
    }
    if (kind, over) == (&Kind::Python, &Some(Over::Libca)) {
        assert!(tells("libca"), "{approach} does not say which libca it loaded: {versions:?}");
        // Each package brings a build of its own.
        let file = versions.get("libca-file").unwrap_or_else(|| panic!("{versions:?}"));
        assert!(file.contains("libca") && file.contains(".so"), "{approach}: {file}");
    }
    if (kind, over) == (&Kind::Native, &Some(Over::Libca)) {
        assert!(tells("epics-base"), "{approach} does not say whose libca it has: {versions:?}");
    }
}

#[test]
fn every_native_approach_answers_every_value_right_and_reports_its_versions() {
    let native = approaches_where(|approach| approach.kind == Kind::Native);
    let ran = one_block(&native, "1,20");
    native.iter().for_each(|approach| is_complete(&ran, approach));
}

#[test]
fn every_python_approach_answers_every_value_right_and_reports_its_versions() {
    let python = approaches_where(|approach| approach.kind == Kind::Python);
    let ran = one_block(&python, "1,20");
    python.iter().for_each(|approach| is_complete(&ran, approach));
}

#[test]
fn versions_are_those_of_the_lock_file() {
    let locked = locked_versions();
    let python = approaches_where(|approach| approach.kind == Kind::Python);
    let approaches = python.join(",");
    let ran =
        Gauge::run(&format!("connect --approach {approaches} --pvs 1 --mode serial --blocks 1"));
    let records = ran.finish().records();
    for approach in python {
        let record = records.iter().find(|record| record.approach == approach).unwrap();
        let package = Catalogue::built_in().get(&approach).unwrap().package.clone().unwrap();
        // Some write the name as Python imports it.
        let versions = [&package, &package.replace('-', "_")].map(|name| record.versions.get(name));
        assert!(versions.contains(&locked.get(&package)), "{approach}: {:?}", record.versions);
    }
}

#[test]
fn the_documented_example_of_an_own_approach_runs_as_written() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/approaches.toml");
    let written = fs::read_to_string(&file).unwrap();
    let usage = written.lines().next().unwrap();
    assert_eq!(
        usage,
        "# epics-gauge --approaches docs/examples/approaches.toml --approach minimal --mode serial"
    );
    let gauge =
        Gauge::run("connect --approach minimal --mode serial --pvs 1,3 --blocks 1 --approaches");
    let ran = gauge.argument(&file).finish();
    let records = ran.records();
    for approach in ["wire", "minimal"] {
        let own: Vec<&Record> =
            records.iter().filter(|record| record.approach == approach).collect();
        assert_eq!(own.iter().map(|record| record.pvs).max(), Some(3));
        assert_eq!(own.len(), 2, "{approach}: {}", ran.stderr);
        for record in own {
            assert_eq!(record.failure, None, "{approach}");
            assert_eq!(record.samples.len(), 9, "{approach}");
        }
    }
    // One block decides nothing; everything was measured.
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
}

#[test]
fn the_documented_commands_name_files_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = fs::read_to_string(root.join("docs/adding-an-approach.md")).unwrap();
    let command =
        document.lines().find(|line| line.starts_with("epics-gauge run connect --approaches"));
    let file = command.unwrap().split_whitespace().nth(4).unwrap();
    let listed = assert_cmd::Command::new(program())
        .current_dir(root)
        .args(["list", "approaches", "--approaches", file])
        .output()
        .unwrap();
    let stdout = String::from_utf8(listed.stdout).unwrap();
    assert!(stdout.lines().any(|line| line.starts_with("minimal ")), "{stdout}");
}

#[test]
fn every_locked_python_package_is_pinned_with_hashes_and_comes_from_nowhere_in_particular() {
    let requirements = requirements();
    assert!(requirements.len() > 5);
    for requirement in &requirements {
        // A marker says for which systems there is a build.
        let hashes_at = requirement.find("--hash").unwrap_or(requirement.len());
        let (pin, hashes) = requirement.split_at(hashes_at);
        let pin = pin.split(';').next().unwrap().trim();
        let (name, version) = pin.split_once("==").unwrap();
        assert!(!name.is_empty() && version.starts_with(|first: char| first.is_ascii_digit()));
        let hashes: Vec<&str> = hashes.split_whitespace().collect();
        assert!(!hashes.is_empty(), "{name} has no hash");
        for hash in hashes {
            let digits = hash.strip_prefix("--hash=sha256:").unwrap_or_else(|| panic!("{hash}"));
            let is_digit = |digit: char| matches!(digit, '0'..='9' | 'a'..='f');
            assert!(digits.len() == 64 && digits.chars().all(is_digit), "{name}: {hash}");
        }
    }
    for option in ["index-url", "find-links", "trusted-host", "://"] {
        assert!(!requirements.iter().any(|line| line.contains(option)), "{option}");
    }
}

fn locked_versions() -> BTreeMap<String, String> {
    let pins = requirements();
    pins.iter()
        .filter_map(|line| line.split_whitespace().next()?.split_once("=="))
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

/// The lock file without comments, one entry each.
fn requirements() -> Vec<String> {
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("vendor/python.lock");
    let text = fs::read_to_string(lock).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let joined = lines.join("\n").replace("\\\n", " ");
    joined.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

#[test]
fn a_native_worker_refuses_what_is_not_of_the_protocol() {
    for approach in approaches_where(|approach| approach.kind == Kind::Native) {
        for line in ["garbage", r#"{"message":"job","pvs":[],"timeout_s":1,"colour":"red"}"#] {
            let mut worker = assert_cmd::Command::new(program());
            let refused = worker.args(["worker", &approach]).write_stdin(format!("{line}\n"));
            refused.timeout(Duration::from_secs(60)).assert().code(65);
        }
    }
}
