//! An IOC, its clients and a run see themselves and nothing else, and nobody
//! else sees them.

pub(crate) mod network;
pub(crate) mod sockets;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use epics_gauge::embedded;
use epics_gauge::ioc::{IocError, SoftIoc};
use epics_gauge::process::{Command, Deadline, Event, Repeater};
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::PythonSite;
use epics_gauge::record::Record;
use epics_gauge::worker_protocol::{FromWorker, Job, Mode, Stage, StageCommand, ToWorker};

use crate::processes::proc_files::{PATIENCE, all, descendants, process, wait_until};
use crate::support::{Gauge, approaches_where, program};
use network::{FOREIGN, Outside, in_a_fresh_network};
use sockets::sockets;

/// Reads PVs over Channel Access in a process of its own, the worker `wire`,
/// with these variables in its environment.
fn read_over_ca(
    environment: Vec<(String, String)>,
    pvs: &[&str],
    timeout_s: f64,
) -> Result<Vec<f64>, String> {
    let worker = Command::new(program()).arguments(["worker", "wire"]).environment(environment);
    let mut worker = worker.start().map_err(|error| error.to_string())?;
    let say = |message: &ToWorker| serde_json::to_string(message).unwrap();
    let pvs = pvs.iter().map(|pv| (*pv).to_owned()).collect();
    worker.write_line(&say(&ToWorker::Job(Job { pvs, timeout_s, slowdown: None })));
    for stage in [Stage::Context, Stage::Create, Stage::Connect, Stage::Get] {
        let command = StageCommand::new(stage, Mode::Bulk);
        worker.write_line(&say(&ToWorker::Stage(command)));
    }
    let deadline = Deadline::after(PATIENCE);
    loop {
        match worker.next_event(&deadline, "read PVs").map_err(|error| error.to_string())? {
            Event::Stdout(line) => match serde_json::from_str(&line).unwrap() {
                FromWorker::Done(done) if done.stage == Stage::Get => {
                    return Ok(done.values.unwrap());
                }
                FromWorker::Failed(failed) => return Err(failed.error),
                FromWorker::Done(_) | FromWorker::Hello(_) => {}
            },
            Event::Stderr(_) => {}
            Event::Ended(status) => return Err(worker.ended_early(status).to_string()),
        }
    }
}

#[test]
fn twenty_iocs_at_once_answer_with_their_own_values_only() {
    const IOCS: usize = 20;
    let start = |number: usize| {
        let own = format!("record(ao, \"only-in:{number}\") {{ field(VAL, \"{number}\") }}");
        let mut ioc = SoftIoc::builder().pvs(3).db(own, &[]).start().unwrap();
        for _ in 0..=number {
            ioc.tick().unwrap();
        }
        ioc
    };
    let iocs: Vec<SoftIoc> = thread::scope(|scope| {
        let starting: Vec<_> = (0..IOCS).map(|number| scope.spawn(move || start(number))).collect();
        starting.into_iter().map(|ioc| ioc.join().unwrap()).collect()
    });
    let ports: BTreeSet<u16> = iocs.iter().map(SoftIoc::port).collect();
    assert_eq!(ports.len(), IOCS, "two IOCs share a port");
    for (number, ioc) in iocs.iter().enumerate() {
        let own = format!("only-in:{number}");
        let pvs = ["gauge:0", "gauge:1", "gauge:2", &own];
        let values = read_over_ca(ioc.client_environment(), &pvs, 20.0).unwrap();
        let ticks = (number + 1) as f64 * 1_048_576.0;
        assert_eq!(values, [ticks, ticks + 1.0, ticks + 2.0, number as f64], "IOC {number}");
    }
    // What only its neighbour has is not found.
    thread::scope(|scope| {
        for (number, ioc) in iocs.iter().enumerate() {
            let environment = ioc.client_environment();
            scope.spawn(move || {
                let foreign = format!("only-in:{}", (number + 1) % IOCS);
                let found = read_over_ca(environment, &[&foreign], 1.0);
                let error = found.expect_err("a PV of another IOC was found");
                assert!(error.contains(&foreign), "{error}");
            });
        }
    });
}

/// The approaches that can be run here, the floor first. Call it outside of a
/// namespace first: it may download.
fn approaches_at_hand() -> Vec<&'static str> {
    let mut at_hand = vec!["wire", "libca", "epics-ca"];
    match PythonSite::install(|_| ()) {
        Ok(_) => at_hand.extend(["caproto", "pyepics", "aioca", "pyca"]),
        Err(missing) => eprintln!("skipped: no Python approach is there to be watched: {missing}"),
    }
    at_hand
}

