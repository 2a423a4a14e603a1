//! A worker's whole life by protocol 5, for each approach of the catalogue: it connects,
//! subscribes, reads while it collects, disconnects, connects again and closes.

use std::thread::sleep;
use std::time::{Duration, Instant};

use epics_gauge::approach::{Approach, Catalogue};
use epics_gauge::ioc::{Builder, SoftIoc};
use epics_gauge::protocol::Protocol;
use epics_gauge::scenario::{PROCESSED_FACTOR, pv_name};
use epics_gauge::worker_protocol::{
    Content, Done, Gets, Hello, Mode, Monitor, Reported, Stage, StageCommand,
};

use crate::support::{WorkerDriver, at_once};

const PVS: usize = 20;

/// Libraries that keep channels when a program has done with them, and why. They are held
/// to it: one that drops them leaves this list.
const KEEPS_CHANNELS: [(&str, &str); 3] = [
    ("cothread", "no call drops a channel: `catools` purges its cache at exit only"),
    ("repics-pva", "`pva.Context` has no call that drops a channel"),
    ("spvirit", "its pool of connections keeps the channels of gets"),
];

/// Libraries that report no connections, and why.
const REPORTS_NO_STATES: [(&str, &str); 3] = [
    ("epics-ca", "a channel has no way to wait for its end, and a subscription borrows it"),
    ("pvapy", "`setConnectionCallback` blocks for 0.1 s at each PV"),
    ("spvirit", "it has no channels, and no call that reports on connections"),
];

/// How long a server may take to notice that channels are gone.
const NOTICING: Duration = Duration::from_secs(5);

/// 20 callbacks of 20 ms take 0.4 s on an idle machine.
const COLLECTING_S: f64 = 3.0;

/// How long each stage may take.
const JOB_TIMEOUT_S: f64 = 30.0;

/// Many processes on few cores: several approaches at a time.
const AT_A_TIME: usize = 6;

fn is_in(list: &[(&str, &str)], approach: &str) -> bool {
    list.iter().any(|(name, _)| *name == approach)
}

/// The approaches that this build has.
fn approaches() -> Vec<Approach> {
    let has_pva = cfg!(feature = "pvaccess");
    let all = Catalogue::built_in().all().to_vec();
    all.into_iter().filter(|approach| has_pva || approach.protocol == Protocol::Ca).collect()
}

/// A worker with its context, to be given a job.
fn started(approach: &Approach, ioc: &SoftIoc, pvs: Vec<String>) -> WorkerDriver {
    let mut worker = WorkerDriver::start(&approach.name, ioc.client_environment());
    worker.job_of(pvs, JOB_TIMEOUT_S);
    if worker.hello.stages.contains(&Stage::Context) {
        worker.stage(Stage::Context, Mode::Bulk);
    }
    worker
}

fn scalars() -> Vec<String> {
    (0..PVS).map(pv_name).collect()
}

fn ioc_for(approach: &Approach) -> SoftIoc {
    let builder = SoftIoc::builder().pvs(PVS).may_scan_at(10.0);
    let with_protocol: fn(Builder) -> Builder = match approach.protocol {
        Protocol::Ca => |builder| builder,
        Protocol::Pva => Builder::pv_access,
    };
    with_protocol(builder).start().unwrap()
}

fn channels(ioc: &mut SoftIoc, approach: &Approach) -> usize {
    match approach.protocol {
        Protocol::Ca => ioc.channels().unwrap(),
        Protocol::Pva => ioc.pv_access_channels().unwrap(),
    }
}

fn connect(worker: &mut WorkerDriver) {
    if worker.hello.stages.contains(&Stage::Create) {
        worker.stage(Stage::Create, Mode::Bulk);
    }
    worker.stage(Stage::Connect, Mode::Bulk);
}

/// p4p's client for threads loses a monitor whose first update comes before `monitor()`
/// returns (its manifest has the line), which a busy machine makes likely: it has more tries.
fn unless_monitors_are_lost(approach: &Approach, check: impl Fn() -> Result<(), String>) {
    let tries = if approach.name == "p4p" { 3 } else { 1 };
    let outcomes = (0..tries).map(|_| check());
    let lost: Vec<String> = outcomes.map_while(Result::err).collect();
    assert!(lost.len() < tries, "{}: {lost:?}", approach.name);
}

