//! The servers in other languages: what clients see of them is what they count
//! themselves, and what goes wrong has a clear message.

mod faults;
mod files;
mod lives;

use std::thread::sleep;
use std::time::Duration;

use epics_gauge::ioc::{IocError, Server, ServerKind, Servers, Wanted};
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::{Missing, PythonSite};
use epics_gauge::scenario::PROCESSED_FACTOR;
use epics_gauge::worker_protocol::{Content, Mode, Monitor, Stage, StageCommand, Updates};

use crate::isolation::sockets::sockets;
use crate::support::{WorkerDriver, at_once};

const PVS: usize = 10;

/// Every server in Python, with approaches that are to get everything from it.
fn pairs() -> Vec<(String, Vec<&'static str>)> {
    let of = |protocol: &Protocol| match protocol {
        Protocol::Ca => &["wire", "aioca", "caproto"][..],
        Protocol::Pva => &["p4p"],
    };
    let servers = servers();
    let python = servers.all().iter().filter(|kind| kind.needs_python_site && !kind.is_gateway);
    python
        .map(|kind| (kind.name.clone(), kind.protocols.iter().flat_map(of).copied().collect()))
        .collect()
}

/// The servers in Python.
fn python_servers() -> impl Iterator<Item = String> {
    pairs().into_iter().map(|(server, _)| server)
}

fn servers() -> Servers {
    Servers::built_in(PythonSite::install(|_| ()))
}

