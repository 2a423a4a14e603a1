//! Each exact limit comes out good and bad.

use epics_gauge::judge::{Outcome, Verdict};
use epics_gauge::metric::Metric;
use epics_gauge::record::{
    Disturbance, Failure, FailureKind, Load, Monitored, Network, Recovery, RunRecords,
    ServerCounters,
};
use epics_gauge::worker_protocol::Stage;

use super::monitors::{load, monitored, record, waveform, with_fresh_watches};
use super::{exit_code_of, judge, run_with};

#[track_caller]
fn verdict(run: &RunRecords, name: &str) -> Verdict {
    let judgement = judge(run);
    let names: Vec<&String> = judgement.verdicts.iter().map(|verdict| &verdict.name).collect();
    let found = judgement.verdicts.iter().find(|verdict| verdict.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {names:#?}")).clone()
}

const CAMERA: &str = "waveform::aioca::680x480_120hz";

fn outcome(aioca: Monitored, metric: &str) -> Outcome {
    verdict(&waveform(aioca), &format!("{CAMERA}::{metric}")).outcome
}

fn failing(kind: FailureKind) -> RunRecords {
    let mut run = waveform(monitored());
    run.records[2].failure = Some(Failure {
        kind,
        stage: Some(Stage::Collect),
        message: "frame 7 is torn\nand more".to_owned(),
    });
    run
}

#[test]
fn a_wrong_update_is_one_failure_and_the_other_verdicts_report_where_it_is_reported() {
    let good = waveform(monitored());
    assert_eq!(verdict(&good, &format!("{CAMERA}::values_wrong")).outcome, Outcome::Within);
    let run = failing(FailureKind::WrongUpdate);
    let wrong = verdict(&run, &format!("{CAMERA}::values_wrong"));
    assert_eq!((wrong.outcome, wrong.is_red()), (Outcome::Failed, true));
    assert_eq!(wrong.reason.as_deref(), Some("wrong update in collect: frame 7 is torn"));
    let own = judge(&run).verdicts.into_iter().filter(|verdict| verdict.approach == "aioca");
    let red: Vec<String> = own.filter(Verdict::is_red).map(|verdict| verdict.name).collect();
    assert_eq!(red, [format!("{CAMERA}::values_wrong")], "one failure is red once");
    let cpu = verdict(&run, &format!("{CAMERA}::cpu_over_floor"));
    let reason = format!("not judged: failed, see {CAMERA}::values_wrong");
    assert_eq!((cpu.outcome, cpu.reason), (Outcome::Undecided, Some(reason)));
}

#[test]
fn a_worker_that_crashed_or_is_missing_has_failed() {
    for kind in [FailureKind::Crashed, FailureKind::Missing, FailureKind::RateNotHeld] {
        let run = failing(kind);
        let failed = verdict(&run, &format!("{CAMERA}::workers_failed"));
        assert_eq!(failed.outcome, Outcome::Failed, "{kind:?}");
        assert_eq!(verdict(&run, &format!("{CAMERA}::values_wrong")).outcome, Outcome::Within);
    }
    let unable = verdict(&failing(FailureKind::Unable), &format!("{CAMERA}::workers_failed"));
    assert_eq!(unable.outcome, Outcome::Within, "that was known beforehand");
}

#[test]
fn the_floor_may_not_fail_either() {
    let mut run = failing(FailureKind::Crashed);
    run.records.swap(0, 2);
    run.records[0].approach = "wire".to_owned();
    run.records[2].approach = "aioca".to_owned();
    let failed = verdict(&run, "waveform::wire::680x480_120hz::workers_failed");
    assert_eq!(failed.outcome, Outcome::Failed);
}

#[test]
fn an_approach_is_not_judged_over_a_floor_that_was_not_measured() {
    let mut run = waveform(monitored());
    run.records[0].monitored = None;
    let cpu = verdict(&run, &format!("{CAMERA}::cpu_over_floor"));
    assert_eq!(cpu.reason.as_deref(), Some("not judged: the floor `wire` failed or has no figure"));
    assert!(!cpu.is_open() && !cpu.is_red());
}

#[test]
fn figures_that_nobody_was_to_measure_are_not_reported_as_missing() {
    let mut run =
        super::run_of(&[("wire", super::FLOOR), ("libca", super::FAST), ("caproto", super::FAST)]);
    // Workers that only connect, one of which was unable to find PVs at all.
    for record in &mut run.records {
        record.samples.retain(|sample| sample.stage == Stage::Connect);
        if record.approach == "caproto" {
            record.samples.clear();
            let message = "it knows no name server".to_owned();
            record.failure = Some(Failure { kind: FailureKind::Unable, stage: None, message });
        }
    }
    let named: Vec<String> = judge(&run)
        .verdicts
        .into_iter()
        .filter(|verdict| verdict.name.contains("::get"))
        .map(|verdict| verdict.name)
        .collect();
    assert!(named.is_empty(), "{named:?}");
    for record in run.records.iter_mut().filter(|record| record.approach == "caproto") {
        record.failure.as_mut().unwrap().kind = FailureKind::Crashed;
    }
    assert!(judge(&run).verdicts.iter().any(|verdict| verdict.name.contains("::get")));
}

#[test]
fn a_loss_counts_when_most_fresh_blocks_lose_again() {
    assert_eq!(outcome(monitored(), "updates_lost"), Outcome::Within);
    let lossy = waveform(Monitored { received: 7200, ..monitored() });
    let name = format!("{CAMERA}::updates_lost");
    let seen = verdict(&lossy, &name);
    assert_eq!((seen.outcome, seen.more_blocks), (Outcome::Undecided, Some(9)));
    assert_eq!(exit_code_of(&lossy, &[]), 3);

    let again = with_fresh_watches(&lossy, 9);
    assert_eq!(verdict(&again, &name).outcome, Outcome::Over);
    assert_eq!(exit_code_of(&again, &[]), 1);
    assert_eq!(verdict(&with_fresh_watches(&lossy, 8), &name).outcome, Outcome::Undecided);
}

#[test]
fn a_loss_that_most_fresh_blocks_do_not_repeat_was_chance() {
    let lossy = waveform(Monitored { received: 7200, ..monitored() });
    let name = format!("{CAMERA}::updates_lost");
    let losing_in = |losing: usize, of: usize| {
        let mut run = with_fresh_watches(&lossy, of);
        let fresh = run.records.iter_mut().filter(|record| record.confirms);
        for (index, record) in fresh.filter(|record| record.approach == "aioca").enumerate() {
            if index >= losing {
                record.monitored = Some(Box::new(monitored()));
            }
        }
        (verdict(&run, &name), exit_code_of(&run, &[]))
    };
    let (none, code) = losing_in(0, 7);
    assert_eq!((none.outcome, code), (Outcome::Within, 0));
    assert_eq!(none.reason.as_deref(), Some("1 lost in 1 block, none in 7 fresh blocks"));
    // One of seven may be half of all blocks, one of eight hardly.
    assert_eq!(losing_in(1, 7).0.outcome, Outcome::Undecided);
    let (one, code) = losing_in(1, 8);
    assert_eq!((one.outcome, code), (Outcome::Within, 0));
    assert!(one.reason.is_some_and(|reason| reason.ends_with("1 of 8 fresh blocks: by chance")));
}

#[test]
fn losses_over_the_rate_of_the_limit_are_no_verdict() {
    let mut fast = waveform(Monitored { received: 7000, ..monitored() });
    for record in &mut fast.records {
        record.load = Some(Load { rate_hz: 1000.0, ..load() });
    }
    assert!(!judge(&fast).verdicts.iter().any(|verdict| verdict.metric == Metric::UpdatesLost));
}

#[test]
fn a_byte_per_update_more_than_the_least_is_over() {
    let with = |received_bytes| {
        let least_bytes = Some(7_201_000);
        let network = Some(Network { received_bytes, sent_bytes: 0, least_bytes });
        outcome(Monitored { network, ..monitored() }, "bytes_over_least")
    };
    // Keep-alive messages are less than a byte per update.
    assert_eq!(with(7_201_000 + 7_200), Outcome::Within);
    assert_eq!(with(7_201_000 + 7_201), Outcome::Over);
    let unknown = Monitored { network: None, ..monitored() };
    let unknown = verdict(&waveform(unknown), &format!("{CAMERA}::bytes_over_least"));
    assert!(unknown.outcome == Outcome::Undecided && !unknown.is_open());
}

#[test]
fn a_subscription_more_or_less_than_asked_for_is_over() {
    let with = |subscriptions| {
        let server_counters = ServerCounters { subscriptions, ..ServerCounters::default() };
        outcome(Monitored { server_counters, ..monitored() }, "subscriptions")
    };
    let counts = [Some(1), Some(0), Some(2), None].map(with);
    let wanted = [Outcome::Within, Outcome::Over, Outcome::Over, Outcome::Undecided];
    assert_eq!(counts, wanted);
}

#[test]
fn a_pv_not_reconnected_is_over() {
    let with = |recovered| {
        let load =
            Load { disturbance: Some(Disturbance::Restart), pixels: None, rate_hz: 10.0, ..load() };
        let recovery = Some(Recovery { wanted: 1, recovered, slowest_s: None });
        let of = |approach, recovery| {
            record("recovery", approach, load, Monitored { recovery, ..monitored() })
        };
        let run = run_with(&["wire", "aioca"], vec![of("wire", recovery), of("aioca", recovery)]);
        verdict(&run, "recovery::aioca::n1_10hz_restart::pvs_not_reconnected").outcome
    };
    assert_eq!([with(1), with(0)], [Outcome::Within, Outcome::Over]);
}

#[test]
fn a_process_that_outlives_the_run_is_over() {
    let with = |processes_left| {
        let mut run = waveform(monitored());
        run.end.as_mut().unwrap().processes_left = processes_left;
        (verdict(&run, "run::processes_left").outcome, exit_code_of(&run, &[]))
    };
    assert_eq!(with(Some(0)), (Outcome::Within, 0));
    assert_eq!(with(Some(1)), (Outcome::Over, 1));
    assert_eq!(with(None), (Outcome::Undecided, 0), "where that cannot be known");
}