fn subscribe(worker: &mut WorkerDriver, callback_s: Option<f64>) -> Result<(), String> {
    let monitor = Monitor {
        content: Content::Scalars,
        step: PROCESSED_FACTOR,
        room: 1000,
        monitors: 1,
        callback_s,
        frames: 0,
        may_be_silent: false,
    };
    let subscribe =
        StageCommand { monitor: Some(monitor), ..StageCommand::new(Stage::Subscribe, Mode::Bulk) };
    worker.run(&subscribe).map(drop)
}

/// Collects for a second and reads three PVs in turn meanwhile.
fn collect(worker: &mut WorkerDriver) -> Done {
    let gets = Gets { pvs: vec![0, 7, PVS - 1], every_s: 0.1, timeout_s: 0.9 };
    let collect = StageCommand {
        seconds: Some(1.0),
        gets: Some(gets),
        ..StageCommand::new(Stage::Collect, Mode::Bulk)
    };
    worker.run(&collect).unwrap()
}

/// Gets in turn, each with a value that its PV may have.
fn check_gets(done: &Done, name: &str) {
    assert!(done.gets.len() >= 2, "{name}: {:?}", done.gets);
    for (position, get) in done.gets.iter().enumerate() {
        assert_eq!(get.pv, [0, 7, PVS - 1][position % 3], "{name}: {get:?}");
        let value = get.value.unwrap_or_else(|| panic!("{name}: {get:?}"));
        assert_eq!(value % PROCESSED_FACTOR, get.pv as f64, "{name}: {get:?}");
        assert!(done.start_ns <= get.start_ns && get.start_ns <= get.end_ns, "{name}");
        assert!(get.end_ns <= done.end_ns, "{name}: {get:?}");
    }
    let starts = done.gets.iter().map(|get| get.start_ns);
    assert!(starts.is_sorted(), "{name}: {:?}", done.gets);
}

fn disconnect(worker: &mut WorkerDriver, ioc: &mut SoftIoc, approach: &Approach) {
    worker.stage(Stage::Disconnect, Mode::Bulk);
    let name = &approach.name;
    let keeps_channels = is_in(&KEEPS_CHANNELS, name);
    let begun = Instant::now();
    loop {
        let left = (channels(ioc, approach), ioc.counters().unwrap().subscriptions);
        let is_as_expected =
            if keeps_channels { left.0 > 0 && left.1 == 0 } else { left == (0, 0) };
        if is_as_expected {
            return;
        }
        assert!(begun.elapsed() < NOTICING, "{name}: {left:?} channels and subscriptions left");
        sleep(Duration::from_millis(50));
    }
}

#[test]
fn every_approach_disconnects_connects_again_and_closes() {
    for some in approaches().chunks(AT_A_TIME) {
        at_once(some, |approach| {
            unless_monitors_are_lost(approach, || disconnects_connects_again_and_closes(approach));
        });
    }
}

fn check_hello(hello: &Hello, name: &str) {
    assert!(
        hello.stages.contains(&Stage::Disconnect) && hello.stages.contains(&Stage::Close),
        "{name}"
    );
    assert!(hello.reports.contains(&Reported::Gets), "{name}");
    let reports_states = hello.reports.contains(&Reported::States);
    assert_eq!(reports_states, !is_in(&REPORTS_NO_STATES, name), "{name}");
}

/// An error when it cannot subscribe.
fn disconnects_connects_again_and_closes(approach: &Approach) -> Result<(), String> {
    let name = &approach.name;
    let mut ioc = ioc_for(approach);
    let mut worker = started(approach, &ioc, scalars());
    check_hello(&worker.hello, name);
    for _ in 0..2 {
        connect(&mut worker);
        // Some libraries miss the first update of a PV that stands still.
        ioc.start_scanning(10.0).unwrap();
        subscribe(&mut worker, None)?;
        assert!(channels(&mut ioc, approach) >= PVS, "{name}: not by the server's count");
        let done = collect(&mut worker);
        ioc.stop_scanning().unwrap();
        check_gets(&done, name);
        let updates: u64 = done.updates.unwrap().runs.iter().map(|run| run.count).sum();
        assert!(updates >= 2 * PVS as u64, "{name}: {updates} updates");
        disconnect(&mut worker, &mut ioc, approach);
    }
    connect(&mut worker);
    let expected: Vec<f64> = (0..PVS).map(|pv| ioc.field_value(&pv_name(pv)).unwrap()).collect();
    assert_eq!(worker.stage(Stage::Get, Mode::Bulk).values.unwrap(), expected, "{name}");
    worker.stage(Stage::Close, Mode::Bulk);
    assert!(worker.ended().success(), "{name}");
    Ok(())
}

