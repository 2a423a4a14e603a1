//! pvAccess: the softIoc with pvxs in it serves over both protocols what one
//! record holds, and each native approach over pvAccess reports every update that there
//! was.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use epics_gauge::frame;
use epics_gauge::ioc::{Builder, Server, SoftIoc};
use epics_gauge::protocol::Protocol;
use epics_gauge::record::Pixels;
use epics_gauge::scenario::{FRAME_PV, PROCESSED_FACTOR, least_update_bytes, pv_name};
use epics_gauge::worker_protocol::{Content, Mode, Stage, StageCommand, UpdateRun, Updates};

use crate::collecting::{begin_collecting, collect, connected, subscribe_to_each};
use crate::support::{Gauge, WorkerDriver, at_once};

/// The native approaches over pvAccess.
const NATIVES: [&str; 3] = ["wire-pva", "wire-pva-pipeline", "pvxs"];

const WIDTH: u32 = 680;
const HEIGHT: u32 = 480;

#[test]
fn a_record_has_the_same_value_over_both_protocols() {
    const PVS: usize = 20;
    let mut ioc = SoftIoc::builder().pvs(PVS).pv_access().start().unwrap();
    ioc.tick().unwrap();
    for approach in ["wire", "libca", "wire-pva", "pvxs"] {
        let mut worker = connected(approach, ioc.client_environment(), scalars(PVS));
        for mode in [Mode::Bulk, Mode::Serial] {
            let expected: Vec<f64> = (0..PVS).map(|index| ioc.expected_value(index)).collect();
            let read = worker.stage(Stage::Get, mode).values.unwrap();
            assert_eq!(read, expected, "{approach}, {mode}");
            ioc.tick().unwrap();
        }
    }
}

#[test]
fn values_are_read_fresh_and_written_ones_are_there() {
    at_once(&NATIVES, |approach| {
        const PVS: usize = 20;
        let mut ioc = SoftIoc::builder().pvs(PVS).pv_access().start().unwrap();
        for mode in [Mode::Serial, Mode::Bulk] {
            let mut worker = WorkerDriver::start(approach, ioc.client_environment());
            worker.job(PVS);
            worker.stage(Stage::Context, mode);
            if mode == Mode::Bulk {
                worker.stage(Stage::Create, mode);
            }
            worker.stage(Stage::Connect, mode);
            for stage in [Stage::Get, Stage::GetAgain] {
                ioc.tick().unwrap();
                let expected: Vec<f64> = (0..PVS).map(|index| ioc.expected_value(index)).collect();
                assert_eq!(worker.stage(stage, mode).values.unwrap(), expected, "{mode}: {stage}");
            }
            // Field D is of no use to the record: nothing changes it but the put.
            let fields = (0..PVS).map(|index| format!("{}.D", pv_name(index))).collect();
            let mut worker = connected(approach, ioc.client_environment(), fields);
            let values: Vec<f64> = (0..PVS).map(|index| index as f64 + 0.5).collect();
            let put = StageCommand {
                values: Some(values.clone()),
                ..StageCommand::new(Stage::Put, mode)
            };
            worker.run(&put).unwrap();
            assert_eq!(
                ioc.field_value(&format!("{}.D", pv_name(PVS - 1))).unwrap(),
                19.5,
                "{mode}"
            );
            assert_eq!(worker.stage(Stage::Readback, mode).values.unwrap(), values, "{mode}");
        }
    });
}

#[test]
fn a_pv_that_is_not_there_is_named() {
    at_once(&NATIVES, |approach| {
        let ioc = SoftIoc::builder().pvs(2).pv_access().start().unwrap();
        let mut worker = WorkerDriver::start(approach, ioc.client_environment());
        worker.job_of(vec![pv_name(0), "gauge:nowhere".to_owned(), pv_name(1)], 1.0);
        worker.stage(Stage::Context, Mode::Bulk);
        let failed = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
        let words = "1 of 3 PVs not connected after 1 s, first gauge:nowhere";
        assert!(failed.starts_with(words), "{approach}: {failed}");
    });
}

