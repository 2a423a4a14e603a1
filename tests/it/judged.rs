//! The judge on literal records, and the exit code that follows: each verdict is
//! made to come out good and bad.

mod before;
mod brief;
mod charts;
mod confirmed;
mod exact;
mod figures;
mod monitors;
mod names;
mod scale;
mod time_series;

use std::process::Command;

use epics_gauge::judge::{BUDGET_S, Judgement, Limits, Outcome};
use epics_gauge::metric::Timed;
use epics_gauge::protocol::Protocol;
use epics_gauge::record::{
    ApproachFacts, End, Failure, FailureKind, Line, Machine, RECORD_FORMAT, Record, Run,
    RunRecords, Sample, Scenario, Witnessed,
};
use epics_gauge::report::{Format, Subject, render};
use epics_gauge::worker_protocol::{Mode, Stage};

use crate::support::program;

const PVS: usize = 10_000;
const BLOCKS: usize = 5;

/// Seconds per PV to connect, and per get, in every block.
#[derive(Clone, Copy)]
struct Speed {
    connect: f64,
    get: f64,
}

const FLOOR: Speed = Speed { connect: 1e-6, get: 1e-5 };
const FAST: Speed = Speed { connect: 5e-6, get: 1e-4 };

/// The report of a run, judged by the limits of this build.
fn rendered(run: &RunRecords, format: Format) -> String {
    let judgement = judge(run);
    let subject = Subject::Run { run, judgement: &judgement, known: &[], budget_s: BUDGET_S };
    render(&subject, format)
}

/// By the limits of this build.
fn judge(run: &RunRecords) -> Judgement {
    epics_gauge::judge::judge(run, &Limits::built_in())
}

fn run_of(approaches: &[(&str, Speed)]) -> RunRecords {
    let mut records = Vec::new();
    for block in 0..BLOCKS {
        for (position, (name, speed)) in approaches.iter().enumerate() {
            records.push(record(name, block, position, *speed));
        }
    }
    let names: Vec<&str> = approaches.iter().map(|(name, _)| *name).collect();
    run_with(&names, records)
}

fn run_with(approaches: &[&str], records: Vec<Record>) -> RunRecords {
    let facts = approaches.iter().enumerate().map(|(index, name)| ApproachFacts {
        name: (*name).to_owned(),
        protocol: Protocol::Ca,
        floor: *name == "wire",
        simplicity: (*name != "wire").then_some(20 - index as u32),
        simplicity_reason: format!("reason {index}"),
        default_get: None,
    });
    RunRecords {
        run: Run {
            format: RECORD_FORMAT,
            version: "0".to_owned(),
            base: "0".to_owned(),
            compiler: "0".to_owned(),
            started_utc: "2026-01-01T00:00:00Z".to_owned(),
            arguments: Vec::new(),
            seed: 1,
            blocks: BLOCKS,
            machine: Machine {
                cores: 2,
                model: "model".to_owned(),
                system: "system".to_owned(),
                kernel: "kernel".to_owned(),
                memory_bytes: 1 << 30,
            },
            approaches: facts.collect(),
            environments: Vec::new(),
            revision: None,
            server_host: None,
            comparison: None,
        },
        records,
        end: Some(End {
            ended_utc: "2026-01-01T00:01:00Z".to_owned(),
            interrupted: false,
            processes_left: Some(0),
            server_clock: None,
        }),
    }
}