#[test]
fn what_does_not_wait_for_the_server_is_written_in_the_end() {
    for some in approaches().chunks(AT_A_TIME) {
        at_once(some, |approach| {
            let name = &approach.name;
            let ioc = ioc_for(approach);
            // Nothing changes field D of a record but a put.
            let fields = (0..PVS).map(|pv| format!("{}.D", pv_name(pv))).collect();
            let mut worker = started(approach, &ioc, fields);
            if !worker.hello.stages.contains(&Stage::PutUnconfirmed) {
                // A put of pvAccess is answered, and the library waits for that.
                let is_known = approach.protocol == Protocol::Pva || name == "epics-ca";
                assert!(is_known, "{name} has no put that does not wait");
                return;
            }
            connect(&mut worker);
            let values: Vec<f64> = (0..PVS).map(|pv| pv as f64 + 0.5).collect();
            let put = StageCommand {
                values: Some(values.clone()),
                ..StageCommand::new(Stage::PutUnconfirmed, Mode::Bulk)
            };
            worker.run(&put).unwrap();
            // What was read after it was written before.
            assert_eq!(worker.stage(Stage::Get, Mode::Serial).values.unwrap(), values, "{name}");
        });
    }
}

/// The system closes the circuits of an IOC that dies, so that its clients can know at once.
#[test]
fn every_approach_that_reports_states_reports_a_dead_ioc() {
    for some in approaches().chunks(AT_A_TIME) {
        at_once(some, |approach| {
            unless_monitors_are_lost(approach, || reports_a_dead_ioc(approach));
        });
    }
}

/// An error when it cannot subscribe.
fn reports_a_dead_ioc(approach: &Approach) -> Result<(), String> {
    let name = &approach.name;
    let mut ioc = ioc_for(approach);
    let mut worker = started(approach, &ioc, scalars());
    if !worker.hello.reports.contains(&Reported::States) {
        return Ok(());
    }
    connect(&mut worker);
    subscribe(&mut worker, None)?;
    worker.begin(&StageCommand {
        seconds: Some(4.0),
        ..StageCommand::new(Stage::Collect, Mode::Bulk)
    });
    sleep(Duration::from_millis(500));
    let died_ns = epics_gauge::process::monotonic_ns();
    ioc.restart(None).unwrap();
    let states = worker.finish()?.updates.unwrap().states;
    for pv in 0..PVS {
        let of_pv: Vec<_> = states.iter().filter(|state| state.pv == pv).collect();
        let lost = of_pv.iter().find(|state| !state.connected);
        let lost = lost.unwrap_or_else(|| panic!("{name}: {pv} lost nothing: {states:?}"));
        assert!(lost.at_ns >= died_ns, "{name}: {states:?}");
    }
    Ok(())
}

/// 20 callbacks of 20 ms take 0.4 s, one after the other or at the same time.
#[test]
fn a_callback_takes_as_long_as_it_should() {
    for some in approaches().chunks(AT_A_TIME) {
        at_once(some, |approach| {
            if approach.capabilities.first_updates {
                unless_monitors_are_lost(approach, || calls_back_slowly(approach));
            }
        });
    }
}

/// An error when it cannot subscribe.
fn calls_back_slowly(approach: &Approach) -> Result<(), String> {
    let name = &approach.name;
    let mut ioc = ioc_for(approach);
    let mut worker = started(approach, &ioc, scalars());
    connect(&mut worker);
    subscribe(&mut worker, Some(0.02))?;
    ioc.tick().unwrap();
    let collect = StageCommand {
        seconds: Some(COLLECTING_S),
        ..StageCommand::new(Stage::Collect, Mode::Bulk)
    };
    let runs = worker.run(&collect)?.updates.unwrap().runs;
    let mut starts_ns: Vec<u64> = runs.iter().map(|run| run.start_ns).collect();
    assert_eq!(runs.iter().map(|run| run.count).sum::<u64>(), 2 * PVS as u64, "{name}");
    starts_ns.sort_unstable();
    let spread_ns = starts_ns[PVS - 1] - starts_ns[0];
    // Of first updates. Libraries with several threads call back on each of them.
    assert!(spread_ns > 50_000_000, "{name}: {spread_ns} ns");
    Ok(())
}