#[test]
fn a_frame_is_no_number() {
    at_once(&NATIVES, |approach| {
        let ioc = SoftIoc::builder().frames(WIDTH, HEIGHT).pv_access().start().unwrap();
        let mut worker = connected(approach, ioc.client_environment(), vec![FRAME_PV.to_owned()]);
        let failed = worker.run(&StageCommand::new(Stage::Get, Mode::Bulk)).unwrap_err();
        assert!(failed.contains("gauge:frame: "), "{approach}: {failed}");
    });
}

#[test]
fn every_update_arrives_once_and_in_order_at_each_of_several_monitors() {
    at_once(&NATIVES, |approach| {
        const PVS: usize = 20;
        const MONITORS: usize = 3;
        let mut ioc = scanned(SoftIoc::builder().pvs(PVS));
        let mut worker = connected(approach, ioc.client_environment(), scalars(PVS));
        subscribe_to_each(&mut worker, Content::Scalars, Mode::Bulk, MONITORS).unwrap();
        let subscriptions = ioc.command(&format!("dbel {} 3", pv_name(7))).unwrap();
        // QSRV makes two of each monitor: for values and for properties.
        let count = subscriptions.matches(" { VALUE ALARM }").count();
        assert_eq!(count, MONITORS, "{subscriptions}");
        let updates = collect_while_scanning(&mut worker, &mut ioc);
        let processed = ioc.processed().unwrap();
        assert!(processed.iter().all(|count| *count > 10), "{processed:?} updates prove nothing");
        for (index, scans) in processed.iter().enumerate() {
            let produced = ioc.field_value(&pv_name(index)).unwrap();
            for monitor in 0..MONITORS {
                let runs = runs_of(&updates, index, monitor);
                assert_eq!(runs.len(), 1, "{index}, monitor {monitor}: {runs:?}");
                assert_eq!(runs[0].first, index as f64, "the value at subscription");
                assert_eq!(runs[0].count, scans + 1, "{index}, monitor {monitor}");
                assert_eq!(last(runs[0], PROCESSED_FACTOR), produced, "{index}, monitor {monitor}");
            }
        }
        let all: u64 = processed.iter().map(|count| count * MONITORS as u64).sum();
        assert_latencies(&updates, all);
        if *approach == "pvxs" {
            assert_eq!(updates.counters.get("nCliSquash"), Some(&0));
            assert_eq!(updates.counters.get("nSrvSquash"), Some(&0));
        }
    });
}

#[test]
fn the_sums_of_frames_are_those_of_the_generator_over_pv_access() {
    at_once(&NATIVES, |approach| {
        let pixels = (WIDTH * HEIGHT) as usize;
        let mut ioc = scanned(SoftIoc::builder().frames(WIDTH, HEIGHT));
        let mut worker = connected(approach, ioc.client_environment(), vec![FRAME_PV.to_owned()]);
        subscribe_to_each(&mut worker, Content::Frames, Mode::Bulk, 1).unwrap();
        let updates = collect_while_scanning(&mut worker, &mut ioc);
        let made = ioc.frame_count().unwrap();
        assert!(made > 10, "{made} frames prove nothing");
        let runs = runs_of(&updates, 0, 0);
        assert_eq!(runs[0].first, 0.0, "the frame at subscription");
        assert_eq!(last(runs[runs.len() - 1], 1.0), made as f64);
        let mut received = 0;
        for run in &runs {
            assert_eq!(run.sums.len() as u64, run.count);
            for (offset, sum) in run.sums.iter().enumerate() {
                let number = run.first as u32 + offset as u32;
                assert_eq!(*sum, frame::sum(number, pixels), "frame {number}");
            }
            received += run.count;
        }
        assert_eq!(received, made + 1, "{runs:?}");
    });
}