/// Blocks differ by some per cent, as on a real machine.
fn record(approach: &str, block: usize, position: usize, speed: Speed) -> Record {
    let noise = 1.0 + 0.01 * block as f64;
    let mut start_ns = 0;
    let mut sample = |stage, mode, pvs: usize, seconds_per_pv: f64| {
        let took_ns = (seconds_per_pv * noise * pvs as f64 * 1e9) as u64;
        let end_ns = start_ns + took_ns;
        let each_ns = Vec::new();
        let witnessed = Some(Witnessed {
            waited_ns: took_ns,
            claimed_ns: took_ns,
            delayed_ns: 0,
            message_bytes: 0,
            cpu_ns: None,
            claimed_cpu_ns: 0,
        });
        let sample = Sample {
            stage,
            mode,
            pvs,
            start_ns,
            end_ns,
            cpu_ns: 0,
            each_ns,
            witnessed,
            default_get: None,
        };
        start_ns += took_ns;
        sample
    };
    let samples = vec![
        // Half of the work of connecting is done while creating.
        sample(Stage::Create, Mode::Bulk, PVS, speed.connect / 2.0),
        sample(Stage::Connect, Mode::Bulk, PVS, speed.connect / 2.0),
        sample(Stage::Get, Mode::Serial, 100, speed.get),
    ];
    Record {
        scenario: Scenario::Connect,
        server: "softioc".to_owned(),
        pvs: PVS,
        block,
        position,
        approach: approach.to_owned(),
        samples,
        ..Record::default()
    }
}

/// The same with so many blocks more, measured afresh: those of the run once more.
fn with_fresh_blocks(run: &RunRecords, count: usize) -> RunRecords {
    let mut all = run.clone();
    for block in 0..count {
        let again = run.records.iter().filter(|record| record.block == block % BLOCKS);
        all.records.extend(again.map(|record| Record {
            block: BLOCKS + block,
            confirms: true,
            ..record.clone()
        }));
    }
    all
}

fn exit_code_of(run: &RunRecords, arguments: &[&str]) -> i32 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.jsonl");
    let mut lines = vec![Line::Run(Box::new(run.run.clone()))];
    lines.extend(run.records.iter().cloned().map(Box::new).map(Line::Record));
    lines.extend(run.end.clone().map(Line::End));
    let text: String =
        lines.iter().map(|line| serde_json::to_string(line).unwrap() + "\n").collect();
    std::fs::write(&file, text).unwrap();
    let output = Command::new(program()).arg("judge").arg(file).args(arguments).output().unwrap();
    output.status.code().unwrap()
}

fn outcomes(run: &RunRecords, approach: &str, metric: &str) -> Vec<Outcome> {
    let judgement = judge(run);
    let own = judgement
        .verdicts
        .iter()
        .filter(|verdict| verdict.approach == approach && verdict.metric.name() == metric);
    own.map(|verdict| verdict.outcome).collect()
}

#[test]
fn figures_under_their_limits_are_within_and_the_exit_code_is_zero() {
    let run =
        run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", Speed { connect: 9e-5, ..FAST })]);
    assert_eq!(outcomes(&run, "aioca", "connect bulk"), [Outcome::Within; 2]);
    assert_eq!(outcomes(&run, "aioca", "get serial"), [Outcome::Within; 2]);
    assert_eq!(exit_code_of(&run, &[]), 0);
}

#[test]
fn cpu_time_is_reported_per_pv_by_its_median() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST)]);
    for record in &mut run.records {
        // The floor 1 us for creating and 1 us for connecting each PV; the other more
        // from block to block.
        let us = if record.approach == "wire" { 1 } else { 1 + record.block as u64 };
        record.samples.iter_mut().for_each(|one| one.cpu_ns = 1000 * us * one.pvs as u64);
    }
    let figures = judge(&run).figures;
    let connect = figures.iter().find(|one| one.metric == Timed::CONNECT_BULK).unwrap();
    for (row, expected) in connect.rows.iter().zip([2e-6, 6e-6]) {
        assert!((row.cpu_s - expected).abs() < 1e-12, "{row:?}");
    }
}

#[test]
fn a_connection_over_its_limit_breaks_it() {
    let slow = Speed { connect: 2e-4, ..FAST };
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", slow)]);
    let run = with_fresh_blocks(&run, 12);
    assert_eq!(outcomes(&run, "aioca", "connect bulk"), [Outcome::Over; 2]);
    assert_eq!(outcomes(&run, "libca", "connect bulk"), [Outcome::Within; 2]);
    assert_eq!(exit_code_of(&run, &[]), 1);
}

#[test]
fn a_get_over_its_limit_breaks_it() {
    let slow = Speed { get: 2e-2, ..FAST };
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("pyepics", slow)]);
    let run = with_fresh_blocks(&run, 12);
    assert_eq!(outcomes(&run, "pyepics", "get serial"), [Outcome::Over; 2]);
    assert_eq!(exit_code_of(&run, &[]), 1);
}

