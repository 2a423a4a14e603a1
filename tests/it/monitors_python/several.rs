//! Several subscriptions to each PV of a real IOC, by every Python approach over
//! Channel Access.

use std::thread::sleep;
use std::time::Duration;

use epics_gauge::approach::{Catalogue, Kind};
use epics_gauge::ioc::SoftIoc;
use epics_gauge::protocol::Protocol;
use epics_gauge::scenario::{FRAME_PV, PROCESSED_FACTOR, pv_name};
use epics_gauge::worker_protocol::{
    Content, Done, Mode, Monitor, Stage, StageCommand, UpdateRun, Updates,
};

use crate::support::{WorkerDriver, approaches_where, at_once};

/// How many subscriptions to each PV a test asks for.
pub(crate) const MONITORS: usize = 3;

/// The Python approaches over a protocol.
pub(crate) fn python_over(protocol: Protocol) -> Vec<String> {
    approaches_where(|approach| approach.kind == Kind::Python && approach.protocol == protocol)
}

#[test]
fn every_one_of_several_subscriptions_to_a_pv_gets_every_update() {
    const PVS: usize = 20;
    at_once(&python_over(Protocol::Ca), |approach| {
        let approach = approach.as_str();
        let of = Catalogue::built_in().get(approach).unwrap().capabilities;
        let is_one_of_the_servers = of.own_subscriptions;
        for mode in [Mode::Bulk, Mode::Serial] {
            let mut ioc = SoftIoc::builder().pvs(PVS).may_scan_at(10.0).start().unwrap();
            let pvs = (0..PVS).map(pv_name).collect();
            let (mut worker, done) = subscribed(approach, &ioc, pvs, Content::Scalars, mode);
            let updates = collected(&mut worker, &mut ioc);
            let per_pv = if is_one_of_the_servers { MONITORS } else { 1 };
            let counters = ioc.counters().unwrap();
            assert_eq!(counters.subscriptions, (per_pv * PVS) as u64, "{approach}");
            let shares = done.warnings.iter().any(|warning| warning.contains("share one"));
            assert_eq!(shares, !is_one_of_the_servers, "{approach}: {:?}", done.warnings);
            let made = ioc.processed().unwrap();
            assert!(made[0] > 10, "{made:?} prove nothing");
            for (pv, made) in made.iter().enumerate() {
                every_subscription_has(&updates, pv, pv as f64, made + 1, approach);
            }
        }
    });
}

#[test]
fn every_one_of_several_subscriptions_to_frames_gets_every_frame() {
    at_once(&python_over(Protocol::Ca), |approach| {
        let approach = approach.as_str();
        let mut ioc = SoftIoc::builder().frames(64, 32).may_scan_at(10.0).start().unwrap();
        let pvs = vec![FRAME_PV.to_owned()];
        let (mut worker, _) = subscribed(approach, &ioc, pvs, Content::Frames, Mode::Bulk);
        let updates = collected(&mut worker, &mut ioc);
        let made = ioc.frame_count().unwrap();
        assert!(made > 10, "{made} frames prove nothing");
        every_subscription_has(&updates, 0, 0.0, made + 1, approach);
        let sums = updates.runs.iter().map(|run| run.sums.len() as u64).sum::<u64>();
        assert_eq!(sums, (made + 1) * MONITORS as u64, "{approach}");
    });
}

#[test]
fn a_subscription_that_stays_silent_is_reported_as_that() {
    let ioc = SoftIoc::builder().pvs(2).start().unwrap();
    let mut worker = WorkerDriver::start("aioca", ioc.client_environment());
    worker.job_of(vec![pv_name(0), "gauge:nowhere".to_owned(), pv_name(1)], 2.0);
    worker.stage(Stage::Context, Mode::Bulk);
    let error = worker.run(&subscribe(Content::Scalars, Mode::Bulk)).unwrap_err();
    assert_eq!(error, "1 of 3 PVs not subscribed after 2 s, first gauge:nowhere");
}

fn subscribed(
    approach: &str,
    ioc: &SoftIoc,
    pvs: Vec<String>,
    content: Content,
    mode: Mode,
) -> (WorkerDriver, Done) {
    let mut worker = connected(approach, ioc, pvs, mode);
    let done = worker.run(&subscribe(content, mode)).unwrap();
    (worker, done)
}

pub(crate) fn connected(
    approach: &str,
    ioc: &SoftIoc,
    pvs: Vec<String>,
    mode: Mode,
) -> WorkerDriver {
    let mut worker = WorkerDriver::start(approach, ioc.client_environment());
    worker.job_of(pvs, 60.0);
    worker.stage(Stage::Context, mode);
    worker.stage(Stage::Connect, mode);
    worker
}

pub(crate) fn subscribe(content: Content, mode: Mode) -> StageCommand {
    let step = if content == Content::Scalars { PROCESSED_FACTOR } else { 1.0 };
    let monitor = Some(Monitor {
        content,
        step,
        room: 10_000,
        monitors: MONITORS,
        callback_s: None,
        frames: 0,
        may_be_silent: false,
    });
    StageCommand { monitor, ..StageCommand::new(Stage::Subscribe, mode) }
}

pub(crate) fn begin_collecting(worker: &WorkerDriver, seconds: f64) {
    let seconds = Some(seconds);
    worker.begin(&StageCommand { seconds, ..StageCommand::new(Stage::Collect, Mode::Bulk) });
}

/// Scans for 1.5 of the 3 seconds that the worker collects.
pub(crate) fn collected(worker: &mut WorkerDriver, ioc: &mut SoftIoc) -> Updates {
    begin_collecting(worker, 3.0);
    sleep(Duration::from_millis(200));
    ioc.start_scanning(10.0).unwrap();
    sleep(Duration::from_millis(1500));
    ioc.stop_scanning().unwrap();
    worker.finish().unwrap().updates.unwrap()
}

/// Each has one run from the first value on.
#[track_caller]
pub(crate) fn every_subscription_has(
    updates: &Updates,
    pv: usize,
    first: f64,
    count: u64,
    approach: &str,
) {
    for monitor in 0..MONITORS {
        let runs = of_subscription(updates, pv, monitor);
        let runs: Vec<(f64, u64)> = runs.map(|run| (run.first, run.count)).collect();
        assert_eq!(runs, [(first, count)], "{approach}: subscription {monitor} of PV {pv}");
    }
}

pub(crate) fn of_subscription(
    updates: &Updates,
    pv: usize,
    monitor: usize,
) -> impl Iterator<Item = &UpdateRun> {
    updates.runs.iter().filter(move |run| (run.pv, run.monitor) == (pv, monitor))
}
