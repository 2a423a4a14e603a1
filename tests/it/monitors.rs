//! The native approaches' monitors against real IOCs: what they report is what
//! the IOC's own database says was produced.

mod delaying_relay;

use std::thread::sleep;
use std::time::Duration;

use epics_gauge::frame;
use epics_gauge::ioc::{Builder, SoftIoc};
use epics_gauge::scenario::{FRAME_PV, PROCESSED_FACTOR, pv_name};
use epics_gauge::worker_protocol::{Content, Mode, Stage, UpdateRun, Updates};

use self::delaying_relay::DelayingRelay;
use crate::collecting::{begin_collecting, collect, connected, subscribe_to_each};
use crate::support::{WorkerDriver, at_once};

const APPROACHES: [&str; 3] = ["wire", "libca", "epics-ca"];

/// As a camera of the plan has it.
const WIDTH: u32 = 680;
const HEIGHT: u32 = 480;

#[test]
fn every_update_of_100_pvs_at_10_hz_arrives_once_and_in_order() {
    every_update_arrives(100, 10.0);
}

#[test]
fn every_update_of_3_pvs_at_1000_hz_arrives_once_and_in_order() {
    every_update_arrives(3, 1000.0);
}

fn every_update_arrives(pvs: usize, rate_hz: f64) {
    at_once(&APPROACHES, |&approach| {
        let mut ioc = scanned(SoftIoc::builder().pvs(pvs), rate_hz);
        let mut worker = connected(approach, ioc.client_environment(), scalars(pvs));
        subscribe(&mut worker, Content::Scalars, Mode::Bulk).unwrap();
        let updates = collect_while_scanning(&mut worker, &mut ioc, rate_hz);
        let merged = ioc.counters().unwrap().merged_updates;
        let mut received = 0;
        for index in 0..pvs {
            let runs = runs_of(&updates, index);
            assert_eq!(runs[0].first, index as f64, "{approach}: the value at subscription");
            assert_rising(&runs, approach);
            let produced = ioc.field_value(&pv_name(index)).unwrap();
            assert_eq!(last(runs[runs.len() - 1], PROCESSED_FACTOR), produced, "{approach}");
            received += runs.iter().map(|run| run.count).sum::<u64>();
        }
        // Where this machine stalls a process, the server itself merges updates.
        let produced: u64 = ioc.processed().unwrap().iter().map(|count| count + 1).sum();
        assert_eq!(received + merged, produced, "{approach}: {merged} merged");
        assert!(produced > pvs as u64 * 10, "{produced} updates prove nothing");
        assert_latencies(&updates, received - pvs as u64, approach);
    });
}

/// What `dbel` counts are subscriptions that the server has, each with a queue of its
/// own: a client that shared one among three could not pass.
#[test]
fn each_of_three_monitors_is_a_subscription_that_gets_every_update() {
    const PVS: usize = 40;
    const MONITORS: usize = 3;
    at_once(&APPROACHES, |&approach| {
        let mut ioc = scanned(SoftIoc::builder().pvs(PVS), 10.0);
        let mut worker = connected(approach, ioc.client_environment(), scalars(PVS));
        subscribe_to_each(&mut worker, Content::Scalars, Mode::Bulk, MONITORS).unwrap();
        assert_eq!(ioc.counters().unwrap().subscriptions, (PVS * MONITORS) as u64, "{approach}");
        let updates = collect_while_scanning(&mut worker, &mut ioc, 10.0);
        let merged = ioc.counters().unwrap().merged_updates;
        let mut received = 0;
        for index in 0..PVS {
            let produced = ioc.field_value(&pv_name(index)).unwrap();
            for monitor in 0..MONITORS {
                let mut runs = runs_of(&updates, index);
                runs.retain(|run| run.monitor == monitor);
                assert_eq!(runs[0].first, index as f64, "{approach} {monitor}");
                assert_rising(&runs, approach);
                assert_eq!(last(runs[runs.len() - 1], PROCESSED_FACTOR), produced, "{approach}");
                received += runs.iter().map(|run| run.count).sum::<u64>();
            }
        }
        let produced: u64 = ioc.processed().unwrap().iter().map(|count| count + 1).sum();
        assert_eq!(received + merged, produced * MONITORS as u64, "{approach}: {merged} merged");
        assert_latencies(&updates, received - (PVS * MONITORS) as u64, approach);
    });
}