#[test]
fn an_approach_known_to_be_over_in_connecting_breaks_nothing() {
    let slow = Speed { connect: 2e-4, ..FAST };
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("pyepics", slow)]);
    assert_eq!(outcomes(&run, "pyepics", "connect bulk"), [Outcome::Over; 2]);
    assert_eq!(exit_code_of(&run, &[]), 0);
}

#[test]
fn an_approach_better_than_expected_breaks_nothing_and_is_reported() {
    let run = run_of(&[("wire", FLOOR), ("pyepics", FAST)]);
    assert!(judge(&run).verdicts.iter().any(|verdict| verdict.is_better_than_expected()));
    assert_eq!(exit_code_of(&run, &[]), 0);
}

/// The fastest of all by its own word, but wrong in one block.
#[test]
fn who_returned_wrong_values_is_no_reference_and_the_first_line_of_the_answer() {
    let faster = Speed { connect: 1e-6, get: 1e-6 };
    let mut run = run_of(&[("wire", FLOOR), ("liar", faster), ("libca", FAST)]);
    let wrong = run.records.iter_mut().find(|one| one.approach == "liar" && one.block == 3);
    wrong.unwrap().failure = Some(Failure {
        kind: FailureKind::WrongValue,
        stage: Some(Stage::Get),
        message: "get: gauge:7 answered 1, the IOC holds 2".to_owned(),
    });
    let judgement = judge(&run);
    assert!(judgement.figures.iter().all(|one| one.fastest.as_deref() == Some("libca")));
    let compared = judgement.verdicts.iter().filter_map(|one| one.compared_with.as_deref());
    assert!(compared.clone().any(|name| name == "libca"));
    assert!(!compared.into_iter().any(|name| name == "liar"));
    assert_eq!(judgement.advice[0].failed, ["liar"]);
    let report = rendered(&run, Format::Markdown);
    let answer = report.split("## the answer").nth(1).unwrap().trim_start();
    assert!(answer.starts_with("* WRONG VALUES: liar returned values"), "{answer}");
    assert_eq!(exit_code_of(&run, &[]), 4);
}

#[test]
fn an_interval_around_the_limit_is_undecided() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", FAST)]);
    let around = [8e-5, 9e-5, 1.2e-4, 1.3e-4, 1.4e-4];
    for record in run.records.iter_mut().filter(|record| record.approach == "aioca") {
        let speed = Speed { connect: around[record.block], ..FAST };
        *record = crate::judged::record("aioca", record.block, record.position, speed);
    }
    assert_eq!(outcomes(&run, "aioca", "connect bulk"), [Outcome::Undecided; 2]);
    assert_eq!(exit_code_of(&run, &[]), 3);
    for verdict in judge(&run).verdicts {
        let is_undecided = verdict.outcome == Outcome::Undecided;
        assert_eq!(verdict.reason.is_some(), is_undecided, "{}", verdict.name);
    }
}

#[test]
fn four_blocks_decide_nothing() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST)]);
    run.records.retain(|record| record.block < 4);
    assert_eq!(outcomes(&run, "libca", "connect bulk"), [Outcome::Undecided; 2]);
    assert_eq!(exit_code_of(&run, &[]), 3);
}

#[test]
fn a_failed_worker_outweighs_good_figures() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", FAST)]);
    run.records.last_mut().unwrap().failure = Some(Failure {
        kind: FailureKind::WrongValue,
        stage: Some(Stage::Get),
        message: "gauge:7 answered 7, the IOC holds 1048583".to_owned(),
    });
    assert_eq!(outcomes(&run, "aioca", "values wrong"), [Outcome::Failed]);
    assert_eq!(outcomes(&run, "aioca", "workers failed"), [Outcome::Within]);
    assert_eq!(outcomes(&run, "aioca", "get serial"), [Outcome::Undecided; 2]);
    assert_eq!(exit_code_of(&run, &[]), 4);
    assert_eq!(exit_code_of(&run, &["--allow-missing"]), 4);
}