fn start(name: &str) -> Box<dyn Server> {
    let wanted = Wanted { pvs: PVS, rate_hz: Some(10.0), ..Wanted::default() };
    servers().start(name, &wanted).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The error of a server that is not to start.
fn refusal(servers: &Servers, name: &str, wanted: &Wanted) -> IocError {
    match servers.start(name, wanted) {
        Ok(_) => panic!("{name} serves"),
        Err(error) => error,
    }
}

/// The servers in Python at once.
fn each_python_server(check: impl Fn(&str) + Sync) {
    let names: Vec<String> = python_servers().collect();
    at_once(&names, |name| check(name));
}

/// The servers at once, the approaches of each one after the other.
fn each_pair(check: impl Fn(&str, &str) + Sync) {
    at_once(&pairs(), |(server, approaches)| {
        for approach in approaches {
            check(server, approach);
        }
    });
}

/// A worker with a connection to every PV.
fn connected(approach: &str, server: &dyn Server) -> WorkerDriver {
    let mut worker = WorkerDriver::start(approach, server.client_environment());
    worker.job(PVS);
    worker.stage(Stage::Context, Mode::Bulk);
    // Some have no call that only creates.
    if worker.hello.stages.contains(&Stage::Create) {
        worker.stage(Stage::Create, Mode::Bulk);
    }
    worker.stage(Stage::Connect, Mode::Bulk);
    worker
}

fn read(worker: &mut WorkerDriver, stage: Stage) -> Vec<f64> {
    worker.stage(stage, Mode::Bulk).values.unwrap()
}

fn expected(server: &dyn Server) -> Vec<f64> {
    (0..PVS).map(|index| server.expected_value(index)).collect()
}

fn held(server: &mut dyn Server) -> Vec<f64> {
    (0..PVS).map(|index| server.stored_value(index).unwrap()).collect()
}

#[test]
fn every_server_is_in_the_catalogue_with_its_protocols() {
    let servers = servers();
    let usual: Vec<&str> =
        servers.all().iter().filter(|kind| kind.is_usual).map(|kind| kind.name.as_str()).collect();
    assert_eq!(usual, ["softioc", "softioc-pva"]);
    // The first that speaks what is asked for is taken where none is named.
    let both = |kind: &&ServerKind| kind.protocols.len() == 2;
    assert_eq!(servers.all().iter().find(both).unwrap().name, "python-softioc");
    let has_frames = |kind: &ServerKind| kind.has_shell || kind.is_gateway;
    assert!(servers.all().iter().all(|kind| kind.has_frames == has_frames(kind)));
    for name in python_servers() {
        let name = name.as_str();
        let kind = servers.get(name).unwrap();
        assert!(kind.needs_python_site && !kind.has_frames && !kind.protocols.is_empty(), "{name}");
    }
}

#[test]
fn every_server_reports_its_versions() {
    each_python_server(|name| {
        let package = servers().get(name).unwrap().package.clone().unwrap();
        let versions = start(name).versions();
        assert!(versions.contains_key("python"), "{name}: {versions:?}");
        assert!(versions[&package].starts_with(|first: char| first.is_ascii_digit()), "{name}");
    });
}

#[test]
fn values_follow_every_tick_and_puts_stay_until_the_next() {
    each_pair(|name, approach| {
        let mut server = start(name);
        let server = server.as_mut();
        let mut worker = connected(approach, server);
        assert_eq!(read(&mut worker, Stage::Get), expected(server), "{name}, {approach}");
        assert_eq!(expected(server)[3], 3.0);
        for ticks in 1..=2 {
            server.tick().unwrap();
            assert_eq!(expected(server)[3], 3.0 + PROCESSED_FACTOR * f64::from(ticks));
            assert_eq!(held(server), expected(server), "{name}");
            let fresh = read(&mut worker, Stage::GetAgain);
            assert_eq!(fresh, expected(server), "{name}, {approach}");
        }
        let written: Vec<f64> = (0..PVS).map(|index| -0.5 - index as f64).collect();
        let put = StageCommand {
            values: Some(written.clone()),
            ..StageCommand::new(Stage::Put, Mode::Bulk)
        };
        worker.run(&put).unwrap();
        assert_eq!(read(&mut worker, Stage::Readback), written, "{name}, {approach}");
        assert_eq!(held(server), written, "{name}, {approach}");
        assert_eq!(server.processed().unwrap(), [2; PVS], "{name}: a put is no update");
        server.tick().unwrap();
        assert_eq!(read(&mut worker, Stage::GetAgain), expected(server), "{name}, {approach}");
    });
}

#[test]
fn every_update_by_rate_arrives_and_was_counted() {
    each_pair(|name, approach| {
        let mut server = start(name);
        let server = server.as_mut();
        let mut worker = connected(approach, server);
        let monitor = Monitor {
            content: Content::Scalars,
            step: PROCESSED_FACTOR,
            room: 1000,
            monitors: 1,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let subscribe = StageCommand {
            monitor: Some(monitor),
            ..StageCommand::new(Stage::Subscribe, Mode::Bulk)
        };
        worker.run(&subscribe).unwrap();
        let subscriptions = server.counted().unwrap().subscriptions;
        assert_eq!(subscriptions, Some(PVS as u64), "{name}, {approach}");

        worker.begin(&StageCommand {
            seconds: Some(2.5),
            ..StageCommand::new(Stage::Collect, Mode::Bulk)
        });
        server.start_scanning(10.0).unwrap();
        assert!(matches!(server.tick(), Err(IocError::InvalidRequest(_))), "{name}");
        sleep(Duration::from_millis(1200));
        server.stop_scanning().unwrap();
        let made = server.processed().unwrap();
        let updates = worker.finish().unwrap().updates.unwrap();

        assert!(made.iter().all(|count| (5..100).contains(count)), "{name}: {made:?}");
        assert_eq!(server.processed().unwrap(), made, "{name}: it still makes updates");
        assert_eq!(held(server), expected(server), "{name}");
        for (index, made) in made.iter().enumerate() {
            has_all(&updates, index, *made, &format!("{name}, {approach}"));
        }
        let counted = server.counted().unwrap();
        assert!(counted.merged_updates.unwrap_or(0) == 0, "{name}, {approach}: {counted:?}");
        assert!(counted.overloads.is_empty(), "{name}, {approach}: {counted:?}");
    });
}

/// Every update of a PV since the one that greets a subscription.
#[track_caller]
fn has_all(updates: &Updates, index: usize, made: u64, whose: &str) {
    let mut runs: Vec<_> = updates.runs.iter().filter(|run| run.pv == index).cloned().collect();
    // A library may deliver the first value once more.
    runs.retain(|run| run.count > 1 || run.first != index as f64 || made == 0);
    assert_eq!(runs.len(), 1, "{whose}: gauge:{index} was updated {made} times: {runs:?}");
    let run = &runs[0];
    assert_eq!((run.first, run.count), (index as f64, made + 1), "{whose}: gauge:{index}");
}

#[test]
fn a_rate_keeps_its_pace_and_may_be_changed_and_begun_again() {
    each_python_server(|name| {
        let mut server = start(name);
        server.start_scanning(2.0).unwrap();
        server.start_scanning(10.0).unwrap();
        sleep(Duration::from_secs(2));
        server.stop_scanning().unwrap();
        let made = server.processed().unwrap();
        assert!(made.iter().all(|count| (10..=25).contains(count)), "{name}: {made:?}");
        server.tick().unwrap();
        assert_eq!(server.stored_value(0).unwrap(), server.expected_value(0), "{name}");
        server.start_scanning(5.0).unwrap();
        sleep(Duration::from_millis(700));
        server.stop_scanning().unwrap();
        server.stop_scanning().unwrap();
        assert!(server.processed().unwrap()[0] > made[0] + 1, "{name}");
    });
}

#[test]
fn what_a_server_cannot_do_is_refused_with_the_reason() {
    let asked = |error: IocError| match error {
        IocError::InvalidRequest(message) => message,
        other => panic!("{other:?}"),
    };
    let fast = Wanted { pvs: PVS, rate_hz: Some(120.0), ..Wanted::default() };
    let message = asked(refusal(&servers(), "python-softioc-calc", &fast));
    assert!(message.contains("120 Hz") && message.contains("10.0"), "{message}");
    let frames = Wanted { frame: Some((64, 32)), ..Wanted::default() };
    let message = asked(refusal(&servers(), "p4p-server", &frames));
    assert!(message.contains("no frames"), "{message}");
    let many = Wanted { pvs: 10_000_000, ..Wanted::default() };
    assert!(asked(refusal(&servers(), "caproto-ioc", &many)).contains("10000000 PVs"));

    let mut server = start("python-softioc-calc");
    assert!(asked(server.start_scanning(20.0).unwrap_err()).contains("20 Hz"));
    assert!(asked(server.frame_count().unwrap_err()).contains("no frames"));
    assert!(asked(server.stored_value(PVS).unwrap_err()).contains("there is no gauge:10"));
    server.tick().unwrap();
}

#[test]
fn without_the_packages_a_server_is_missing_with_the_reason() {
    let servers = Servers::built_in(Err(Missing("pip is not there".to_owned())));
    for name in python_servers() {
        let name = name.as_str();
        let error = refusal(&servers, name, &Wanted::default());
        assert!(matches!(&error, IocError::Missing(_)), "{error:?}");
        assert_eq!(error.to_string(), "pip is not there");
    }
    let error = refusal(&servers, "soft-ice", &Wanted::default());
    assert_eq!(error.to_string(), "there is no server `soft-ice`");
}

/// pvxs binds the UDP port of searches on all interfaces, whatever its options; it
/// answers there to loopback only, because nobody else knows the port.
#[cfg(target_os = "linux")]
#[test]
fn servers_listen_on_loopback_only() {
    each_python_server(|name| {
        let server = start(name);
        let environment = server.client_environment();
        let searches = environment.iter().find(|(name, _)| name == "EPICS_PVA_ADDR_LIST");
        let searches: u16 = searches.unwrap().1.rsplit(':').next().unwrap().parse().unwrap();
        let found = sockets(server.pid());
        let listens = |socket: &&crate::isolation::sockets::Socket| socket.peer.port() == 0;
        assert!(found.iter().any(|socket| socket.protocol == "tcp"), "{name}: {found:?}");
        for socket in found.iter().filter(listens) {
            let is_loopback = socket.local.ip().is_loopback();
            let has_port_of_ours = socket.local.port() < 32_768;
            match socket.protocol {
                "tcp" | "tcp6" => assert!(is_loopback, "{name}: {socket:?}"),
                // Others only send, from ports that the system chose.
                _ if has_port_of_ours => {
                    assert!(is_loopback || socket.local.port() == searches, "{name}: {socket:?}");
                }
                _ => {}
            }
        }
    });
}

#[cfg(feature = "pvaccess")]
#[test]
fn a_gateway_forwards_values_of_the_ioc_behind_it() {
    let mut server = start("p4p-gateway");
    let versions = server.versions();
    for name in ["p4p", "ply", "epics-base"] {
        assert!(versions.contains_key(name), "{versions:?}");
    }
    let mut worker = WorkerDriver::start("p4p", server.client_environment());
    worker.job(PVS);
    worker.stage(Stage::Context, Mode::Bulk);
    worker.stage(Stage::Connect, Mode::Bulk);
    assert_eq!(read(&mut worker, Stage::Get), expected(server.as_ref()));
    server.tick().unwrap();
    assert_eq!(read(&mut worker, Stage::Get), expected(server.as_ref()));
    // The PVs are those of the IOC; the client's channels end at the gateway.
    let ports = server.ports().unwrap();
    let environment = server.client_environment();
    let search = format!("127.0.0.1:{}", ports.pva_search());
    assert!(environment.contains(&("EPICS_PVA_ADDR_LIST".to_owned(), search)), "{environment:?}");
    assert!(server.counted().unwrap().subscriptions.is_some(), "counted by the IOC behind");
}
