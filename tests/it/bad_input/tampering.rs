//! Workers that crash, hang, print garbage or lie: `workers/tampering_worker.py`.

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
fn a_worker_that_cannot_load_its_library_is_recorded_with_why() {
    let ended = tampered("crash-at-hello", "");
    let words = ["exit status: 1", "ImportError: No module named 'library'"];
    caught(&ended, FailureKind::Crashed, None, &words);
    super::assert_holds(&log(&ended, 0), &["ImportError"]);
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
fn a_worker_that_never_says_hello_is_killed_after_the_timeout() {
    let ended = tampered("silent", "--timeout 2");
    let words = ["did not say hello within 7 s", "loading, loading, loading"];
    caught(&ended, FailureKind::TimedOut, None, &words);
}

#[test]
fn a_hello_that_is_none_is_shown() {
    let ended = tampered("garbage-at-hello", "");
    caught(&ended, FailureKind::Garbage, None, &["hello, dear harness"]);
}

#[test]
fn an_answer_that_is_no_message_is_shown() {
    let ended = tampered("garbage-at-get", "");
    let words = ["EOF", r#"{"message": "done", "stage": "get","#];
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &words);
}

#[test]
fn a_library_that_prints_between_the_answers_is_shown() {
    let ended = tampered("prints-on-stdout", "");
    let words = ["CA.Client.Exception: a library that prints"];
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &words);
}

#[test]
fn an_unknown_field_is_named() {
    let ended = tampered("unknown-field", "");
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &["unknown field `colour`"]);
}

#[test]
fn an_unknown_message_is_named() {
    let ended = tampered("unknown-message", "");
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &["unknown variant `perhaps`"]);
}

#[test]
fn an_answer_to_another_command_is_refused() {
    let ended = tampered("other-stage", "");
    let words = ["asked for get in serial mode, answered for get-again"];
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &words);
}

#[test]
fn a_worker_that_gives_up_a_stage_is_recorded_with_its_reason() {
    let ended = tampered("says-failed", "");
    let words = ["gauge:0 does not want to"];
    caught(&ended, FailureKind::StageFailed, Some(Stage::Get), &words);
}

#[test]
fn one_wrong_value_among_many_is_found_and_its_pv_named() {
    let ended = tampered("wrong-value", "");
    caught(&ended, FailureKind::WrongValue, Some(Stage::Get), &["get: gauge:7 answered"]);
    assert_eq!(error_of_value(&ended), 0.5);
    assert!(stages_measured(&ended).ends_with(&[Stage::Put, Stage::Readback]));
}

#[test]
fn a_stale_value_is_called_stale() {
    let ended = tampered("stale-value", "");
    let words = ["get-again: gauge:0 answered", "a stale or cached answer"];
    caught(&ended, FailureKind::WrongValue, Some(Stage::GetAgain), &words);
    assert_eq!(error_of_value(&ended), -1_048_576.0);
}

#[test]
fn swapped_values_are_found() {
    let ended = tampered("swapped-values", "");
    caught(&ended, FailureKind::WrongValue, Some(Stage::Get), &["get: gauge:3 answered"]);
    assert_eq!(error_of_value(&ended), 1.0);
}

#[test]
fn a_wrong_count_of_values_is_refused() {
    let ended = tampered("wrong-count", "");
    let words = ["19 values came back for 20 PVs"];
    caught(&ended, FailureKind::WrongValue, Some(Stage::Get), &words);
    let ended = tampered("too-many", "");
    let words = ["21 values came back for 20 PVs"];
    caught(&ended, FailureKind::WrongValue, Some(Stage::Get), &words);
}

#[test]
fn a_read_without_values_is_refused() {
    let ended = tampered("no-values", "");
    let words = ["0 values came back for 1 PVs"];
    caught(&ended, FailureKind::WrongValue, Some(Stage::Get), &words);
}

#[test]
fn times_of_single_gets_that_cannot_be_are_refused() {
    for (how, words) in [
        ("times-too-many-gets", "times of 2 PVs came back for 1"),
        ("times-gets-too-long", "but all took"),
        ("times-each-of-all-at-once", "times of 20 PVs came back for 0"),
    ] {
        caught(&tampered(how, ""), FailureKind::Garbage, Some(Stage::Get), &[words]);
    }
}

#[test]
fn a_put_that_was_never_done_is_found_in_the_ioc() {
    let ended = tampered("lying-put", "");
    let words = ["put: -1 to gauge:0 was confirmed, but the IOC holds"];
    caught(&ended, FailureKind::WrongValue, Some(Stage::Put), &words);
}

#[test]
fn a_readback_of_another_value_is_found() {
    let ended = tampered("lying-readback", "");
    let words = ["readback: gauge:0 answered 0, the IOC holds -1"];
    caught(&ended, FailureKind::WrongValue, Some(Stage::Readback), &words);
}

#[test]
fn a_worker_of_another_protocol_is_refused_with_both_versions() {
    let ended = tampered("wrong-protocol-version", "");
    let words = ["speaks protocol 7", "this build speaks 4"];
    caught(&ended, FailureKind::Garbage, None, &words);
}

#[test]
fn a_worker_with_another_name_is_refused_with_both_names() {
    let ended = tampered("wrong-name", "");
    let words = ["hello as `somebody-else`", "started as `tampered`"];
    caught(&ended, FailureKind::Garbage, None, &words);
}

#[test]
fn a_worker_without_the_mode_is_recorded_as_unable() {
    let ended = tampered("no-bulk-mode", "");
    caught(&ended, FailureKind::StageFailed, Some(Stage::Connect), &["no bulk mode"]);
}

#[test]
fn a_span_that_ends_before_it_starts_is_refused() {
    let ended = tampered("ends-before-it-starts", "");
    let words = ["it claims to have worked from", "ns to"];
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &words);
}

#[test]
fn a_span_longer_than_the_harness_waited_is_refused() {
    let ended = tampered("works-longer-than-awaited", "");
    let words = ["it claims to have worked from", "but the answer came after"];
    caught(&ended, FailureKind::Garbage, Some(Stage::Get), &words);
}

#[test]
fn a_worker_that_halves_its_spans_is_caught() {
    let ended = tampered("halves-its-spans", "");
    let words = ["it claims to have worked for", "more than it needed"];
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
fn a_span_that_begins_before_the_last_one_ended_is_refused() {
    let ended = tampered("works-before-it-was-asked", "");
    let words = ["it claims to have worked from", "busy until"];
    caught(&ended, FailureKind::Garbage, Some(Stage::Connect), &words);
}

#[test]
fn an_import_longer_than_the_harness_waited_is_refused() {
    let ended = tampered("imports-for-an-hour", "");
    let words = ["it claims to have worked from", "but the answer came after"];
    caught(&ended, FailureKind::Garbage, Some(Stage::Import), &words);
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