#[test]
fn monitors_of_a_frame_each_get_it_whole() {
    at_once(&APPROACHES, |&approach| {
        let mut ioc = scanned(SoftIoc::builder().frames(64, 48), 10.0);
        let mut worker = connected(approach, ioc.client_environment(), vec![FRAME_PV.to_owned()]);
        subscribe_to_each(&mut worker, Content::Frames, Mode::Serial, 3).unwrap();
        let updates = collect_while_scanning(&mut worker, &mut ioc, 10.0);
        let made = ioc.frame_count().unwrap();
        for monitor in 0..3 {
            let of_it: Vec<_> = updates.runs.iter().filter(|run| run.monitor == monitor).collect();
            let received: u64 = of_it.iter().map(|run| run.count).sum();
            assert_eq!(received, made + 1, "{approach} {monitor}: {of_it:?}");
            for run in of_it {
                for (offset, sum) in run.sums.iter().enumerate() {
                    let number = run.first as u32 + offset as u32;
                    assert_eq!(*sum, frame::sum(number, 64 * 48), "{approach}: frame {number}");
                }
            }
        }
    });
}

#[test]
fn the_sums_of_frames_are_those_of_the_generator() {
    let pixels = (WIDTH * HEIGHT) as usize;
    at_once(&APPROACHES, |&approach| {
        let mut ioc = scanned(SoftIoc::builder().frames(WIDTH, HEIGHT), 10.0);
        let mut worker = connected(approach, ioc.client_environment(), vec![FRAME_PV.to_owned()]);
        subscribe(&mut worker, Content::Frames, Mode::Bulk).unwrap();
        let updates = collect_while_scanning(&mut worker, &mut ioc, 10.0);
        let runs = runs_of(&updates, 0);
        assert_eq!(runs[0].first, 0.0, "{approach}: the frame at subscription");
        let mut received = 0;
        for run in &runs {
            assert_eq!(run.sums.len() as u64, run.count, "{approach}");
            for (offset, sum) in run.sums.iter().enumerate() {
                let number = run.first as u32 + offset as u32;
                assert_eq!(*sum, frame::sum(number, pixels), "{approach}: frame {number}");
            }
            received += run.count;
        }
        let made = ioc.frame_count().unwrap();
        assert_eq!(last(runs[runs.len() - 1], 1.0), made as f64, "{approach}");
        assert!(made > 10, "{made} frames prove nothing");
        assert_eq!(received, made + 1, "{approach}: {runs:?}");
        assert_latencies(&updates, received - 1, approach);
    });
}

#[test]
fn pvs_can_be_subscribed_to_one_after_the_other() {
    at_once(&APPROACHES, |&approach| {
        let ioc = SoftIoc::builder().pvs(20).start().unwrap();
        let mut worker = connected(approach, ioc.client_environment(), scalars(20));
        subscribe(&mut worker, Content::Scalars, Mode::Serial).unwrap();
        let updates = collect(&mut worker, Duration::from_millis(10));
        let first: Vec<_> = updates.runs.iter().map(|run| (run.pv, run.first, run.count)).collect();
        let expected: Vec<_> = (0..20).map(|index| (index, index as f64, 1)).collect();
        assert_eq!(first, expected, "{approach}");
        assert_eq!(updates.latencies, [], "{approach}: they came before `collect`");
        let again = subscribe(&mut worker, Content::Scalars, Mode::Bulk).unwrap_err();
        assert_eq!(again, "this job has its subscriptions already", "{approach}");
    });
}

