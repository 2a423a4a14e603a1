//! The pure Rust stack: its server tells the truth to clients of every kind, and its
//! clients report every update that there was.

use std::thread::sleep;
use std::time::Duration;

use epics_gauge::frame;
use epics_gauge::ioc::{IocError, Server, Servers, SoftIoc, Wanted};
use epics_gauge::python_site::Missing;
use epics_gauge::scenario::{FRAME_PV, PROCESSED_FACTOR, pv_name};
use epics_gauge::worker_protocol::{Content, Mode, Monitor, Stage, StageCommand, Updates};

use crate::support::{WorkerDriver, program};

const PVS: usize = 20;
const SERVER: &str = "epics-base-rs";

fn server(wanted: &Wanted) -> Result<Box<dyn Server>, IocError> {
    let no_python = Err(Missing("no Python was asked for".to_owned()));
    Servers::built_in(no_python).with_program(&program()).start(SERVER, wanted)
}

/// The server, and an IOC of EPICS Base over each protocol: with the approaches that
/// are to get everything from them.
fn pairs() -> Vec<(Box<dyn Server>, &'static str)> {
    let base = || SoftIoc::builder().pvs(PVS).may_scan_at(10.0);
    let wanted = Wanted { pvs: PVS, rate_hz: Some(10.0), ..Wanted::default() };
    let mut pairs: Vec<(Box<dyn Server>, &'static str)> = vec![
        (server(&wanted).unwrap(), "wire"),
        (server(&wanted).unwrap(), "libca"),
        (server(&wanted).unwrap(), "epics-ca-rs"),
        (Box::new(base().start().unwrap()), "epics-ca-rs"),
    ];
    if cfg!(feature = "pvaccess") {
        pairs.push((Box::new(base().pv_access().start().unwrap()), "epics-pva-rs"));
    }
    pairs
}

fn connected(approach: &str, server: &dyn Server, mode: Mode) -> WorkerDriver {
    connected_to(approach, server, mode, (0..PVS).map(pv_name).collect())
}

fn connected_to(approach: &str, server: &dyn Server, mode: Mode, pvs: Vec<String>) -> WorkerDriver {
    let mut worker = WorkerDriver::start(approach, server.client_environment());
    worker.job_of(pvs, 30.0);
    worker.stage(Stage::Context, mode);
    if mode == Mode::Bulk && approach != "epics-pva-rs" {
        worker.stage(Stage::Create, mode);
    }
    worker.stage(Stage::Connect, mode);
    worker
}

fn expected(server: &dyn Server) -> Vec<f64> {
    (0..PVS).map(|index| server.expected_value(index)).collect()
}

fn subscribe(content: Content, monitors: usize, mode: Mode) -> StageCommand {
    let step = if content == Content::Scalars { PROCESSED_FACTOR } else { 1.0 };
    let monitor = Some(Monitor { content, step, room: 10_000, monitors });
    StageCommand { monitor, ..StageCommand::new(Stage::Subscribe, mode) }
}

/// Scans for a second of the 2.5 that the worker collects.
fn collect_while_scanning(worker: &mut WorkerDriver, server: &mut dyn Server) -> Updates {
    let seconds = Some(2.5);
    worker.begin(&StageCommand { seconds, ..StageCommand::new(Stage::Collect, Mode::Bulk) });
    sleep(Duration::from_millis(200));
    server.start_scanning(10.0).unwrap();
    sleep(Duration::from_millis(1200));
    server.stop_scanning().unwrap();
    worker.finish().unwrap().updates.unwrap()
}

#[test]
fn values_are_read_fresh_and_written_in_either_mode() {
    for (mut server, approach) in pairs() {
        let server = server.as_mut();
        for mode in [Mode::Bulk, Mode::Serial] {
            let mut worker = connected(approach, server, mode);
            for stage in [Stage::Get, Stage::GetAgain] {
                server.tick().unwrap();
                let read = worker.stage(stage, mode).values.unwrap();
                assert_eq!(read, expected(server), "{approach}, {mode}, {stage}");
            }
            let last =
                StageCommand { pvs: Some(vec![7, 3]), ..StageCommand::new(Stage::Get, mode) };
            let some = worker.run(&last).unwrap().values.unwrap();
            assert_eq!(some, [server.expected_value(7), server.expected_value(3)], "{approach}");
        }
    }
}

