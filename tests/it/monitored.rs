//! Scenarios with monitors, as a user runs them: real IOCs, every approach,
//! every update counted. Low rates, so that a busy machine loses nothing.

use std::process::Command;

use epics_gauge::judge::{Bottleneck, Limits, judge};
use epics_gauge::protocol::Protocol;
use epics_gauge::record::{Monitored, Record, RunRecords, Scenario};
use epics_gauge::worker_protocol::Stage;

use crate::support::{Gauge, Ran, approaches_where, program};

/// All approaches over Channel Access, the floor first.
fn all() -> Vec<String> {
    approaches_where(|approach| approach.protocol == Protocol::Ca)
}

#[track_caller]
fn monitored<'a>(records: &'a [Record], approach: &str) -> &'a Monitored {
    let record = records.iter().find(|record| record.approach == approach);
    let record = record.unwrap_or_else(|| panic!("no record of {approach}"));
    assert_eq!(record.failure, None, "{approach}");
    record.monitored.as_ref().unwrap()
}

/// What must hold of every monitor run.
#[track_caller]
fn is_whole(records: &[Record], approach: &str, least_updates: u64) {
    let run = monitored(records, approach);
    assert_eq!(run.lost(), 0, "{approach}: {run:?}");
    assert!(run.expected >= least_updates, "{approach}: {}", run.expected);
    let timed: u64 = run.latencies.iter().map(|(_, count)| count).sum();
    assert!(timed >= least_updates && timed <= run.received, "{approach}: {timed} latencies");
    assert!(run.latencies.iter().all(|(ns, _)| (0..2_000_000_000).contains(ns)), "{approach}");
    for usage in [&run.client, &run.server] {
        assert!(usage.samples.len() > 10, "{approach}: {} samples", usage.samples.len());
        assert!(usage.samples.windows(2).all(|pair| pair[0].cpu_ns <= pair[1].cpu_ns));
        assert!(usage.peak_rss_bytes > 1 << 20, "{approach}");
    }
    let network = run.network.unwrap();
    let ratio = network.received_bytes as f64 / network.least_bytes.unwrap() as f64;
    assert!((1.0..1.2).contains(&ratio), "{approach}: {network:?}");
}

fn finished(arguments: &str) -> (Ran, Vec<Record>) {
    let ran = Gauge::run(arguments).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let records = ran.records();
    (ran, records)
}

#[test]
fn every_approach_takes_every_frame_of_a_slow_camera() {
    let arguments = format!("waveform --approach {} --rate 10 --seconds 2", all().join(","));
    let (ran, records) = finished(&arguments);
    for approach in all() {
        is_whole(&records, &approach, 20);
        let record = records.iter().find(|record| record.approach == approach).unwrap();
        let stages: Vec<Stage> = record.samples.iter().map(|sample| sample.stage).collect();
        assert!(stages.ends_with(&[Stage::Subscribe, Stage::Collect]), "{stages:?}");
    }
    let report = std::fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    assert!(report.contains("## waveform: 680x480 at 10 Hz"), "{report}");
}

#[test]
fn every_approach_takes_every_update_of_many_scalars() {
    let all_named = all().join(",");
    let arguments = format!("scalars --approach {all_named} --pvs 50 --rate 10 --seconds 2");
    let (_, records) = finished(&arguments);
    for approach in all() {
        is_whole(&records, &approach, 50 * 20);
    }
}

#[test]
fn sizes_and_rates_are_options() {
    let (_, records) =
        finished("waveform --approach libca --pixels 64x32 --rate 20,50 --seconds 1");
    let mut rates: Vec<f64> = records.iter().map(|record| record.load.unwrap().rate_hz).collect();
    rates.sort_by(f64::total_cmp);
    assert_eq!(rates, [20.0, 20.0, 50.0, 50.0]);
    for record in &records {
        let (run, load) = (record.monitored.as_ref().unwrap(), record.load.unwrap());
        assert!((run.made_hz / load.rate_hz - 1.0).abs() < 0.1, "{}", run.made_hz);
        assert_eq!(load.pixels.unwrap().to_string(), "64x32");
    }
}

#[test]
fn a_search_finds_what_an_approach_takes_or_what_bottleneck() {
    let (ran, records) = finished("capacity --approach libca --pvs 20 --rate 10 --seconds 1");
    assert!(records.iter().all(|record| record.scenario == Scenario::Capacity));
    let text = std::fs::read_to_string(ran.out.path().join("run/records.jsonl")).unwrap();
    let judgement = judge(&RunRecords::parse(&text).unwrap(), &Limits::built_in());
    let libca = judgement.capacities.iter().find(|one| one.approach == "libca").unwrap();
    assert_eq!((libca.lossless_pvs, libca.lossy_pvs), (Some(20), None));
    assert_eq!(libca.confirmed, 2);
}

/// More than any server of this kind makes: a search must not call it a
/// client's limit, nor fail.
#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn a_search_that_overwhelms_the_server_reports_it() {
    let ran = Gauge::run("capacity --approach libca --pvs 3000 --rate 1000 --seconds 1").finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = std::fs::read_to_string(ran.out.path().join("run/records.jsonl")).unwrap();
    let judgement = judge(&RunRecords::parse(&text).unwrap(), &Limits::built_in());
    let libca = judgement.capacities.iter().find(|one| one.approach == "libca").unwrap();
    // How many it takes without loss depends on the machine; 3 000 are too many for all.
    assert!(libca.lossy_pvs.is_some_and(|pvs| pvs <= 3_000), "{libca:?}");
    assert_ne!(libca.lossless_pvs, Some(3_000));
    let first = ran.records().into_iter().find(|record| record.pvs == 3_000).unwrap();
    let made_hz = first.monitored.unwrap().made_hz;
    assert!(made_hz < 980.0, "the server made {made_hz} Hz of 3 000 PVs");
    // Which of them is seen first depends on the machine.
    let server =
        [Bottleneck::ServerCpu, Bottleneck::ServerScan, Bottleneck::ServerQueue, Bottleneck::Late];
    assert!(libca.bottleneck.is_some_and(|who| server.contains(&who)), "{libca:?}");
}

#[test]
fn scenarios_are_listed() {
    let output = Command::new(program()).args(["list", "scenarios"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["connect", "waveform", "scalars", "capacity", "scale", "recovery", "many-iocs"] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{text}");
    }
}
