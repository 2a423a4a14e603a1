//! `compare` and `calibrate`, as users run them: real workers, real IOCs, and the
//! answer in exit codes, reports and annotations.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use epics_gauge::embedded;
use epics_gauge::record::{FailureKind, Record, RunRecords, Side};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{gauge, program};

/// An invocation of the program in a folder of its own.
struct Ran {
    folder: TempDir,
    output: Output,
}

impl Ran {
    /// Runs it with these arguments, separated by blanks; `FOLDER` becomes a folder that
    /// holds `mine.toml`, with an honest worker, slowed ones and one that crashes.
    fn of(arguments: &str) -> Ran {
        Ran::with(arguments, &[])
    }

    fn with(arguments: &str, environment: &[(&str, &Path)]) -> Ran {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), approaches()).unwrap();
        let folder_name = folder.path().display().to_string();
        let output = gauge()
            .args(arguments.replace("FOLDER", &folder_name).split_whitespace())
            .arg("--out")
            .arg(folder.path().join("out"))
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Ran { folder, output }
    }

    fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("out").join(name)).unwrap()
    }

    fn run(&self) -> RunRecords {
        RunRecords::parse(&self.file("records.jsonl")).unwrap()
    }

    #[track_caller]
    fn refuses(&self, words: &[&str]) {
        let printed = self.stderr();
        assert_eq!(self.code(), Some(64), "{printed}");
        for word in words {
            assert!(printed.contains(word), "{word} is not in: {printed}");
        }
    }
}

/// The real `wire` worker behind a proxy, honest or tampered with.
fn approaches() -> String {
    let proxy = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/it/workers/tampering_worker.py")
        .display()
        .to_string();
    let entry = |(name, how): (&str, &str)| {
        let gauge = program().display().to_string();
        format!(
            "[approach.{name}]\ncommand = ['{{python}}', '{proxy}', '{how}', '{name}', '{gauge}']\n"
        )
    };
    [("honest", "honest"), ("slowed", "slow-at-connect"), ("crashing", "crash-at-get")]
        .map(entry)
        .concat()
}

fn of_side(run: &RunRecords, side: Side) -> Vec<&Record> {
    run.records.iter().filter(|record| record.side == Some(side)).collect()
}

#[test]
fn a_slower_side_is_worse_with_its_own_exit_code_an_interval_and_an_annotation() {
    let ran = Ran::of("compare honest slowed --approaches FOLDER/mine.toml --pvs 20 --annotations");
    assert_eq!(ran.code(), Some(2), "{}", ran.stderr());
    let printed = ran.stdout();
    assert!(printed.contains("connect bulk: slowed is worse than honest by +"), "{printed}");
    assert!(printed.contains("::error title=connect bulk regressed::"), "{printed}");
    let comparison: Value = serde_json::from_str(&ran.file("report.json")).unwrap();
    let change = &comparison["judgement"]["comparison"]["metrics"][0];
    assert_eq!(change["outcome"], "regressed");
    assert!(
        change["ratio"]["low"].as_f64().unwrap() > 1.0,
        "0.4 s more are more than twice as much"
    );
    assert!(change["p"].as_f64().unwrap() < 0.01);
    // Screened first, then decided on fresh pairs; each side as often first.
    let run = ran.run();
    assert!(run.records.iter().any(|record| record.confirms));
    let first = |side| of_side(&run, side).iter().filter(|one| one.position == 0).count();
    assert_eq!(first(Side::A), first(Side::B));
    assert_eq!(run.end.as_ref().unwrap().processes_left, Some(0));
    // The record file alone says the same.
    let again = Command::new(program())
        .arg("judge")
        .arg(ran.folder.path().join("out/records.jsonl"))
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(2));
}

#[test]
fn the_same_the_other_way_round_is_better() {
    let ran = Ran::of("compare slowed honest --approaches FOLDER/mine.toml --pvs 20 --annotations");
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    assert!(ran.stdout().contains("honest is better than slowed by -"), "{}", ran.stdout());
    assert!(ran.stdout().contains("::notice title=connect bulk improved::"));
}

#[test]
fn alike_sides_are_no_difference_or_undecided_and_never_worse_for_a_generous_user() {
    let ran = Ran::of("compare wire wire --pvs 20 --tolerance 100 --most-pairs 24");
    assert!(matches!(ran.code(), Some(0 | 3)), "{}", ran.stdout());
    assert!(!ran.stdout().contains("worse"), "{}", ran.stdout());
}

#[test]
fn what_is_undecided_reports_how_many_more_pairs_it_would_take() {
    // One comparison in a hundred finds a change of alike sides.
    let undecided = (0..3)
        .map(|_| Ran::of("compare libca libca --pvs 20 --tolerance 0.1 --most-pairs 12"))
        .find(|ran| ran.code() == Some(3));
    let ran = undecided.expect("alike sides differ three times");
    assert!(ran.stdout().contains("more pairs would decide"), "{}", ran.stdout());
}

