//! Servers that crash, come back, or lose their harness.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use epics_gauge::embedded;
use epics_gauge::ioc::{IocError, Servers, Wanted};
use epics_gauge::process::{self, Deadline, Event, ProcessError};
use epics_gauge::python_site::{Missing, PythonSite};
use epics_gauge::worker_protocol::Stage;

use super::{PVS, connected, each_python_server, expected, pairs, read, start};
use crate::processes::proc_files::{PATIENCE, process as seen, wait_until};
use crate::support::at_once;

/// Makes the helper below do something.
const HOLD: &str = "GAUGE_TEST_HOLDS_A_SERVER";

#[test]
fn a_server_ends_when_it_is_dropped_and_when_it_is_stopped() {
    each_python_server(|name| {
        let server = start(name);
        let process = seen(server.pid()).unwrap();
        drop(server);
        assert!(!process.lives(), "{name}");
        let server = start(name);
        let process = seen(server.pid()).unwrap();
        server.stop();
        assert!(!process.lives(), "{name}");
    });
}

#[test]
fn a_crashed_server_reports_it_and_comes_back_perhaps_without_a_pv() {
    at_once(&pairs(), |(name, approaches)| {
        let name = name.as_str();
        let mut server = start(name);
        server.tick().unwrap();
        server.crash();
        for result in [server.check(), server.tick()] {
            let error = result.unwrap_err();
            let is_end = matches!(error, IocError::Process(ProcessError::Ended { .. }));
            assert!(is_end, "{name}: {error:?}");
        }
        server.restart(Some(4)).unwrap();
        assert_eq!(server.expected_value(3), 3.0, "{name}");
        server.tick().unwrap();
        let mut made = [1; PVS];
        made[4] = 0;
        assert_eq!(server.processed().unwrap(), made, "{name}");
        assert!(server.stored_value(4).is_err(), "{name}");
        assert_eq!(server.stored_value(5).unwrap(), server.expected_value(5), "{name}");
        assert!(matches!(server.restart(Some(PVS)), Err(IocError::InvalidRequest(_))));
        server.restart(None).unwrap();
        server.tick().unwrap();
        let mut worker = connected(approaches[0], server.as_ref());
        assert_eq!(read(&mut worker, Stage::Get), expected(server.as_ref()), "{name}");
    });
}

/// Holds a server for the test below, in a process of its own.
#[test]
fn holds_a_server_when_it_is_asked_to() {
    let Ok(name) = std::env::var(HOLD) else { return };
    let server = start(&name);
    println!("\nholds {}", server.pid());
    std::thread::sleep(PATIENCE);
}

#[test]
fn a_server_dies_with_its_harness() {
    each_python_server(|name| {
        let mut harness = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "servers::lives::holds_a_server_when_it_is_asked_to"])
            .args(["--nocapture", "--test-threads", "1"])
            .env(HOLD, name)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(harness.stdout.take().unwrap()).lines().map(Result::unwrap);
        let pid = lines.filter_map(|line| line.strip_prefix("holds ")?.parse().ok()).next();
        let held = seen(pid.unwrap_or_else(|| panic!("{name} was not started"))).unwrap();
        assert!(held.lives(), "{name}");
        harness.kill().unwrap();
        harness.wait().unwrap();
        wait_until(&format!("{name} is gone"), || !held.lives());
    });
}

/// With what a Python server ends that gets these lines, or whose stdin ends when
/// there are none.
fn exit_code_after(name: &str, lines: &[&str]) -> Option<i32> {
    let site = PythonSite::install(|_| ()).unwrap();
    let command = process::Command::new(site.python())
        .arguments(["-I", "-S"])
        .argument(embedded::tool("server_main.py").unwrap())
        .argument("--site")
        .argument(site.folder())
        .argument(name);
    let mut server = command.start().unwrap();
    lines.iter().for_each(|line| server.write_line(line));
    let deadline = Deadline::after(PATIENCE);
    loop {
        match server.next_event(&deadline, "end").unwrap() {
            Event::Ended(status) => return status.code(),
            Event::Stdout(_) if lines.is_empty() => server.close_stdin(),
            Event::Stdout(line) | Event::Stderr(line) => eprintln!("{line}"),
        }
    }
}

#[test]
fn the_end_of_stdin_ends_a_python_server() {
    each_python_server(|name| assert_eq!(exit_code_after(name, &[]), Some(0), "{name}"));
}

#[test]
fn a_line_that_is_not_of_the_protocol_ends_a_python_server() {
    let lines = [
        "serve",
        "[]",
        r#"{"message": "dance"}"#,
        r#"{"message": "tick"}"#,
        r#"{"message": "serve", "pvs": 2}"#,
        r#"{"message": "serve", "pvs": -1, "identity": "1-2"}"#,
        r#"{"message": "serve", "pvs": 1, "identity": "1-2", "colour": "red"}"#,
        r#"{"message": "serve", "pvs": 1, "identity": "1-2", "rate_hz": 0}"#,
    ];
    at_once(&lines, |&line| {
        assert_eq!(exit_code_after("p4p-server", &[line]), Some(65), "{line}");
    });
}

#[test]
fn several_servers_at_once_have_their_own_values() {
    let site = PythonSite::install(|_| ());
    assert!(site.is_ok(), "{:?}", site.err().map(|Missing(why)| why));
    let servers = Servers::built_in(site);
    let wanted = Wanted { pvs: PVS, ..Wanted::default() };
    let mut all: Vec<_> = (0..3)
        .map(|_| servers.start("caproto-ioc", &wanted).unwrap())
        .chain((0..3).map(|_| servers.start("p4p-server", &wanted).unwrap()))
        .collect();
    for (ticks, server) in all.iter_mut().enumerate() {
        (0..ticks).for_each(|_| server.tick().unwrap());
    }
    for (ticks, server) in all.iter_mut().enumerate() {
        let approach = if ticks < 3 { "wire" } else { "p4p" };
        let mut worker = connected(approach, server.as_ref());
        assert_eq!(read(&mut worker, Stage::Get), expected(server.as_ref()));
        assert_eq!(server.processed().unwrap(), [ticks as u64; PVS]);
    }
}