#[test]
fn pvs_can_be_subscribed_to_one_after_the_other_over_pv_access() {
    at_once(&NATIVES, |approach| {
        let ioc = SoftIoc::builder().pvs(20).pv_access().start().unwrap();
        let mut worker = connected(approach, ioc.client_environment(), scalars(20));
        subscribe_to_each(&mut worker, Content::Scalars, Mode::Serial, 1).unwrap();
        let updates = collect(&mut worker, Duration::from_millis(10));
        let first: Vec<_> = updates.runs.iter().map(|run| (run.pv, run.first, run.count)).collect();
        let expected: Vec<_> = (0..20).map(|index| (index, index as f64, 1)).collect();
        assert_eq!(first, expected);
        assert_eq!(updates.latencies, [], "they came before `collect`");
        let again = subscribe_to_each(&mut worker, Content::Scalars, Mode::Bulk, 1).unwrap_err();
        assert_eq!(again, "this job has its subscriptions already");
    });
}

#[test]
fn updates_come_again_over_pv_access_when_the_ioc_does() {
    at_once(&NATIVES, |approach| {
        const PVS: usize = 10;
        const SECOND_NS: u64 = 1_000_000_000;
        let mut ioc = scanned(SoftIoc::builder().pvs(PVS));
        let mut worker = connected(approach, ioc.client_environment(), scalars(PVS));
        subscribe_to_each(&mut worker, Content::Scalars, Mode::Bulk, 1).unwrap();
        // pvxs looks for its lost channels after 10 s only.
        begin_collecting(&worker, Duration::from_secs(20));
        ioc.start_scanning(10.0).unwrap();
        std::thread::sleep(Duration::from_millis(500));
        ioc.crash();
        std::thread::sleep(Duration::from_secs(1));
        ioc.restart(None).unwrap();
        ioc.start_scanning(10.0).unwrap();
        let updates = worker.finish().unwrap().updates.unwrap();
        for index in 0..PVS {
            let runs = runs_of(&updates, index, 0);
            assert!(runs[0].count > 2, "{index}: {runs:?}");
            // Between the two IOCs was more than a second.
            let again = runs.iter().find(|run| run.start_ns > runs[0].start_ns + SECOND_NS);
            assert!(again.is_some_and(|run| run.count > 2), "{index}: {runs:?}");
        }
    });
}

/// A client that reads nothing fills the sockets and then the queue of its monitor, where
/// pvxs puts new frames over old ones and shows no count of them.
#[test]
fn frames_that_a_stopped_client_missed_were_not_sent_by_the_servers_report() {
    const RATE_HZ: f64 = 60.0;
    let frames = SoftIoc::builder().frames(WIDTH, HEIGHT).pv_access();
    let mut ioc = frames.may_scan_at(RATE_HZ).start().unwrap();
    let mut worker = connected("wire-pva", ioc.client_environment(), vec![FRAME_PV.to_owned()]);
    subscribe_to_each(&mut worker, Content::Frames, Mode::Bulk, 1).unwrap();
    let before = ioc.counted().unwrap();
    begin_collecting(&worker, Duration::from_secs(5));
    ioc.start_scanning(RATE_HZ).unwrap();
    worker.stopped_for(Duration::from_secs(2));
    ioc.stop_scanning().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let sent_bytes = ioc.counted().unwrap().since(&before).sent_bytes.unwrap();
    let updates = worker.finish().unwrap().updates.unwrap();
    // The frame at subscription was sent before.
    let received = runs_of(&updates, 0, 0).iter().map(|run| run.count).sum::<u64>() - 1;
    let made = ioc.frame_count().unwrap();
    assert!(received < made, "all {made} frames arrived: nothing was replaced");
    let size = Some(Pixels { width: WIDTH, height: HEIGHT });
    let least_bytes = received * least_update_bytes(Protocol::Pva, size);
    assert_eq!(sent_bytes, BTreeMap::from([(FRAME_PV.to_owned(), least_bytes)]));
}