#[test]
fn a_side_that_fails_ends_the_comparison_and_keeps_its_story() {
    let ran = Ran::of("compare honest crashing --approaches FOLDER/mine.toml --pvs 20");
    assert_eq!(ran.code(), Some(4), "{}", ran.stdout());
    let run = ran.run();
    let failed: Vec<&Record> =
        run.records.iter().filter(|record| record.failure.is_some()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0].failure.as_ref().unwrap().kind, FailureKind::Crashed);
    assert!(ran.stdout().contains("the library met its end"), "{}", ran.stdout());
}

#[test]
fn two_versions_of_one_library_are_compared_and_each_record_reports_which_it_was() {
    let ran = Ran::of("compare pyepics@3.5.7 pyepics@3.5.10 --pvs 10 --most-pairs 12");
    assert!(matches!(ran.code(), Some(0 | 2 | 3)), "{}", ran.stderr());
    let run = ran.run();
    for (side, version) in [(Side::A, "3.5.7"), (Side::B, "3.5.10")] {
        let records = of_side(&run, side);
        assert!(records.len() >= 12);
        assert!(records.iter().all(|record| record.versions["pyepics"] == version));
    }
}

#[test]
fn two_soft_iocs_are_compared_by_one_approach() {
    let soft_ioc = embedded::tool("softIoc").unwrap().display().to_string();
    let ran = Ran::of(&format!(
        "compare --ioc-a {soft_ioc} --ioc-b {soft_ioc} --approach wire --pvs 5 --most-pairs 8 \
         --tolerance 100"
    ));
    assert!(matches!(ran.code(), Some(0 | 3)), "{}", ran.stderr());
    let run = ran.run();
    for (side, server) in [(Side::A, "ioc-a"), (Side::B, "ioc-b")] {
        let records = of_side(&run, side);
        assert!(records.iter().all(|record| record.server == server));
        assert!(records.iter().all(|record| record.server_versions.contains_key("epics-base")));
    }
}

#[test]
fn soft_iocs_are_compared_by_what_they_serve_only() {
    let soft_ioc = embedded::tool("softIoc").unwrap().display().to_string();
    let both = format!("compare --ioc-a {soft_ioc} --ioc-b {soft_ioc}");
    Ran::of(&format!("{both} --approach wire-pva")).refuses(&["no server of pva", "--approach"]);
}

#[test]
#[cfg(feature = "pvaccess")]
fn soft_iocs_with_pvxs_are_compared_over_pv_access() {
    let soft_ioc = embedded::tool("softIocPvx").unwrap().display().to_string();
    let ran = Ran::of(&format!(
        "compare --ioc-a {soft_ioc} --ioc-b {soft_ioc} --approach wire-pva --pvs 5 --most-pairs 8 \
         --tolerance 100"
    ));
    assert!(matches!(ran.code(), Some(0 | 3)), "{}{}", ran.stdout(), ran.stderr());
    assert!(of_side(&ran.run(), Side::B).iter().all(|record| record.server == "ioc-b"));
}

#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn monitors_are_compared_by_cpu_memory_and_loss() {
    let ran =
        Ran::of("compare wire wire scalars --pvs 5 --seconds 1 --most-pairs 10 --tolerance 100");
    assert!(matches!(ran.code(), Some(0 | 3)), "{}", ran.stderr());
    for metric in ["client cpu", "client memory", "updates lost"] {
        assert!(ran.stdout().contains(metric), "{}", ran.stdout());
    }
}

#[test]
fn a_calibration_that_was_made_elsewhere_is_in_the_report() {
    let file = calibrated().join("calibration.json");
    let text = fs::read_to_string(&file).unwrap();
    let mut portable: serde_json::Value = serde_json::from_str(&text).unwrap();
    portable["machine"]["model"] = "Another Machine".into();
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("calibration.json");
    fs::write(&other, portable.to_string()).unwrap();
    let compare = "compare wire wire --pvs 5 --most-pairs 8 --tolerance 100 --calibration";
    let ran = Ran::of(&format!("{compare} {}", other.display()));
    assert!(matches!(ran.code(), Some(0 | 3)), "{}", ran.stderr());
    assert!(ran.stdout().contains("Another Machine"), "{}", ran.stdout());
    fs::write(&other, "{}").unwrap();
    Ran::of(&format!("{compare} {}", other.display())).refuses(&["calibration.json", "calibrate"]);
}

#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn monitors_are_calibrated_by_computed_slowdowns() {
    let cache = tempfile::tempdir().unwrap();
    let calibrate = "calibrate scalars --approach wire --pvs 5 --seconds 1 --rounds 20 \
                     --experiments 100 --whole-runs 0";
    let ran = Ran::with(calibrate, &[("EPICS_GAUGE_CACHE", cache.path())]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    for words in ["server cpu", "latency p99", "25 %, computed"] {
        assert!(ran.stdout().contains(words), "{}", ran.stdout());
    }
}

