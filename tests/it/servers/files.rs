//! Files of the user's own servers.

use std::fs;
use std::path::Path;

use epics_gauge::ioc::{Servers, Wanted};
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::{Missing, UserFileError};
use epics_gauge::worker_protocol::{Mode, Stage, StageCommand};

use super::{PVS, connected, expected, read};

fn added(text: &str) -> Result<Servers, UserFileError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, text).unwrap();
    let mut servers = Servers::built_in(Err(Missing("no packages".to_owned())));
    servers.add_file(&file).map(|()| servers)
}

#[track_caller]
fn refused(text: &str, words: &[&str]) {
    let message = added(text).unwrap_err().to_string();
    assert!(message.contains("mine.toml"), "{message}");
    assert!(words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn files_that_cannot_be_used_are_refused_with_the_place() {
    let page = "adding-a-server.md";
    refused("[server.mine]\ncommand = [\"server\"\n", &["line 2", page]);
    refused("[server.mine]\ncomand = [\"server\"]\n", &["line 2", "`comand`", "`command`"]);
    refused("[sever.mine]\ncommand = [\"server\"]\n", &["line 1", "`sever`", "`server`"]);
    refused("[server.mine]\ncommand = []\n", &["server.mine.command is empty", page]);
    refused("[server.mine]\ncommand = [\"a\"]\nprotocols = []\n", &["server.mine.protocols"]);
    refused("[server.mine]\ncommand = [\"a\"]\nprotocols = [\"http\"]\n", &["line 3", "http"]);
    refused("# nothing\n", &["it has no [server.NAME]", page]);
    refused("[server.softioc]\ncommand = [\"a\"]\n", &["server `softioc` already"]);
    refused("[server.My_IOC]\ncommand = [\"a\"]\n", &["`My_IOC`", "lower-case letters"]);
    let variable = "[server.mine]\ncommand = [\"a\"]\nenv = { EPICS_CAS_SERVER_PORT = \"5064\" }\n";
    refused(variable, &["EPICS_CAS_SERVER_PORT", "loopback"]);
    let mut servers = Servers::built_in(Err(Missing(String::new())));
    let error = servers.add_file(Path::new("nowhere.toml")).unwrap_err();
    assert!(error.to_string().starts_with("cannot read nowhere.toml"), "{error}");
}

#[test]
fn a_server_that_needs_the_packages_reports_it() {
    let servers = added("[server.mine]\ncommand = [\"{python}\", \"{site}\"]\n").unwrap();
    let kind = servers.get("mine").unwrap();
    assert!(kind.needs_python_site);
    assert_eq!(kind.protocols, [Protocol::Ca]);
    let error = super::refusal(&servers, "mine", &Wanted::default());
    assert_eq!(error.to_string(), "no packages");
}

#[test]
fn a_program_that_is_not_there_is_reported() {
    let servers = added("[server.mine]\ncommand = [\"./no-such-server\"]\n").unwrap();
    let message = super::refusal(&servers, "mine", &Wanted::default()).to_string();
    assert!(message.contains("cannot start") && message.contains("no-such-server"), "{message}");
}

#[test]
fn the_documented_example_of_an_own_server_serves() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples/servers.toml");
    let mut servers = super::servers();
    servers.add_file(&file).unwrap();
    let kind = servers.get("minimal").unwrap();
    assert_eq!(
        (kind.protocols.as_slice(), kind.needs_python_site),
        ([Protocol::Pva].as_slice(), true)
    );
    let wanted = Wanted { pvs: PVS, ..Wanted::default() };
    let mut server = servers.start("minimal", &wanted).unwrap();
    server.tick().unwrap();
    let mut worker = connected("p4p", server.as_ref());
    assert_eq!(read(&mut worker, Stage::Get), expected(server.as_ref()));
    let put =
        StageCommand { values: Some(vec![0.5; PVS]), ..StageCommand::new(Stage::Put, Mode::Bulk) };
    worker.run(&put).unwrap();
    assert_eq!(server.stored_value(9).unwrap(), 0.5);
    server.start_scanning(100.0).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(300));
    server.stop_scanning().unwrap();
    assert!(server.processed().unwrap()[0] > 5);
    assert_eq!(server.stored_value(9).unwrap(), server.expected_value(9));
    assert_eq!(read(&mut worker, Stage::GetAgain), expected(server.as_ref()));
    assert!(server.counted().unwrap().scan_overruns.is_some());
    server.restart(Some(3)).unwrap();
    server.tick().unwrap();
    assert_eq!(server.stored_value(4).unwrap(), server.expected_value(4));
}
