//! Monitors that go wrong, on either side: each has a row, a reason and an exit
//! code.

use epics_gauge::protocol::Protocol;
use epics_gauge::record::{Disturbance, FailureKind, Monitored, Record};
use epics_gauge::worker_protocol::Stage;

use super::tampering::entry;
use super::{Ended, Invocation, assert_holds};
use crate::support::approaches_where;

/// One worker that lies in a way of `workers/tampering_worker.py`, beside the
/// floor.
fn tampered(how: &str, arguments: &str) -> Ended {
    let arguments =
        format!("run {arguments} --approaches FOLDER/mine.toml --approach tampered --out OUT");
    Invocation::of(&arguments).file("mine.toml", &entry("tampered", how, "{python}")).finish()
}

const FRAMES: &str = "waveform --pixels 64x32 --rate 50 --seconds 2";
const SCALARS: &str = "scalars --pvs 3 --rate 50 --seconds 2";

#[track_caller]
fn caught(ended: &Ended, kind: FailureKind, words: &[&str]) {
    ended.exits_with(4);
    ended.has_failed("tampered", kind, Some(Stage::Collect), words);
    assert!(monitored(&ended.records_of("wire")[0]).lost() == 0);
}

#[track_caller]
fn monitored(record: &Record) -> &Monitored {
    record.monitored.as_ref().unwrap_or_else(|| panic!("{record:?}"))
}

#[test]
fn an_honest_worker_passes_the_checks_that_catch_the_others() {
    for arguments in [FRAMES, SCALARS] {
        let ended = tampered("honest", arguments);
        ended.exits_with(0);
        assert_eq!(monitored(&ended.records_of("tampered")[0]).lost(), 0);
    }
}

#[test]
fn lost_updates_are_counted() {
    let ended = tampered("loses-updates", &format!("{SCALARS} --fresh-blocks 0"));
    let monitored = monitored(&ended.records_of("tampered")[0]).clone();
    assert!(
        monitored.lost() > 0 && monitored.lost() < monitored.expected / 10,
        "{}",
        monitored.lost()
    );
    assert!(ended.report().contains("tampered lost"), "{}", ended.report());
}

#[test]
fn a_subscription_that_gets_nothing_while_its_twin_does_is_counted_as_lost() {
    let ended = tampered(
        "starves-a-monitor",
        "scale --server softioc --pvs 2 --rate 10 --monitors 3 --seconds 1",
    );
    let monitored = monitored(&ended.records_of("tampered")[0]).clone();
    // One of six subscriptions has its first update only.
    let starved = monitored.expected / 6;
    assert!(monitored.lost() + 1 >= starved && monitored.lost() <= starved, "{monitored:?}");
    assert!(ended.report().contains("overloaded, limited by"), "{}", ended.report());
}

#[test]
fn a_torn_frame_is_an_error_with_its_number() {
    caught(
        &tampered("tears-a-frame", FRAMES),
        FailureKind::WrongUpdate,
        &["frame", "arrived torn"],
    );
}

#[test]
fn a_leak_is_seen_and_wants_to_be_confirmed() {
    let ended = tampered("leaks", "scalars --pvs 3 --rate 50 --seconds 6 --fresh-blocks 0");
    ended.exits_with(3);
    assert_holds(&ended.report(), &["UNDECIDED: growth of tampered", "not confirmed yet"]);
}

#[test]
fn a_client_that_eats_up_memory_is_stopped() {
    let ended = tampered("leaks", "scalars --pvs 3 --rate 50 --seconds 10 --most-memory 30");
    let words = ["over the limit of 30 MiB (--most-memory)"];
    caught(&ended, FailureKind::TooMuchMemory, &words);
}

#[test]
fn a_rate_that_the_scan_cannot_hold_is_reported_with_what_it_held() {
    let ended = Invocation::of(
        "run waveform --approach libca --pixels 3000x3000 --rate 1000 --seconds 1 --out OUT",
    )
    .finish();
    ended.exits_with(4);
    let words = ["of 1000 updates per second", "ask for a lower --rate"];
    ended.has_failed("libca", FailureKind::RateNotHeld, Some(Stage::Collect), &words);
    let monitored = monitored(&ended.records_of("libca")[0]).clone();
    assert!(
        monitored.made_hz < 950.0 && monitored.server_counters.scan_overruns > Some(0),
        "{monitored:?}"
    );
    assert!(ended.report().contains("scans of the server took longer than their period"));
}