/// libca drops what is too large for it and says so on stderr only, once.
#[test]
fn a_frame_too_large_for_the_client_is_reported_as_that() {
    let ioc = SoftIoc::builder().frames(WIDTH, HEIGHT).start().unwrap();
    let mut environment = ioc.client_environment();
    environment.retain(|(name, _)| !name.contains("ARRAY_BYTES"));
    environment.push(("EPICS_CA_MAX_ARRAY_BYTES".to_owned(), "20000".to_owned()));
    environment.push(("EPICS_CA_AUTO_ARRAY_BYTES".to_owned(), "NO".to_owned()));
    for approach in ["libca", "epics-ca"] {
        assert_eq!(
            error_of_frames(approach, environment.clone()),
            "1 of 1 PV not subscribed after 5 s, first gauge:frame: its 652800 bytes are more \
             than EPICS_CA_MAX_ARRAY_BYTES=20000, and EPICS_CA_AUTO_ARRAY_BYTES=NO"
        );
    }
}

#[test]
fn a_frame_too_large_for_the_server_is_reported_as_that() {
    let ioc = SoftIoc::builder().frames(WIDTH, HEIGHT).max_array_bytes(20_000).start().unwrap();
    for (approach, expected) in [
        ("wire", "ECA_TOLARGE (0x48): server unable to load read (or subscription update)"),
        ("libca", "the subscription to gauge:frame: The requested data transfer is greater"),
        ("epics-ca", "the subscription to gauge:frame: The requested data transfer is greater"),
    ] {
        let error = error_of_frames(approach, ioc.client_environment());
        assert!(error.contains(expected) && error.contains(FRAME_PV), "{approach}: {error}");
    }
}

fn error_of_frames(approach: &str, environment: Vec<(String, String)>) -> String {
    let mut worker = WorkerDriver::start(approach, environment);
    worker.job_of(vec![FRAME_PV.to_owned()], 5.0);
    worker.stage(Stage::Context, Mode::Bulk);
    worker.stage(Stage::Connect, Mode::Bulk);
    subscribe(&mut worker, Content::Frames, Mode::Bulk).unwrap_err()
}

/// Each restarted with all PVs, and without one of them.
#[test]
fn updates_come_again_when_the_ioc_does_and_a_missing_pv_holds_up_no_other() {
    let with_each = |approach: &&'static str| [(*approach, None), (*approach, Some(3))];
    let all: Vec<_> = APPROACHES.iter().flat_map(with_each).collect();
    at_once(&all, |&(approach, without)| {
        updates_come_again(approach, SoftIoc::client_environment, without);
    });
}

#[test]
fn the_floor_finds_an_ioc_again_through_a_name_server_too() {
    updates_come_again("wire", SoftIoc::name_server_environment, None);
}

/// Kills an IOC while its updates are collected, and restarts it, if asked for
/// without one of its PVs.
fn updates_come_again(
    approach: &str,
    environment: impl Fn(&SoftIoc) -> Vec<(String, String)>,
    without: Option<usize>,
) {
    const PVS: usize = 10;
    let mut ioc = scanned(SoftIoc::builder().pvs(PVS), 10.0);
    let mut worker = connected(approach, environment(&ioc), scalars(PVS));
    subscribe(&mut worker, Content::Scalars, Mode::Bulk).unwrap();
    // libca looks at its lost channels once in 10 s only
    // (`disconnectGovernorPeriod` of `disconnectGovernorTimer.cpp`).
    let seconds = if approach == "wire" { 5 } else { 16 };
    begin_collecting(&worker, Duration::from_secs(seconds));
    ioc.start_scanning(10.0).unwrap();
    sleep(Duration::from_millis(500));
    ioc.crash();
    let killed_ns = monotonic_ns();
    sleep(Duration::from_millis(500));
    ioc.restart(without).unwrap();
    ioc.start_scanning(10.0).unwrap();
    let updates = worker.finish().unwrap().updates.unwrap();
    for index in 0..PVS {
        let runs = runs_of(&updates, index);
        let of_the_second_ioc: Vec<_> =
            runs.iter().filter(|run| run.start_ns > killed_ns).collect();
        assert_eq!(runs[0].first, index as f64, "{approach} {index}");
        assert!(runs[0].count > 2, "{approach} {index}: {runs:?}");
        if without == Some(index) {
            assert!(of_the_second_ioc.is_empty(), "{approach} {index}: {runs:?}");
        } else {
            let count: u64 = of_the_second_ioc.iter().map(|run| run.count).sum();
            assert!(count > 2, "{approach} {index}: {runs:?}");
        }
    }
}