#[test]
fn what_is_written_stays_until_the_next_update() {
    for (mut server, approach) in pairs() {
        let server = server.as_mut();
        // The calc records of the softIoc do not keep what is written to their value.
        let field = if server.versions().contains_key(SERVER) { "" } else { ".D" };
        for mode in [Mode::Bulk, Mode::Serial] {
            let pvs = (0..PVS).map(|index| format!("{}{field}", pv_name(index))).collect();
            let mut worker = connected_to(approach, server, mode, pvs);
            let written: Vec<f64> = (0..PVS).map(|index| -0.5 - index as f64).collect();
            let values = Some(written.clone());
            worker.run(&StageCommand { values, ..StageCommand::new(Stage::Put, mode) }).unwrap();
            let read = worker.stage(Stage::Readback, mode).values.unwrap();
            assert_eq!(read, written, "{approach}, {mode}");
            if field.is_empty() {
                assert_eq!(server.stored_value(3).unwrap(), -3.5);
                let made = server.processed().unwrap();
                server.tick().unwrap();
                assert_eq!(server.processed().unwrap()[3], made[3] + 1, "a put is no update");
                let read = worker.stage(Stage::GetAgain, mode).values.unwrap();
                assert_eq!(read, expected(server), "{approach}, {mode}");
            }
        }
    }
}

#[test]
fn every_update_arrives_once_and_in_order_at_each_of_several_monitors() {
    for ((mut server, approach), monitors) in pairs().into_iter().zip([1, 1, 2, 3, 2]) {
        let server = server.as_mut();
        let mut worker = connected(approach, server, Mode::Bulk);
        worker.run(&subscribe(Content::Scalars, monitors, Mode::Bulk)).unwrap();
        let subscriptions = server.counted().unwrap().subscriptions;
        assert!(subscriptions >= Some((PVS * monitors) as u64), "{approach}: {subscriptions:?}");
        let updates = collect_while_scanning(&mut worker, server);
        let made = server.processed().unwrap();
        assert!(made.iter().all(|count| (5..30).contains(count)), "{approach}: {made:?}");
        for (index, made) in made.iter().enumerate() {
            for monitor in 0..monitors {
                let of_this = |run: &&_| {
                    let run: &epics_gauge::worker_protocol::UpdateRun = run;
                    (run.pv, run.monitor) == (index, monitor)
                };
                let runs: Vec<_> = updates.runs.iter().filter(of_this).collect();
                let whose = format!("{approach}: gauge:{index}, monitor {monitor}");
                assert_eq!(runs.len(), 1, "{whose}, updated {made} times: {runs:?}");
                assert_eq!((runs[0].first, runs[0].count), (index as f64, made + 1), "{whose}");
            }
        }
        let counted: u64 = updates.latencies.iter().map(|(_, count)| count).sum();
        assert_eq!(counted, made.iter().sum::<u64>() * monitors as u64, "{approach}");
        for (latency_ns, _) in &updates.latencies {
            assert!((-1_000_000..5_000_000_000).contains(latency_ns), "{approach}: {latency_ns}");
        }
        assert!(updates.counters.values().all(|lost| *lost == 0), "{approach}: {updates:?}");
        assert_eq!(server.counted().unwrap().merged_updates.unwrap_or(0), 0, "{approach}");
    }
}

#[test]
fn the_sums_of_frames_are_those_of_the_generator() {
    const WIDTH: u32 = 64;
    const HEIGHT: u32 = 48;
    for approach in ["epics-ca-rs", "epics-pva-rs"] {
        let builder = SoftIoc::builder().frames(WIDTH, HEIGHT).may_scan_at(10.0);
        let mut ioc = match approach {
            "epics-ca-rs" => builder.start().unwrap(),
            _ if cfg!(feature = "pvaccess") => builder.pv_access().start().unwrap(),
            _ => continue,
        };
        let mut worker = connected_to(approach, &ioc, Mode::Bulk, vec![FRAME_PV.to_owned()]);
        worker.run(&subscribe(Content::Frames, 1, Mode::Serial)).unwrap();
        let updates = collect_while_scanning(&mut worker, &mut ioc);
        let made = ioc.frame_count().unwrap();
        assert!(made > 5, "{approach}: {made} frames prove nothing");
        let run = &updates.runs[0];
        assert_eq!((updates.runs.len(), run.count), (1, made + 1), "{approach}");
        for (number, sum) in run.sums.iter().enumerate() {
            let expected = frame::sum(number as u32, (WIDTH * HEIGHT) as usize);
            assert_eq!(*sum, expected, "{approach}: frame {number}");
        }
    }
}