#[test]
fn a_rate_that_the_menu_does_not_have_is_refused() {
    let ended = Invocation::of("run waveform --rate 37").finish();
    ended.exits_with(64).says(&["--rate", "cannot scan", "120.0"]);
}

#[test]
fn options_that_mean_nothing_to_a_scenario_are_refused() {
    for (arguments, words) in [
        ("run waveform --pvs 10", ["--pvs means nothing to waveform", "connect"]),
        ("run connect --rate 10", ["--rate means nothing to connect", "waveform"]),
        ("run scalars --pixels 10x10", ["--pixels means nothing to scalars", "waveform"]),
        ("run waveform --mode bulk", ["--mode means nothing to waveform", "connect"]),
    ] {
        Invocation::of(arguments).finish().exits_with(64).says(&words);
    }
    Invocation::of("run waveform --pixels 680").finish().exits_with(64).says(&["680x480"]);
    Invocation::of("run waveform --pixels 1x1").finish().exits_with(64).says(&["two pixels"]);
    Invocation::of("run waveform --seconds 0").finish().exits_with(64).says(&["1 s up to"]);
}

/// Each library has its own words for it; the frame and the limit stand below
/// them all.
#[test]
fn an_array_beyond_the_limit_is_a_row_with_both_sizes() {
    let approaches = over_channel_access();
    let arguments = format!(
        "run waveform --approach {} --array-bytes 100000 --rate 10 --seconds 1 \
         --timeout 3 --out OUT",
        approaches.join(",")
    );
    let ended = Invocation::of(&arguments).finish();
    ended.exits_with(4);
    let words = ["a frame of 680x480 has 652800 bytes, EPICS_CA_MAX_ARRAY_BYTES is 100000"];
    for approach in &approaches {
        ended.has_failed(approach, FailureKind::StageFailed, Some(Stage::Subscribe), &words);
    }
}

fn over_channel_access() -> Vec<String> {
    approaches_where(|approach| approach.protocol == Protocol::Ca)
}

/// Every approach through every disturbance: what comes back, comes back by
/// itself. They mostly wait, so they do it side by side.
#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn every_approach_comes_back_after_each_disturbance() {
    let approaches = over_channel_access().into_iter().filter(|approach| approach != "wire");
    let started: Vec<_> = approaches
        .map(|approach| {
            let arguments =
                format!("run recovery --approach {approach} --pvs 5 --seconds 14 --out OUT");
            (approach, Invocation::of(&arguments).start())
        })
        .collect();
    for (approach, running) in started {
        let ended = running.finish();
        for disturbance in Disturbance::ALL {
            came_back(&ended, "wire", disturbance);
            came_back(&ended, &approach, disturbance);
        }
        ended.exits_with(0);
        assert_holds(&ended.report(), &["5 PVs at 10 Hz, IOC restarted without the first PV"]);
    }
}

/// While the client is stopped, its socket and the server's queue take what they
/// can; the rest is lost, is reported, and the stream goes on.
#[test]
fn a_client_that_stops_reading_loses_frames_and_catches_up() {
    let ended = Invocation::of(
        "run recovery --approach libca --pixels 680x480 --rate 60 --seconds 14 --out OUT",
    )
    .finish();
    ended.exits_with(0);
    let records = ended.records_of("libca");
    assert_eq!(records.len(), 2, "one PV cannot lose one of several");
    let is_stall = |record: &&Record| record.load.unwrap().disturbance == Some(Disturbance::Stall);
    let stalled = monitored(records.iter().find(is_stall).unwrap());
    assert_eq!(stalled.recovery.unwrap().recovered, 1);
    // Five seconds at 60 Hz are 300 frames of 0.65 MB.
    assert!((150..310).contains(&stalled.lost()), "{} lost", stalled.lost());
    assert_holds(&ended.report(), &["frames not sent"]);
}

#[track_caller]
fn came_back(ended: &Ended, approach: &str, disturbance: Disturbance) {
    let records = ended.records_of(approach);
    let of = |record: &&Record| record.load.unwrap().disturbance == Some(disturbance);
    let record = records.iter().find(of).unwrap();
    assert_eq!(record.failure, None, "{approach}");
    let recovery = monitored(record).recovery.unwrap();
    let wanted = if disturbance == Disturbance::MissingPv { 4 } else { 5 };
    assert_eq!(recovery.wanted, wanted);
    assert_eq!(recovery.recovered, wanted, "{approach} after {}", disturbance.name());
    assert_eq!(recovery.slowest_s.is_some(), disturbance != Disturbance::Stall, "{approach}");
}