/// The same over pvAccess, and nobody where this build has none.
fn pv_access_approaches_at_hand() -> Vec<String> {
    if !cfg!(feature = "pvaccess") {
        return Vec::new();
    }
    let has_site = PythonSite::install(|_| ()).is_ok();
    approaches_where(|approach| {
        approach.protocol == Protocol::Pva && (has_site || !approach.needs_python_site())
    })
}

/// Asserts that every approach was measured and none failed.
fn assert_measured(records: &[Record], approaches: &[impl AsRef<str>], rows: usize) {
    for record in records {
        let failure = &record.failure;
        assert!(failure.is_none(), "{}: {}", record.approach, failure.as_ref().unwrap().message);
    }
    for approach in approaches {
        let approach = approach.as_ref();
        let found = records.iter().filter(|record| record.approach == approach).count();
        assert_eq!(found, rows, "{approach}");
    }
}

#[test]
fn four_runs_at_once_do_not_disturb_each_other() {
    let arguments = "connect --approach libca --pvs 10 --blocks 1 --mode bulk";
    thread::scope(|scope| {
        let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| Gauge::run(arguments).finish())).collect();
        for run in runs {
            let ran = run.join().unwrap();
            // One block decides nothing.
            assert_eq!(ran.code, Some(3), "{}", ran.stderr);
            assert_measured(&ran.records(), &["wire", "libca"], 1);
        }
    });
}

const NOTHING_LEAVES: &str = "isolation::no_packet_leaves_loopback_during_a_run";

#[test]
fn no_packet_leaves_loopback_during_a_run() {
    approaches_at_hand();
    in_a_fresh_network(NOTHING_LEAVES, || {
        let Some(outside) = watched(NOTHING_LEAVES) else { return };
        run_everything_at_hand(&[]);
        assert_eq!(outside.taken(), [""; 0]);
    });
}

/// What a control system's shell may hold. None of it may be obeyed.
const INHERITED: [(&str, &str); 18] = [
    ("EPICS_CA_ADDR_LIST", FOREIGN),
    ("EPICS_CA_AUTO_ADDR_LIST", "YES"),
    ("EPICS_CA_NAME_SERVERS", FOREIGN),
    ("EPICS_CA_SERVER_PORT", "garbage"),
    ("EPICS_CA_REPEATER_PORT", "1"),
    ("EPICS_CA_MAX_ARRAY_BYTES", "16"),
    ("EPICS_CA_CONN_TMO", "-1"),
    ("EPICS_CA_MCAST_TTL", "9"),
    ("EPICS_CAS_INTF_ADDR_LIST", "192.0.2.7"),
    ("EPICS_CAS_SERVER_PORT", "99999"),
    ("EPICS_CAS_IGNORE_ADDR_LIST", "127.0.0.1"),
    ("EPICS_CAS_BEACON_ADDR_LIST", FOREIGN),
    ("EPICS_CAS_AUTO_BEACON_ADDR_LIST", "YES"),
    ("EPICS_IOC_LOG_INET", FOREIGN),
    ("EPICS_PVA_ADDR_LIST", FOREIGN),
    ("EPICS_PVA_NAME_SERVERS", FOREIGN),
    ("EPICS_PVAS_BEACON_ADDR_LIST", FOREIGN),
    ("EPICS_HOST_ARCH", "garbage"),
];

const INHERITED_IS_IGNORED: &str = "isolation::inherited_epics_variables_change_nothing";

#[test]
fn inherited_epics_variables_change_nothing() {
    approaches_at_hand();
    in_a_fresh_network(INHERITED_IS_IGNORED, || {
        let Some(outside) = watched(INHERITED_IS_IGNORED) else { return };
        // First that they are poison to a client that obeys them.
        let mut catime = std::process::Command::new(embedded::tool("catime").unwrap());
        catime.args(["nobody", "1"]).envs([("EPICS_CA_ADDR_LIST", FOREIGN)]);
        catime.env("EPICS_CA_REPEATER_PORT", "47123").stdout(Stdio::null()).stderr(Stdio::null());
        let repeater = Repeater::on_port(47123).unwrap();
        let mut catime = catime.spawn().unwrap();
        let mut seen = Vec::new();
        wait_until("catime searches where its environment tells it", || {
            seen = outside.taken();
            !seen.is_empty()
        });
        catime.kill().unwrap();
        catime.wait().unwrap();
        drop(repeater);
        assert!(seen.contains(&format!("UDP to {FOREIGN}:5064")), "{seen:?}");
        outside.taken();
        run_everything_at_hand(&INHERITED);
        assert_eq!(outside.taken(), [""; 0]);
    });
}

