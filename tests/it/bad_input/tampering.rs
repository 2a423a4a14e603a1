//! Workers that crash, hang, print garbage or lie, as real processes:
//! `workers/tampering_worker.py`. One of each kind: the checks themselves are tested in
//! `src/measure/conversations.rs`.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use epics_gauge::record::FailureKind;
use epics_gauge::worker_protocol::Stage;

use super::{Ended, Invocation, STAGES_IN_BULK, program};

const PVS: usize = 20;
const BLOCKS: usize = 2;

/// An entry of an approaches file: the real `wire` worker, tampered with.
pub(super) fn entry(name: &str, how: &str, python: &str) -> String {
    let worker =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/workers/tampering_worker.py");
    format!(
        "[approach.{name}]\ncommand = ['{python}', '{}', '{how}', '{name}', '{}']\n\
         env = {{ TAMPERING_SIGN = '{{folder}}/sign' }}\n",
        worker.display(),
        program().display()
    )
}

/// Runs `wire` and one worker that is tampered with, in the same blocks.
fn tampered(how: &str, more: &str) -> Ended {
    let arguments = format!(
        "run connect --approaches FOLDER/mine.toml --approach tampered --pvs {PVS} --mode bulk \
         --blocks {BLOCKS} --out OUT {more}"
    );
    Invocation::of(&arguments).file("mine.toml", &entry("tampered", how, "{python}")).finish()
}

/// The run says what is wrong with the one, and the other is complete.
#[track_caller]
fn caught(ended: &Ended, kind: FailureKind, stage: Option<Stage>, words: &[&str]) {
    ended.exits_with(4);
    ended.has_failed("tampered", kind, stage, words);
    ended.is_complete("wire", BLOCKS, STAGES_IN_BULK);
    assert_eq!(ended.records_of("tampered").len(), 1, "it is not tried again in later blocks");
    assert!(!ended.run().end.unwrap().interrupted);
}

fn stages_measured(ended: &Ended) -> Vec<Stage> {
    ended.records_of("tampered")[0].samples.iter().map(|sample| sample.stage).collect()
}

fn log(ended: &Ended, block: usize) -> String {
    fs::read_to_string(ended.out(&format!("logs/connect-tampered-bulk-{PVS}-{block}.log"))).unwrap()
}

/// How far the value that came back was from the one that the IOC holds.
fn error_of_value(ended: &Ended) -> f64 {
    let message = ended.records_of("tampered")[0].failure.clone().unwrap().message;
    let numbers: Vec<f64> = message
        .split(|letter: char| letter.is_whitespace() || letter == ',')
        .map(|word| word.trim_end_matches(':'))
        .filter_map(|word| word.parse().ok())
        .collect();
    numbers[0] - numbers[1]
}

#[test]
fn an_honest_worker_behind_the_proxy_is_complete() {
    let ended = tampered("honest", "");
    // Two blocks decide nothing, but everything was measured.
    ended.exits_with(3).is_complete("tampered", BLOCKS, STAGES_IN_BULK);
    ended.is_complete("wire", BLOCKS, STAGES_IN_BULK);
}

#[test]
fn a_worker_that_crashes_is_recorded_with_its_last_words_and_its_figures_so_far() {
    let ended = tampered("crash-at-get", "");
    let words = ["exit status: 3", "the library met its end"];
    caught(&ended, FailureKind::Crashed, Some(Stage::Get), &words);
    let so_far = [Stage::Import, Stage::Context, Stage::Connect];
    assert_eq!(stages_measured(&ended), so_far);
    super::assert_holds(&log(&ended, 0), &["the library met its end"]);
}

#[test]
fn a_worker_that_dies_of_a_signal_is_recorded_with_the_signal() {
    let ended = tampered("die-of-a-signal-at-connect", "");
    caught(&ended, FailureKind::Crashed, Some(Stage::Connect), &["signal: 11"]);
}

#[test]
fn a_worker_that_hangs_is_killed_after_the_timeout() {
    let ended = tampered("hang-at-connect", "--timeout 2");
    let words = ["did not finish connect within 7 s", "waiting for what never comes"];
    caught(&ended, FailureKind::TimedOut, Some(Stage::Connect), &words);
    super::assert_holds(&log(&ended, 0), &["waiting for what never comes"]);
}

#[test]
fn an_answer_that_is_no_message_is_shown() {
    let ended = tampered("garbage-at-get", "");
    let words = ["EOF", r#"{"message": "done", "stage": "get","#];
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &words);
}

#[test]
fn one_wrong_value_among_many_is_found_and_its_pv_named() {
    let ended = tampered("wrong-value", "");
    caught(&ended, FailureKind::WrongValue, Some(Stage::Get), &["get: gauge:7 answered"]);
    assert_eq!(error_of_value(&ended), 0.5);
    assert!(stages_measured(&ended).ends_with(&[Stage::Put, Stage::Readback]));
}

#[test]
fn a_worker_that_halves_its_spans_is_caught() {
    let ended = tampered("halves-its-spans", "");
    let words = ["it claims to have worked for", "longer, beyond its own work"];
    caught(&ended, FailureKind::WrongClaim, Some(Stage::Connect), &words);
}

#[test]
fn cpu_time_is_held_against_the_kernels_count_of_the_process() {
    for (how, words) in [
        ("claims-half-its-cpu", "outside of its span there was only time for"),
        ("claims-no-cpu", "it claims 0.0 ms of CPU time, but the kernel counted"),
        ("claims-more-cpu", "for the process that was started and those below it"),
    ] {
        let ended = tampered(how, "");
        caught(&ended, FailureKind::WrongClaim, Some(Stage::Connect), &[words]);
    }
    tampered("claims-its-cpu", "").exits_with(3).is_complete("tampered", BLOCKS, STAGES_IN_BULK);
}

#[test]
fn a_worker_that_floods_stderr_is_complete_and_the_last_mebibyte_of_its_log_is_kept() {
    let ended = tampered("noisy-stderr", "");
    ended.exits_with(3).is_complete("tampered", BLOCKS, STAGES_IN_BULK);
    for block in 0..BLOCKS {
        let log = log(&ended, block);
        assert!((900 << 10..1100 << 10).contains(&log.len()), "{} bytes", log.len());
        assert!(log.lines().next().unwrap().ends_with("earlier lines dropped]"));
        assert!(log.ends_with("the last words at end\n"));
    }
}

#[test]
fn a_worker_that_ignores_the_end_of_stdin_is_killed() {
    let started = Instant::now();
    let ended = tampered("ends-stdin-ignored", "");
    ended.exits_with(3).is_complete("tampered", BLOCKS, STAGES_IN_BULK);
    assert!(ended.file("sign").exists(), "it was not asked to end");
    // Two seconds each; the stages' own deadline is twenty.
    assert!(started.elapsed().as_secs() < 40);
}