/// Checks the reported latency with one that is known: a relay holds back all
/// that the server sends. The least latency is compared: a busy machine adds to the others.
#[test]
fn the_latency_grows_by_the_delay_of_a_relay() {
    const DELAY: Duration = Duration::from_millis(50);
    at_once(&APPROACHES, |&approach| {
        let mut ioc = scanned(SoftIoc::builder().pvs(20), 10.0);
        let (environment, port) = (ioc.client_environment(), ioc.port());
        let mut least_of = |environment: Vec<(String, String)>| {
            let mut worker = connected(approach, environment, scalars(20));
            subscribe(&mut worker, Content::Scalars, Mode::Bulk).unwrap();
            least(&collect_while_scanning(&mut worker, &mut ioc, 10.0))
        };
        let direct = least_of(environment.clone());
        let relay = DelayingRelay::to(port, DELAY);
        let mut through_relay = environment;
        through_relay.retain(|(name, _)| name != "EPICS_CA_ADDR_LIST");
        through_relay.push(("EPICS_CA_ADDR_LIST".to_owned(), relay.address().to_string()));
        let grown = least_of(through_relay) - direct;
        let delay = DELAY.as_nanos() as i64;
        assert!(grown > delay * 9 / 10 && grown < delay * 2, "{approach}: {direct} + {grown} ns");
    });
}

fn scanned(builder: Builder, rate_hz: f64) -> SoftIoc {
    builder.may_scan_at(rate_hz).start().unwrap()
}

fn scalars(pvs: usize) -> Vec<String> {
    (0..pvs).map(pv_name).collect()
}

fn subscribe(worker: &mut WorkerDriver, content: Content, mode: Mode) -> Result<(), String> {
    subscribe_to_each(worker, content, mode, 1)
}

/// Scans for 1.5 of the 3 seconds that the worker collects.
fn collect_while_scanning(worker: &mut WorkerDriver, ioc: &mut SoftIoc, rate_hz: f64) -> Updates {
    begin_collecting(worker, Duration::from_secs(3));
    // It is no error if the first scans come before `collect`: they have no
    // latency then.
    sleep(Duration::from_millis(300));
    ioc.start_scanning(rate_hz).unwrap();
    sleep(Duration::from_millis(1500));
    ioc.stop_scanning().unwrap();
    worker.finish().unwrap().updates.unwrap()
}

fn runs_of(updates: &Updates, pv: usize) -> Vec<&UpdateRun> {
    updates.runs.iter().filter(|run| run.pv == pv).collect()
}

fn last(run: &UpdateRun, step: f64) -> f64 {
    run.first + (run.count - 1) as f64 * step
}

fn assert_rising(runs: &[&UpdateRun], approach: &str) {
    for pair in runs.windows(2) {
        assert!(pair[1].first > last(pair[0], PROCESSED_FACTOR), "{approach}: {pair:?}");
    }
}

/// All updates that came while they were collected have one, which is possible.
fn assert_latencies(updates: &Updates, count: u64, approach: &str) {
    assert_eq!(updates.latencies.iter().map(|(_, count)| count).sum::<u64>(), count, "{approach}");
    let (least, most) = (updates.latencies.first().unwrap(), updates.latencies.last().unwrap());
    assert!(least.0 > 0 && most.0 < 1_000_000_000, "{approach}: {least:?} to {most:?}");
}

fn least(updates: &Updates) -> i64 {
    updates.latencies.iter().map(|(latency_ns, _)| *latency_ns).min().unwrap()
}

fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