/// Of 20 PVs, by approaches that follow their protocol's own library in when they give up
/// a silent server, with shorter times than usual: libca asks after 1 s and waits for 5 s,
/// pvxs gives up after 4/3 of 3 s.
#[test]
fn a_server_that_hangs_is_given_up_when_the_protocols_own_library_does_it() {
    const LATER: Duration = Duration::from_secs(2);
    let conn_tmo = [("EPICS_CA_CONN_TMO", "1"), ("EPICS_PVA_CONN_TMO", "3")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let given_up = |approach: &Approach| match approach.protocol {
        Protocol::Ca => Duration::from_secs(1 + 5),
        Protocol::Pva => Duration::from_secs(4),
    };
    let own = ["wire", "libca", "wire-pva", "wire-pva-pipeline", "pvxs"];
    let mut meant = approaches();
    meant.retain(|approach| own.contains(&approach.name.as_str()));
    at_once(&meant, |approach| {
        let name = &approach.name;
        let mut ioc = ioc_for(approach);
        let environment = [ioc.client_environment(), conn_tmo.to_vec()].concat();
        let mut worker = WorkerDriver::start(name, environment);
        worker.job(PVS);
        worker.stage(Stage::Context, Mode::Bulk);
        connect(&mut worker);
        subscribe(&mut worker, None).unwrap();
        ioc.start_scanning(10.0).unwrap();
        worker.begin(&StageCommand {
            seconds: Some(30.0),
            gets: Some(Gets { pvs: vec![0], every_s: 0.5, timeout_s: 0.3 }),
            ..StageCommand::new(Stage::Collect, Mode::Bulk)
        });
        sleep(Duration::from_secs(1));
        let hung_ns = epics_gauge::process::monotonic_ns();
        ioc.pause();
        sleep(given_up(approach) + LATER);
        let back_ns = epics_gauge::process::monotonic_ns();
        ioc.resume();
        let done = worker.finish().unwrap();
        let states = done.updates.unwrap().states;
        let given_up_ns = given_up(approach).as_nanos() as u64;
        for pv in 0..PVS {
            let of_pv: Vec<_> = states.iter().filter(|state| state.pv == pv).collect();
            let [lost, back] = of_pv[..] else { panic!("{name}: {of_pv:?}") };
            assert!(!lost.connected && back.connected, "{name}: {of_pv:?}");
            let after_ns = lost.at_ns - hung_ns;
            // The last message came up to 0.1 s before.
            let is_due = after_ns + 200_000_000 >= given_up_ns && lost.at_ns < back_ns;
            assert!(is_due, "{name}: after {after_ns} ns");
            assert!(back.at_ns > back_ns, "{name}: {of_pv:?}");
        }
        for get in &done.gets {
            // Neither waits for more than its own time nor for a server that is away.
            let took_ns = get.end_ns - get.start_ns;
            assert!(took_ns < 800_000_000, "{name}: {get:?}");
            // It takes a moment until the process stands still.
            let is_away = get.start_ns > hung_ns + 100_000_000 && get.end_ns < back_ns;
            assert!(!is_away || get.error.is_some(), "{name}: {get:?}");
        }
        assert!(
            done.gets.iter().any(|get| get.start_ns > back_ns && get.error.is_none()),
            "{name}"
        );
    });
}

/// libca waits for 30 s until a server that hangs has closed its circuits.
#[test]
fn a_worker_that_hangs_at_close_ends_with_its_stdin() {
    const CLOSING: Duration = Duration::from_secs(2);
    let mut meant = approaches();
    meant.retain(|approach| ["libca", "aioca"].contains(&approach.name.as_str()));
    at_once(&meant, |approach| {
        let ioc = ioc_for(approach);
        let mut worker = started(approach, &ioc, scalars());
        connect(&mut worker);
        ioc.pause();
        worker.begin(&StageCommand::new(Stage::Close, Mode::Bulk));
        sleep(CLOSING);
        let begun = Instant::now();
        worker.end_stdin();
        assert!(worker.ended().success(), "{}", approach.name);
        assert!(begun.elapsed() < CLOSING, "{}: {:?}", approach.name, begun.elapsed());
        ioc.resume();
    });
}
