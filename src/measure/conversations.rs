//! Scripted conversations with workers that break the protocol: each check of an answer has one
//! that fails without it.

use serde_json::{Value, json};

use super::PlannedConfiguration;
use super::scripted::{
    BESIDE_NS, CPU_NS, LONG_SPAN_NS, Outcome, PVS, SPAN_NS, Says, Tamper, changed, connect_with,
    with,
};
use crate::record::{DefaultGet, FailureKind, Load, Scenario};
use crate::scenario::PROCESSED_FACTOR;
use crate::worker_protocol::{Mode, Stage, StageCommand};

/// Stages of a complete record in bulk mode.
const STAGES: usize = 14;

#[track_caller]
fn caught(tamper: Tamper, kind: FailureKind, stage: Option<Stage>, words: &[&str]) -> Outcome {
    held_against(connect_with(tamper, true), kind, stage, words)
}

#[track_caller]
fn held_against(
    outcome: Outcome,
    kind: FailureKind,
    stage: Option<Stage>,
    words: &[&str],
) -> Outcome {
    let failure = outcome.failure.clone().expect("it passed");
    assert_eq!((failure.kind, failure.stage), (kind, stage), "{}", failure.message);
    for word in words {
        assert!(failure.message.contains(word), "`{word}` is not in: {}", failure.message);
    }
    outcome
}

/// Changes the answers to `wanted`, in whatever mode.
fn at(wanted: &'static str, change: impl Fn(&mut Value) + 'static) -> Tamper {
    changed(move |stage, _, answer| {
        if stage == wanted {
            change(answer);
        }
    })
}

/// Changes the answers to `get` in this mode.
fn at_get(wanted: Mode, change: impl Fn(&mut Value) + 'static) -> Tamper {
    changed(move |stage, mode, answer| {
        if stage == "get" && mode == wanted {
            change(answer);
        }
    })
}

/// Sends something else instead of the answer to `wanted`.
fn instead(wanted: &'static str, says: impl Fn() -> Vec<Says> + 'static) -> Tamper {
    Box::new(move |stage, _, answer| match stage == wanted {
        true => says(),
        false => vec![Says::Answer(answer)],
    })
}

fn add(answer: &mut Value, field: &str, more: i64) {
    answer[field] = json!(answer[field].as_i64().unwrap() + more);
}

const GET: Option<Stage> = Some(Stage::Get);

#[test]
fn an_honest_worker_is_complete() {
    let outcome = connect_with(changed(|_, _, _| {}), true);
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.record.samples.len(), STAGES);
    let unclaimed = outcome.record.unclaimed().unwrap();
    assert!(unclaimed.part() < 0.01, "{unclaimed:?}");
}

#[test]
fn a_worker_that_ends_is_recorded_with_its_status_its_log_and_its_figures_so_far() {
    let crash = instead("get", || vec![Says::Log("the library met its end"), Says::Exits(3)]);
    let outcome = caught(crash, FailureKind::Crashed, GET, &["exit status: 3"]);
    assert!(outcome.log.contains("the library met its end"));
    let stages: Vec<Stage> = outcome.record.samples.iter().map(|sample| sample.stage).collect();
    assert_eq!(stages, [Stage::Import, Stage::Context, Stage::Create, Stage::Connect]);
    let at_hello = instead("hello", || vec![Says::Exits(1)]);
    caught(at_hello, FailureKind::Crashed, None, &["exit status: 1"]);
    let killed = instead("connect", || vec![Says::DiesOf(11)]);
    caught(killed, FailureKind::Crashed, Some(Stage::Connect), &["signal: 11"]);
}

#[test]
fn a_worker_that_is_silent_is_not_awaited_for_ever() {
    let words = ["did not finish connect within 7 s"];
    let hangs = instead("connect", Vec::new);
    caught(hangs, FailureKind::TimedOut, Some(Stage::Connect), &words);
    let silent = instead("hello", Vec::new);
    caught(silent, FailureKind::TimedOut, None, &["did not say hello within 7 s"]);
}