fn watched(test: &str) -> Option<Outside> {
    match Outside::watch() {
        Ok(outside) => Some(outside),
        Err(error) => {
            eprintln!("skipped: {test}: no TUN device: {error}");
            None
        }
    }
}

fn run_everything_at_hand(environment: &[(&str, &str)]) {
    measure_on("softioc", &approaches_at_hand(), environment);
    let over_pv_access = pv_access_approaches_at_hand();
    if !over_pv_access.is_empty() {
        measure_on("softioc-pva", &over_pv_access, environment);
    }
}

fn measure_on(server: &str, approaches: &[impl AsRef<str>], environment: &[(&str, &str)]) {
    let names: Vec<&str> = approaches.iter().map(AsRef::as_ref).collect();
    let arguments = format!(
        "connect --server {server} --approach {} --pvs 10 --blocks 1 --mode bulk --allow-missing",
        names.join(",")
    );
    let gauge = Gauge::run(&arguments);
    let output = gauge.command().envs(environment.iter().copied()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(gauge.out().join("records.jsonl"));
    let text = text.unwrap_or_else(|error| panic!("{error}: {stderr}"));
    let records = epics_gauge::record::RunRecords::parse(&text).unwrap().records;
    assert_measured(&records, &names, 1);
}

#[test]
fn every_socket_of_an_ioc_is_bound_to_loopback() {
    let mut ioc = SoftIoc::builder()
        .pvs(2)
        .db(r#"record(calc, "linked") { field(INPA, "gauge:1 CP") field(CALC, "A") }"#, &[])
        .start()
        .unwrap();
    ioc.tick().unwrap();
    let value = read_over_ca(ioc.client_environment(), &["gauge:0"], 20.0).unwrap();
    assert_eq!(value, [1_048_576.0]);
    // Its own CA link works too, by a client inside it.
    wait_until("the CA link has its value", || ioc.field_value("linked").unwrap() == 1_048_577.0);
    let found = sockets(ioc.pid());
    let listens = |protocol| {
        found.iter().any(|socket| {
            socket.protocol == protocol && socket.local == (Ipv4Addr::LOCALHOST, ioc.port()).into()
        })
    };
    assert!(listens("udp") && listens("tcp"), "{found:?}");
    for socket in &found {
        // A client's search socket has no address of its own and no peer.
        let is_search = socket.protocol == "udp" && socket.local.ip().is_unspecified();
        assert!(socket.local.ip().is_loopback() || is_search, "{socket:?}");
        assert!(socket.peer.ip().is_loopback() || socket.peer.ip().is_unspecified(), "{socket:?}");
        assert!(!is_search || socket.local.port() >= 32_768, "{socket:?} is a server");
    }
}

#[test]
fn every_socket_of_a_run_stays_on_loopback() {
    let approaches = approaches_at_hand().join(",");
    let arguments =
        format!("connect --approach {approaches} --pvs 10 --blocks 2 --mode bulk --allow-missing");
    let gauge = Gauge::run(&arguments);
    let mut run = gauge.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let before: Vec<u32> = all().iter().map(|process| process.pid).collect();
    let mut looks = 0;
    let end = Instant::now() + Duration::from_secs(120);
    while run.try_wait().unwrap().is_none() {
        assert!(Instant::now() < end, "the run does not end");
        let mut pids = vec![run.id()];
        pids.extend(descendants(run.id()).iter().map(|process| process.pid));
        for socket in pids.into_iter().flat_map(sockets) {
            let (local, peer) = (socket.local, socket.peer);
            let may_search = socket.protocol.starts_with("udp") && local.ip().is_unspecified();
            assert!(local.ip().is_loopback() || may_search, "{socket:?}");
            assert!(peer.ip().is_loopback() || peer.ip().is_unspecified(), "{socket:?}");
            looks += 1;
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert!(looks > 10, "only {looks} sockets were seen");
    let repeaters: Vec<_> = all()
        .into_iter()
        .filter(|process| process.name.starts_with("caRepeater") && !before.contains(&process.pid))
        .collect();
    assert!(repeaters.is_empty(), "left behind: {repeaters:?}");
}

const TAKEN_BLOCKS: &str = "isolation::an_ioc_whose_ports_are_partly_taken_chooses_others";

#[test]
fn an_ioc_whose_ports_are_partly_taken_chooses_others() {
    in_a_fresh_network(TAKEN_BLOCKS, || {
        // Every port of an IOC's server, TCP or UDP, but a few.
        let first = 20_001;
        let left = [first + 5 * 100, first + 5 * 1_500];
        raise_file_limit();
        let mut tcp = Vec::new();
        let mut udp = Vec::new();
        for port in (first..32_000).step_by(5).filter(|port| !left.contains(port)) {
            if port % 10 == 1 {
                tcp.push(std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
            } else {
                udp.push(UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap());
            }
        }
        let one = SoftIoc::builder().pvs(1).start().unwrap();
        let two = SoftIoc::builder().pvs(1).start().unwrap();
        let mut chosen = [one.port(), two.port()];
        chosen.sort_unstable();
        assert_eq!(chosen, left);
        let error = SoftIoc::builder().pvs(1).start().unwrap_err();
        assert!(matches!(error, IocError::NoPorts { .. }), "{error:?}");
        for part in ["taken", "ss -tulpn"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        drop(one);
        SoftIoc::builder().pvs(1).start().unwrap();
    });
}

fn raise_file_limit() {
    // SAFETY: both calls get a structure that they are defined for.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

const LIKE_BASES: &str = "isolation::the_repeater_behaves_like_the_one_of_base";

/// What two clients of a repeater receive: the confirmation of each, then what
/// comes when a server sends a beacon without and one with an address.
fn conversation(port: u16) -> Vec<Vec<u8>> {
    let client = || {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // Not connected: Base's repeater answers from another port.
        socket
    };
    let repeater = (Ipv4Addr::LOCALHOST, port);
    let receive = |socket: &UdpSocket| {
        let end = Instant::now() + PATIENCE;
        let mut buffer = [0; 1024];
        loop {
            match socket.recv(&mut buffer) {
                // Base sends empty messages to see who is still there.
                Ok(length) if buffer[..length].iter().all(|byte| *byte == 0) => {}
                Ok(length) => return buffer[..length].to_vec(),
                Err(_) => assert!(Instant::now() < end, "the repeater on port {port} is silent"),
            }
        }
    };
    let header = |command: u16, rest: [u8; 14]| {
        let mut bytes = command.to_be_bytes().to_vec();
        bytes.extend(rest);
        bytes
    };
    const REGISTER: u16 = 24;
    const BEACON: u16 = 13;
    let mut heard = Vec::new();
    let clients = [client(), client()];
    for socket in &clients {
        // The repeater may still be starting.
        wait_until("the repeater confirms", || {
            let registration = header(REGISTER, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1]);
            socket.send_to(&registration, repeater).unwrap();
            let mut buffer = [0; 1024];
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    heard.push(buffer[..length].to_vec());
                    true
                }
                Err(_) => false,
            }
        });
    }
    // Version 13, port 5064, beacon number 7 or 8, without and with an address.
    let server = client();
    for rest in [
        [0, 0, 0, 13, 0x13, 0xc8, 0, 0, 0, 7, 0, 0, 0, 0],
        [0, 0, 0, 13, 0x13, 0xc8, 0, 0, 0, 8, 127, 0, 0, 9],
    ] {
        server.send_to(&header(BEACON, rest), repeater).unwrap();
        heard.extend(clients.iter().map(receive));
    }
    heard
}

#[test]
fn the_repeater_behaves_like_the_one_of_base() {
    in_a_fresh_network(LIKE_BASES, || {
        let ours = {
            let repeater = Repeater::on_port(47_001).unwrap();
            conversation(repeater.port())
        };
        // It binds 0.0.0.0, which is why it runs in here only.
        let theirs = Command::new(embedded::tool("caRepeater").unwrap())
            .environment([("EPICS_CA_REPEATER_PORT".to_owned(), "47002")])
            .start()
            .unwrap();
        assert!(process(theirs.pid()).is_some());
        assert_eq!(ours, conversation(47_002));
        assert_eq!(ours.len(), 6);
        assert_eq!(ours[0][..2], [0, 17], "a confirmation");
    });
}
