//! A server that does one thing wrong: each has its own clear error.

use std::fs;
use std::path::Path;

use epics_gauge::ioc::{IocError, LogEvent, Server, Servers, Wanted};
use epics_gauge::process::ProcessError;
use epics_gauge::python_site::Missing;
use tempfile::TempDir;

/// A catalogue with the misbehaving server `mine`.
fn servers(fault: &str) -> (Servers, TempDir) {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/servers/misbehaving_server.py");
    let folder = tempfile::tempdir().unwrap();
    let text = format!(
        "[server.mine]\ncommand = [\"{{python}}\", {:?}, {fault:?}]\nprotocols = [\"pva\"]\n",
        script.display().to_string()
    );
    let file = folder.path().join("servers.toml");
    fs::write(&file, text).unwrap();
    let mut servers = Servers::built_in(Err(Missing("not needed".to_owned())));
    servers.add_file(&file).unwrap();
    (servers, folder)
}

fn start(fault: &str) -> Result<Box<dyn Server>, IocError> {
    let (servers, _folder) = servers(fault);
    let wanted = Wanted { pvs: 2, rate_hz: Some(10.0), ..Wanted::default() };
    servers.start("mine", &wanted)
}

fn refusal(fault: &str) -> IocError {
    match start(fault) {
        Ok(_) => panic!("{fault}: it serves"),
        Err(error) => error,
    }
}

/// What is wrong, in the words of the error, which ends in what was printed.
#[track_caller]
fn is_garbage(error: &IocError, words: &[&str]) {
    let IocError::Garbage { reason, command, output } = error else { panic!("{error:?}") };
    assert!(words.iter().all(|word| reason.contains(word)), "{reason}");
    assert!(command.contains("misbehaving_server.py"), "{command}");
    assert!(output.contains("these are my last words"), "{output}");
    assert!(error.to_string().contains(output), "{error}");
}

#[test]
fn a_server_without_fault_serves() {
    let mut server = start("none").unwrap();
    server.tick().unwrap();
    server.check().unwrap();
    let counted = server.counted().unwrap();
    assert_eq!((counted.merged_updates, counted.subscriptions), (Some(7), None));
    assert!(counted.overloads.is_empty());
}

#[test]
fn a_server_that_dies_at_once_is_reported_with_its_last_words() {
    let error = refusal("dies at once");
    let IocError::Process(ProcessError::Ended { status, output, .. }) = &error else {
        panic!("{error:?}")
    };
    assert_eq!(status.code(), Some(3));
    assert!(output.contains("these are my last words"), "{output}");
}

#[test]
fn a_server_that_dies_in_use_is_reported_with_its_last_words() {
    let mut server = start("dies in use").unwrap();
    for result in [server.tick(), server.check(), server.tick()] {
        let error = result.unwrap_err();
        let IocError::Process(ProcessError::Ended { output, .. }) = &error else {
            panic!("{error:?}")
        };
        assert!(output.contains("out of luck"), "{output}");
    }
}

#[test]
fn what_is_not_of_the_protocol_is_reported() {
    is_garbage(&refusal("garbage"), &["Welcome to my IOC"]);
    is_garbage(&refusal("other version"), &["version 7", "version 1"]);
    is_garbage(&refusal("other name"), &["`yours`", "`mine`"]);
    is_garbage(&refusal("unknown field"), &["colour"]);
    let mut server = start("other answer").unwrap();
    is_garbage(&server.tick().unwrap_err(), &["update all PVs", "`value`"]);
    let mut server = start("counts too few").unwrap();
    is_garbage(&server.processed().unwrap_err(), &["1 counts for 2 PVs"]);
    let mut server = start("talks").unwrap();
    server.tick().unwrap();
    is_garbage(&server.counted().unwrap_err(), &["done"]);
}

#[test]
fn a_server_on_other_ports_or_of_another_protocol_is_not_taken() {
    for (fault, words) in [
        ("other port", "it serves pva on TCP port"),
        ("other protocol", "it does not serve pva"),
        ("no pvAccess", "begins with 0x32, not with pvAccess"),
    ] {
        let error = refusal(fault);
        let IocError::Ports { reason, .. } = &error else { panic!("{error:?}") };
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn a_server_may_report_that_it_cannot() {
    let error = refusal("refuses");
    let IocError::Refused { reason, .. } = &error else { panic!("{error:?}") };
    assert_eq!(reason, "no room");
    let mut server = start("cannot").unwrap();
    let before = server.expected_value(0);
    let error = server.tick().unwrap_err();
    assert_eq!(error.to_string(), "the server `mine` cannot update all PVs: no power");
    assert_eq!(server.expected_value(0), before);
    server.check().unwrap();
}

#[test]
fn rates_that_a_server_does_not_name_are_refused() {
    let mut server = start("two rates").unwrap();
    server.start_scanning(1.0).unwrap();
    let message = server.start_scanning(20.0).unwrap_err().to_string();
    assert!(message.contains("20 Hz") && message.contains("[1.0, 10.0]"), "{message}");
}

#[test]
fn overloads_in_the_log_are_counted() {
    let mut server = start("overloaded").unwrap();
    server.tick().unwrap();
    let first = server.counted().unwrap();
    assert_eq!(first.overloads.get(&LogEvent::UpdatesDropped), Some(&2));
    assert_eq!(first.overloads.get(&LogEvent::CallbackQueueFull), Some(&1));
    server.tick().unwrap();
    let second = server.counted().unwrap().since(&first);
    assert_eq!(second.overloads.get(&LogEvent::UpdatesDropped), Some(&2));
}