#[test]
fn a_missing_approach_counts_unless_that_is_allowed() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", FAST)]);
    for record in run.records.iter_mut().filter(|record| record.approach == "aioca") {
        record.samples.clear();
        record.failure =
            Some(Failure { kind: FailureKind::Missing, stage: None, message: "no pip".to_owned() });
    }
    assert_eq!(exit_code_of(&run, &[]), 4);
    assert_eq!(exit_code_of(&run, &["--allow-missing"]), 0);
}

#[test]
fn nothing_measured_is_never_good() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST)]);
    run.records.clear();
    assert_eq!(exit_code_of(&run, &[]), 4);
    let only_the_floor = run_of(&[("wire", FLOOR)]);
    assert_eq!(exit_code_of(&only_the_floor, &[]), 4);
}

#[test]
fn the_simplest_of_the_fast_enough_is_advised_and_the_slow_is_named() {
    let slow = Speed { connect: 2e-4, ..FAST };
    let close = Speed { connect: 2e-5, ..FAST };
    // Later in the list is simpler in `run_of`.
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", close), ("caproto", slow)]);
    let advice = judge(&run).advice.remove(0);
    assert_eq!(advice.acceptable, ["aioca", "libca"]);
    assert_eq!(advice.simplest.as_deref(), Some("aioca"));
    assert_eq!(advice.too_slow.len(), 1);
    assert_eq!(advice.too_slow[0].approach, "caproto");
    assert!((advice.too_slow[0].over_fastest_s - 1.95e-4).abs() < 1e-5);
}

#[test]
fn who_was_not_considered_for_want_of_a_simplicity_is_named() {
    let close = Speed { connect: 2e-5, ..FAST };
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", close), ("mine", FAST)]);
    let words = "Not considered as the simplest: ";
    assert!(
        judge(&run).advice[0].unranked.is_empty()
            && !rendered(&run, Format::Markdown).contains(words)
    );
    run.run.approaches.last_mut().unwrap().simplicity = None;
    let advice = judge(&run).advice.remove(0);
    assert_eq!(advice.unranked, ["mine"]);
    assert_eq!(advice.simplest.as_deref(), Some("aioca"));
    assert!(rendered(&run, Format::Markdown).contains(&format!("{words}mine; no `simplicity`")));
}

#[test]
fn who_is_too_slow_is_reported_by_what_is_furthest_over_its_limit() {
    for (connect, get, expected) in [(9e-4, 2e-2, "connect bulk"), (2e-4, 9e-2, "get serial")] {
        let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", Speed { connect, get })]);
        let slower = judge(&with_fresh_blocks(&run, 12)).advice.remove(0).too_slow.remove(0);
        assert_eq!((slower.approach.as_str(), slower.metric.name()), ("aioca", expected));
    }
}

#[test]
fn drift_that_all_approaches_share_does_not_widen_a_difference() {
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST)]);
    for record in &mut run.records {
        // The machine gets ten times slower for a while.
        let shift_ns = if record.block == 2 { 400_000_000 } else { 0 };
        record.samples[1].end_ns += shift_ns;
    }
    assert_eq!(outcomes(&run, "libca", "connect bulk"), [Outcome::Within; 2]);
}

#[test]
fn a_line_through_counts_of_pvs_has_a_slope_and_what_no_count_explains() {
    let connected = |pvs: usize, block: usize| {
        let mut record = record("wire", block, 0, FLOOR);
        record.pvs = pvs;
        record.samples.truncate(2);
        record.samples.iter_mut().for_each(|sample| sample.pvs = pvs);
        // 20 ms, and 1 µs for each PV.
        record.samples[1].end_ns = record.samples[0].start_ns + 20_000_000 + 1000 * pvs as u64;
        record
    };
    let records = (0..BLOCKS).flat_map(|block| [100, 10_000].map(|pvs| connected(pvs, block)));
    let judgement = judge(&run_with(&["wire"], records.collect()));
    let line = &judgement.scaling[0];
    assert!((line.slope_s.median - 1e-6).abs() < 1e-9, "{line:?}");
    assert!((line.intercept_s.median - 0.02).abs() < 1e-6, "{line:?}");
}