#[test]
fn what_cannot_be_compared_is_refused_with_what_can() {
    Ran::of("compare libca").refuses(&["name two approaches"]);
    Ran::of("compare libca libka").refuses(&["libka"]);
    Ran::of("compare libca@7.0 libca").refuses(&["libca"]);
    Ran::of("compare libca p4p --server softioc").refuses(&["do not both speak"]);
    Ran::of("compare libca wire many-iocs").refuses(&[
        "many-iocs",
        "connect",
        "scalars",
        "waveform",
        "scale",
        "recovery",
    ]);
    Ran::of("compare libca wire --approach pyca").refuses(&["--server A B", "without it"]);
    Ran::of("compare libca wire --beside numpy<2").refuses(&["pyepics@3.5.7"]);
    Ran::of("compare libca wire --disturbance stall")
        .refuses(&["nothing disturbs connect", "recovery"]);
    Ran::of("compare libca wire recovery --disturbance flood")
        .refuses(&["unknown fault `flood`", "stall, restart, missing-pv"]);
    Ran::of("calibrate many-iocs").refuses(&["`many-iocs`", "connect, waveform, scalars"]);
    Ran::of("compare libca wire --metric speed").refuses(&["speed", "connect bulk"]);
    Ran::of("compare libca wire --tolerance -1").refuses(&["0.1 to 100 %"]);
    Ran::of("compare --ioc-a /nowhere/softIoc --ioc-b /nowhere/softIoc")
        .refuses(&["/nowhere/softIoc"]);
}

#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn two_are_compared_by_their_recovery_and_at_a_steady_state() {
    let recovered = Ran::of("compare wire libca recovery --pvs 10 --most-pairs 8 --seconds 10");
    assert!(matches!(recovered.code(), Some(0 | 2 | 3)), "{}", recovered.stdout());
    assert!(recovered.stdout().contains("slowest recovery"), "{}", recovered.stdout());
    let steady = Ran::of("compare wire libca scale --pvs 10 --seconds 2 --most-pairs 8");
    assert!(matches!(steady.code(), Some(0 | 2 | 3)), "{}", steady.stdout());
}

#[test]
fn a_comparison_that_could_not_come_out_bad_is_refused_with_what_it_takes() {
    Ran::of("compare libca wire --pvs 5 --most-pairs 8 --comparisons 6")
        .refuses(&["8 pairs cannot show", "allow for 11 with --most-pairs"]);
    Ran::of("compare libca wire scalars --most-pairs 8").refuses(&["allow for 10"]);
    Ran::of("compare libca wire --comparisons 0").refuses(&["1..=1000"]);
}

#[test]
fn one_of_several_comparisons_reports_it() {
    let ran = Ran::of("compare wire wire --pvs 5 --tolerance 100 --comparisons 6");
    assert!(matches!(ran.code(), Some(0 | 3)), "{}", ran.stderr());
    assert_eq!(ran.run().run.comparison.unwrap().comparisons, 6);
    let report = ran.file("report.md");
    assert!(report.contains("for all metrics of 6 comparisons together"), "{report}");
}

/// A calibration and the cache that keeps it, measured once for all tests.
static CALIBRATED: LazyLock<(Ran, TempDir)> = LazyLock::new(|| {
    let cache = tempfile::tempdir().unwrap();
    // So few PVs never show 3 %: each whole comparison would try all its pairs.
    let calibrate = "calibrate --approach wire --pvs 20 --rounds 20 --experiments 100 \
                     --whole-runs 1 --tolerance 50";
    let ran = Ran::with(calibrate, &[("EPICS_GAUGE_CACHE", cache.path())]);
    assert_eq!(ran.code(), Some(0), "{}", ran.stderr());
    (ran, cache)
});

/// The results of a calibration.
pub(crate) fn calibrated() -> PathBuf {
    CALIBRATED.0.folder.path().join("out")
}

#[test]
fn a_calibration_is_kept_and_reported_in_reports_of_this_machine() {
    let (ran, cache) = &*CALIBRATED;
    let report: Value = serde_json::from_str(&ran.file("report.json")).unwrap();
    let calibrated = &report["calibrated"];
    let by_time = &calibrated["metrics"][0];
    let slowdowns = by_time["slowdowns"].as_array().unwrap();
    assert_eq!(slowdowns.len(), 7);
    // 20 PVs take some 10 us each: 100 us more are many times as much.
    let slowest = slowdowns.iter().find(|one| one["label"] == "100 us per PV").unwrap();
    assert_eq!(slowest["family"]["regressed"]["rate"], 1.0, "{slowest}");
    assert_eq!(calibrated["whole"].as_array().unwrap().len(), 3);
    let slowed = ran.run().records.iter().filter(|record| record.slowdown.is_some()).count();
    assert_eq!(slowed, 7 * 20);

    let run = Ran::with(
        "run connect --approach wire,libca --pvs 10 --mode bulk --blocks 1 --tables",
        &[("EPICS_GAUGE_CACHE", cache.path())],
    );
    assert!(run.file("report.md").contains("how often the judge is wrong here"));
    assert!(run.stdout().contains("how often the judge is wrong here"), "{}", run.stdout());
}