/// What the kernel counted of the client is the least, to the byte, and what the server did
/// not send is no loss of the client.
#[test]
fn bytes_over_the_least_and_merged_updates_are_figures_over_pv_access() {
    let ran = Gauge::run(
        "scalars --server softioc-pva --approach pvxs --pvs 5 --rate 10 --seconds 2 --blocks 1",
    );
    let ran = ran.finish();
    let records = ran.records();
    assert_eq!(records.len(), 2, "{}", ran.stderr);
    for record in records {
        let monitored = record.monitored.unwrap();
        let network = monitored.network.unwrap();
        assert_eq!(network.least_bytes, Some(41 * (monitored.received - 5)), "{}", record.approach);
        assert_eq!(Some(network.received_bytes), network.least_bytes, "{}", record.approach);
        let counted = monitored.server_counters;
        let both = (counted.subscriptions, counted.merged_updates);
        assert_eq!(both, (Some(5), Some(0)), "{}", record.approach);
    }
    let report = fs::read_to_string(ran.out.path().join("run/report.json")).unwrap();
    assert!(report.contains("scalars::pvxs::softioc_pva::n5_10hz::bytes_over_least"), "{report}");
}

#[test]
fn the_worker_reports_which_pvxs_it_has() {
    let ioc = SoftIoc::builder().pvs(1).pv_access().start().unwrap();
    let printed = assert_cmd::Command::new(crate::support::program())
        .args(["worker", "pvxs"])
        .envs(ioc.client_environment())
        .output()
        .unwrap();
    let hello = String::from_utf8(printed.stdout).unwrap();
    let pinned = epics_gauge::PV_ACCESS.unwrap().split(' ').next().unwrap();
    assert!(hello.contains(&format!("\"pvxs\":\"PVXS {pinned}")), "{hello}");
}

/// A server that holds back its answers, because they come faster than they are read, must
/// not be flooded with subscriptions.
#[test]
fn the_floor_subscribes_to_more_pvs_than_a_servers_buffer_has_answers_for() {
    const PVS: usize = 25_000;
    let ioc = SoftIoc::builder().pv_access().pvs(PVS).start().unwrap();
    let mut worker = connected("wire-pva", ioc.client_environment(), scalars(PVS));
    subscribe_to_each(&mut worker, Content::Scalars, Mode::Bulk, 1).unwrap();
    let updates = collect(&mut worker, Duration::from_millis(10));
    assert_eq!(updates.runs.len(), PVS);
}

fn scanned(builder: Builder) -> SoftIoc {
    builder.pv_access().may_scan_at(10.0).start().unwrap()
}

fn scalars(pvs: usize) -> Vec<String> {
    (0..pvs).map(pv_name).collect()
}

/// Scans for 1.5 of the 3 seconds that the worker collects.
fn collect_while_scanning(worker: &mut WorkerDriver, ioc: &mut SoftIoc) -> Updates {
    begin_collecting(worker, Duration::from_secs(3));
    std::thread::sleep(Duration::from_millis(300));
    ioc.start_scanning(10.0).unwrap();
    std::thread::sleep(Duration::from_millis(1500));
    ioc.stop_scanning().unwrap();
    worker.finish().unwrap().updates.unwrap()
}

fn runs_of(updates: &Updates, pv: usize, monitor: usize) -> Vec<&UpdateRun> {
    updates.runs.iter().filter(|run| (run.pv, run.monitor) == (pv, monitor)).collect()
}

fn last(run: &UpdateRun, step: f64) -> f64 {
    run.first + (run.count - 1) as f64 * step
}

/// Each update has one, and none is from another clock or epoch.
#[track_caller]
fn assert_latencies(updates: &Updates, count: u64) {
    let counted: u64 = updates.latencies.iter().map(|(_, count)| count).sum();
    assert_eq!(counted, count);
    let plausible = -1_000_000..5_000_000_000;
    for (latency_ns, _) in &updates.latencies {
        assert!(plausible.contains(latency_ns), "{latency_ns} ns");
    }
}