#[test]
fn a_pv_that_is_not_there_is_named_by_both() {
    for approach in ["epics-ca-rs", "epics-pva-rs"] {
        let builder = SoftIoc::builder().pvs(2);
        let ioc = match approach {
            "epics-ca-rs" => builder.start().unwrap(),
            _ if cfg!(feature = "pvaccess") => builder.pv_access().start().unwrap(),
            _ => continue,
        };
        let mut worker = WorkerDriver::start(approach, ioc.client_environment());
        worker.job_of(vec![pv_name(0), "gauge:nowhere".to_owned(), pv_name(1)], 2.0);
        worker.stage(Stage::Context, Mode::Bulk);
        let failed = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
        assert!(failed.contains("gauge:nowhere"), "{failed}");
    }
}

#[test]
fn a_rate_may_be_begun_again_and_is_refused_while_it_lasts() {
    let mut server = server(&Wanted { pvs: PVS, ..Wanted::default() }).unwrap();
    server.start_scanning(20.0).unwrap();
    assert!(matches!(server.tick(), Err(IocError::InvalidRequest(_))));
    sleep(Duration::from_secs(1));
    server.stop_scanning().unwrap();
    let made = server.processed().unwrap();
    assert!(made.iter().all(|count| (5..=25).contains(count)), "{made:?}");
    sleep(Duration::from_millis(200));
    assert_eq!(server.processed().unwrap(), made, "it still makes updates");
    assert_eq!(server.stored_value(3).unwrap(), server.expected_value(3));
    server.start_scanning(10.0).unwrap();
    sleep(Duration::from_millis(500));
    server.stop_scanning().unwrap();
    server.stop_scanning().unwrap();
    assert!(server.processed().unwrap()[0] > made[0] + 1);
}

#[test]
fn it_comes_back_after_a_crash_without_a_pv() {
    let mut server = server(&Wanted { pvs: PVS, ..Wanted::default() }).unwrap();
    server.tick().unwrap();
    server.crash();
    server.restart(Some(2)).unwrap();
    assert_eq!(server.stored_value(1).unwrap(), 1.0);
    assert!(matches!(server.stored_value(2), Err(IocError::InvalidRequest(_))));
    server.tick().unwrap();
    assert_eq!(server.processed().unwrap()[1..4], [1, 0, 1]);
    let mut worker = WorkerDriver::start("epics-ca-rs", server.client_environment());
    worker.job_of(vec![pv_name(1), pv_name(2)], 2.0);
    worker.stage(Stage::Context, Mode::Bulk);
    let failed = worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk)).unwrap_err();
    assert_eq!(failed, "1 of 2 PVs not connected after 2 s, first gauge:2");
    server.stop();
}

#[test]
fn updates_come_again_when_the_server_does() {
    const SECOND_NS: u64 = 1_000_000_000;
    for (mut server, approach) in pairs().into_iter().skip(2) {
        let server = server.as_mut();
        let mut worker = connected(approach, server, Mode::Bulk);
        worker.run(&subscribe(Content::Scalars, 1, Mode::Bulk)).unwrap();
        let seconds = Some(20.0);
        worker.begin(&StageCommand { seconds, ..StageCommand::new(Stage::Collect, Mode::Bulk) });
        server.start_scanning(10.0).unwrap();
        sleep(Duration::from_millis(500));
        server.crash();
        sleep(Duration::from_secs(1));
        server.restart(None).unwrap();
        server.start_scanning(10.0).unwrap();
        let updates = worker.finish().unwrap().updates.unwrap();
        for index in 0..PVS {
            let runs: Vec<_> = updates.runs.iter().filter(|run| run.pv == index).collect();
            let again = runs.iter().find(|run| run.start_ns > runs[0].start_ns + SECOND_NS);
            assert!(again.is_some_and(|run| run.count > 2), "{approach}, {index}: {runs:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn it_listens_on_loopback_only() {
    let server = server(&Wanted { pvs: 1, ..Wanted::default() }).unwrap();
    let found = crate::isolation::sockets::sockets(server.pid());
    assert!(found.iter().any(|socket| socket.protocol == "tcp"), "{found:?}");
    for socket in &found {
        // Those that only send have ports that the system chose.
        let only_sends = socket.protocol.starts_with("udp") && socket.local.port() >= 32_768;
        assert!(socket.local.ip().is_loopback() || only_sends, "{socket:?}");
    }
}