#[test]
fn what_is_no_message_is_shown() {
    let none = instead("hello", || vec![Says::Text("hello, dear harness")]);
    caught(none, FailureKind::Garbage, None, &["hello, dear harness"]);
    let cut = instead("get", || vec![Says::Text(r#"{"message": "done", "stage": "get", "#)]);
    caught(cut, FailureKind::Garbage, GET, &["EOF", r#"{"message": "done", "stage": "get","#]);
    let prints = instead("get", || vec![Says::Text("CA.Client.Exception: a library")]);
    caught(prints, FailureKind::Garbage, GET, &["CA.Client.Exception: a library"]);
    let perhaps = at("get", |answer| answer["message"] = json!("perhaps"));
    caught(perhaps, FailureKind::Garbage, GET, &["unknown variant `perhaps`"]);
    let colour = at("get", |answer| answer["colour"] = json!("green"));
    caught(colour, FailureKind::Garbage, GET, &["unknown field `colour`"]);
}

#[test]
fn an_answer_to_another_command_is_refused() {
    let words = ["asked for get in serial mode, answered for get-again in serial mode"];
    let stage = at("get", |answer| answer["stage"] = json!("get-again"));
    caught(stage, FailureKind::Garbage, GET, &words);
    let mode = at("connect", |answer| answer["mode"] = json!("serial"));
    caught(mode, FailureKind::Garbage, Some(Stage::Connect), &["answered for connect in serial"]);
    let hello = at("get", |answer| {
        *answer = json!({"message": "failed", "stage": "put", "error": "what?"});
    });
    caught(hello, FailureKind::Garbage, GET, &["expected the end of get, got"]);
}

#[test]
fn a_stage_that_is_given_up_is_recorded_with_its_reason() {
    let gives_up = at("get", |answer| {
        *answer = json!({"message": "failed", "stage": "get", "error": "gauge:0 does not want to"});
    });
    caught(gives_up, FailureKind::StageFailed, GET, &["gauge:0 does not want to"]);
}

#[test]
fn a_hello_of_another_protocol_name_or_kind_is_refused() {
    let version = at("hello", |hello| hello["protocol"] = json!(7));
    let words = ["speaks protocol 7", "this build speaks 3 to 5"];
    caught(version, FailureKind::Garbage, None, &words);
    let name = at("hello", |hello| hello["approach"] = json!("somebody-else"));
    let words = ["hello as `somebody-else`", "started as `libca`"];
    caught(name, FailureKind::Garbage, None, &words);
    let failed = at("hello", |hello| {
        *hello = json!({"message": "failed", "stage": "import", "error": "not today"});
    });
    caught(failed, FailureKind::Garbage, None, &["expected hello", "not today"]);
    let serial = at("hello", |hello| hello["modes"] = json!(["serial"]));
    caught(serial, FailureKind::StageFailed, Some(Stage::Connect), &["no bulk mode"]);
}

#[test]
fn workers_of_older_protocols_are_measured_in_what_they_know() {
    for protocol in [3, 4] {
        let older = at("hello", move |hello| {
            hello["protocol"] = json!(protocol);
            hello.as_object_mut().unwrap().remove("reports");
        });
        let outcome = connect_with(older, true);
        assert_eq!((outcome.failure, outcome.record.samples.len()), (None, STAGES), "{protocol}");
    }
}

#[test]
fn one_wrong_value_among_many_is_found_and_its_pv_named() {
    let wrong = at_get(Mode::Bulk, |answer| {
        answer["values"][7] = json!(answer["values"][7].as_f64().unwrap() + 0.5);
    });
    let words = ["get: gauge:7 answered 3145735.5, the IOC holds 3145735"];
    caught(wrong, FailureKind::WrongValue, GET, &words);
    let swapped = at_get(Mode::Bulk, |answer| {
        let values = answer["values"].as_array_mut().unwrap();
        values.swap(3, 4);
    });
    caught(swapped, FailureKind::WrongValue, GET, &["get: gauge:3 answered 3145732"]);
}

#[test]
fn a_stale_value_is_called_stale() {
    let stale = at("get-again", |answer| {
        let value = answer["values"][0].as_f64().unwrap() - 1_048_576.0;
        answer["values"][0] = json!(value);
    });
    let words = ["get-again: gauge:0 answered", "a stale or cached answer"];
    caught(stale, FailureKind::WrongValue, Some(Stage::GetAgain), &words);
}

/// The records of the ordinary get and its repetition.
fn default_gets(outcome: &Outcome) -> Vec<DefaultGet> {
    outcome.record.samples.iter().filter_map(|sample| sample.default_get).collect()
}

/// How many updates older the value is that `wanted` answers with.
fn older(wanted: &'static str, updates: f64) -> Tamper {
    at(wanted, move |answer| {
        let value = answer["values"][0].as_f64().unwrap() - updates * PROCESSED_FACTOR;
        answer["values"][0] = json!(value);
    })
}

#[test]
fn an_ordinary_get_that_asks_the_server_is_no_cache() {
    let outcome = connect_with(changed(|_, _, _| {}), true);
    let seen = default_gets(&outcome);
    assert_eq!(seen.len(), 2);
    for get in seen {
        assert_eq!((get.outdated, get.oldest_ns, get.sent_bytes), (0, 0, Some(16)));
        assert_eq!(get.from_cache(1), 0);
    }
}

#[test]
fn an_old_value_of_an_ordinary_get_is_recorded_with_its_age() {
    let outcome = connect_with(older("get-default-again", 1.0), true);
    assert_eq!(outcome.failure, None);
    let [first, again] = default_gets(&outcome)[..] else { panic!("two ordinary gets") };
    assert_eq!((first.outdated, first.from_cache(1)), (0, 0));
    assert_eq!((again.outdated, again.from_cache(1)), (1, 1));
    // Its value changed before it was asked; it was read in the middle of the span.
    let age_ns = again.oldest_ns - SPAN_NS / 2;
    assert!((1..=BESIDE_NS).contains(&age_ns), "{again:?}");
    let of_the_get_before = connect_with(older("get-default-again", 2.0), true);
    let oldest_ns = default_gets(&of_the_get_before)[1].oldest_ns;
    assert!(oldest_ns > again.oldest_ns + SPAN_NS, "{oldest_ns} after {}", again.oldest_ns);
}

#[test]
fn an_ordinary_get_may_answer_with_what_was_put_before() {
    let last_put = at("get-default", |answer| answer["values"][0] = json!(-2.0));
    let outcome = connect_with(last_put, true);
    assert_eq!((outcome.failure.clone(), default_gets(&outcome)[0].outdated), (None, 1));
}

#[test]
fn a_right_value_that_nobody_asked_the_server_for_is_from_a_cache() {
    let cached = Box::new(|stage: &str, _: Option<&StageCommand>, answer: Value| {
        let is_cached = stage == "get-default-again";
        vec![if is_cached { Says::FromCache(answer) } else { Says::Answer(answer) }]
    });
    let outcome = connect_with(cached, true);
    assert_eq!(outcome.failure, None);
    let [first, again] = default_gets(&outcome)[..] else { panic!("two ordinary gets") };
    assert_eq!((first.from_cache(1), again.from_cache(1), again.outdated), (0, 1, 0));
}

#[test]
fn an_ordinary_get_of_a_value_that_was_never_there_fails() {
    let words = ["get-default: gauge:0 answered", "the IOC holds", "never held that"];
    for lie in [0.5, 1.0, -3.0 * PROCESSED_FACTOR / 2.0] {
        let invented = at("get-default", move |answer| {
            answer["values"][0] = json!(answer["values"][0].as_f64().unwrap() + lie);
        });
        caught(invented, FailureKind::WrongValue, Some(Stage::GetDefault), &words);
    }
    // Older than the worker.
    let before = older("get-default", 6.0);
    caught(before, FailureKind::WrongValue, Some(Stage::GetDefault), &words);
    let none = at("get-default-again", |answer| answer["values"] = Value::Null);
    let words = ["0 values came back for 1 PV"];
    caught(none, FailureKind::WrongValue, Some(Stage::GetDefaultAgain), &words);
}

#[test]
fn a_worker_that_names_no_ordinary_get_is_not_asked_for_one() {
    let without = at("hello", |hello| {
        hello["stages"] = json!(["context", "create", "connect", "get", "put"]);
    });
    let outcome = connect_with(without, true);
    assert_eq!((outcome.failure, outcome.record.samples.len()), (None, STAGES - 2));
}

#[test]
fn a_wrong_count_of_values_is_refused() {
    let too_few = at_get(Mode::Bulk, |answer| {
        answer["values"].as_array_mut().unwrap().pop();
    });
    caught(too_few, FailureKind::WrongValue, GET, &["19 values came back for 20 PVs"]);
    let too_many = at_get(Mode::Bulk, |answer| {
        answer["values"].as_array_mut().unwrap().push(json!(1.0));
    });
    caught(too_many, FailureKind::WrongValue, GET, &["21 values came back for 20 PVs"]);
    let none = at("get", |answer| answer["values"] = Value::Null);
    caught(none, FailureKind::WrongValue, GET, &["0 values came back for 1 PV"]);
    let of_put = at("put", |answer| answer["values"] = json!([1.0]));
    let words = ["1 value came back for 0 PVs"];
    caught(of_put, FailureKind::WrongValue, Some(Stage::Put), &words);
}

#[test]
fn times_of_single_gets_that_cannot_be_are_refused() {
    let too_many = at_get(Mode::Serial, |answer| answer["each_ns"] = json!([1, 1]));
    caught(too_many, FailureKind::Garbage, GET, &["times of 2 PVs came back for 1"]);
    let too_long = at_get(Mode::Serial, |answer| answer["each_ns"] = json!([SPAN_NS + 1]));
    caught(too_long, FailureKind::Garbage, GET, &["its PVs claim 100000001 ns, but all took"]);
    let wraps = at_get(Mode::Serial, |answer| answer["each_ns"] = json!([u64::MAX]));
    caught(wraps, FailureKind::Garbage, GET, &["but all took"]);
    let of_all = at_get(Mode::Bulk, |answer| answer["each_ns"] = json!(vec![1; PVS]));
    caught(of_all, FailureKind::Garbage, GET, &["times of 20 PVs came back for 0"]);
    let of_connect = at("connect", |answer| answer["each_ns"] = json!(vec![1; PVS]));
    let words = ["times of 20 PVs came back for 0"];
    caught(of_connect, FailureKind::Garbage, Some(Stage::Connect), &words);
}

#[test]
fn a_put_that_was_never_done_is_found_in_the_ioc() {
    let outcome = connect_with(changed(|_, _, _| {}), false);
    let words = ["put: -1 to gauge:0 was confirmed, but the IOC holds"];
    held_against(outcome, FailureKind::WrongValue, Some(Stage::Put), &words);
}

#[test]
fn a_readback_of_another_value_is_found() {
    let lies = at("readback", |answer| answer["values"][0] = json!(0.0));
    let words = ["readback: gauge:0 answered 0, the IOC holds -1"];
    caught(lies, FailureKind::WrongValue, Some(Stage::Readback), &words);
}

#[test]
fn a_span_that_cannot_be_is_refused() {
    let words = ["it claims to have worked from", "but the answer came after"];
    let backwards = at("get", |answer| answer["end_ns"] = json!(1));
    caught(backwards, FailureKind::Garbage, GET, &words);
    let too_long = at("get", |answer| add(answer, "end_ns", 60_000_000_000));
    caught(too_long, FailureKind::Garbage, GET, &words);
    let import = at("hello", |hello| add(&mut hello["import"], "end_ns", 3_600_000_000_000));
    caught(import, FailureKind::Garbage, Some(Stage::Import), &words);
    let before_asked = at("connect", |answer| {
        add(answer, "start_ns", -1_000_000_000);
        add(answer, "end_ns", -1_000_000_000);
    });
    caught(before_asked, FailureKind::Garbage, Some(Stage::Connect), &["busy until"]);
}

#[test]
fn a_worker_that_halves_its_spans_is_caught() {
    let halves = changed(|stage, _, answer| {
        if stage != "hello" {
            add(answer, "end_ns", -i64::try_from(SPAN_NS / 2).unwrap());
        }
    });
    // What the first stage hides could be a pause of the machine.
    let words = ["it claims to have worked for 150.0 ms up to here", "waited 150.5 ms longer"];
    caught(halves, FailureKind::WrongClaim, Some(Stage::Connect), &words);
}

#[test]
fn one_long_stage_that_hides_most_of_itself_is_caught_after_honest_ones() {
    let late = changed(|stage, mode, answer| {
        if (stage, mode) == ("get-again", Mode::Bulk) {
            add(answer, "end_ns", 1 - i64::try_from(LONG_SPAN_NS).unwrap());
        }
    });
    let words = ["0.0 ms in this stage", "waited 300.1 ms longer"];
    caught(late, FailureKind::WrongClaim, Some(Stage::GetAgain), &words);
}

#[test]
fn cpu_time_is_held_against_the_kernels_count() {
    let none = at("connect", |answer| answer["cpu_ns"] = json!(0));
    let words = ["but the kernel counted 120.0 ms", "outside of its span"];
    caught(none, FailureKind::WrongClaim, Some(Stage::Connect), &words);
    let tenth = changed(|stage, _, answer| {
        if stage != "hello" {
            answer["cpu_ns"] = json!(answer["cpu_ns"].as_u64().unwrap() / 10);
        }
    });
    caught(tenth, FailureKind::WrongClaim, Some(Stage::Context), &["it claims 6.0 ms of CPU"]);
    let more = at("get", |answer| add(answer, "cpu_ns", i64::try_from(CPU_NS).unwrap()));
    caught(more, FailureKind::WrongClaim, GET, &["it claims 120.0 ms of CPU time"]);
    let import = at("hello", |hello| hello["import"]["cpu_ns"] = json!(100_000_000));
    caught(import, FailureKind::WrongClaim, Some(Stage::Import), &["it claims 100.0 ms of CPU"]);
}

/// Three PVs at 10 Hz for a second.
fn monitors() -> PlannedConfiguration {
    let load = Load {
        rate_hz: 10.0,
        seconds: 1.0,
        pixels: None,
        array_bytes: None,
        disturbance: None,
        monitors: 1,
        idle_pvs: 0,
    };
    PlannedConfiguration::new(Scenario::Scalars, 3, Mode::Bulk, Some(load), 1)
}

#[test]
fn an_approach_without_monitors_is_recorded_with_that_reason() {
    let without = at("hello", |hello| hello["stages"] = json!(["context", "create", "connect"]));
    let outcome = with(without, true, monitors());
    let words = ["the approach has no monitors"];
    held_against(outcome, FailureKind::StageFailed, Some(Stage::Subscribe), &words);
}

#[test]
fn collecting_takes_the_time_that_was_asked_and_brings_updates() {
    let short =
        at("collect", |answer| answer["end_ns"] = json!(answer["start_ns"].as_u64().unwrap() + 1));
    let words = ["it took updates for 0.000 s of"];
    held_against(with(short, true, monitors()), FailureKind::Garbage, Some(Stage::Collect), &words);
    let none = at("collect", |answer| answer["updates"] = Value::Null);
    let words = ["the answer came without updates"];
    held_against(with(none, true, monitors()), FailureKind::Garbage, Some(Stage::Collect), &words);
    let unasked = at("get", |answer| answer["updates"] = json!({"runs": [], "latencies": []}));
    caught(unasked, FailureKind::Garbage, GET, &["the answer came with updates"]);
}

#[test]
fn latencies_over_time_that_do_not_fit_the_latencies_are_refused() {
    let contradicts = at("collect", |answer| {
        answer["updates"]["latency_over_time"] =
            json!({"slice_ns": 1, "slices": [], "median_pv_ns": 0});
        answer["updates"]["latencies"] = json!([[5, 1]]);
    });
    let words = ["`latency_over_time` of the updates", "hold 0 updates, `latencies` 1"];
    let outcome = with(contradicts, true, monitors());
    held_against(outcome, FailureKind::Garbage, Some(Stage::Collect), &words);
}
