//! A softIoc of the user's own as a server: the same records, scanned at the same
//! rates, by another program; and errors for what is no softIoc.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use epics_gauge::embedded;
use epics_gauge::ioc::{OtherSoftIocError, Servers, Wanted};
use epics_gauge::process::Deadline;
use epics_gauge::protocol::Protocol;
use epics_gauge::python_site::Missing;
use epics_gauge::worker_protocol::{Mode, Stage};

use super::support::WorkerDriver;

fn servers() -> Servers {
    Servers::built_in(Err(Missing("no Python was asked for".to_owned())))
}

/// An executable file with this content.
fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// The softIoc of this crate with the menu of scan rates of Base itself, laid out as
/// an installed EPICS Base is, so that it finds its database definition itself.
fn base_as_installed(folder: &Path) -> PathBuf {
    let bin = folder.join("bin/some-architecture");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(folder.join("dbd")).unwrap();
    let dbd = fs::read_to_string(embedded::tool("softIoc.dbd").unwrap()).unwrap();
    let is_of_base = |line: &&str| !(line.contains("menuScan") && line.contains(" Hz\""));
    let dbd: Vec<&str> = dbd.lines().filter(is_of_base).collect();
    fs::write(folder.join("dbd/softIoc.dbd"), dbd.join("\n") + "\n").unwrap();
    let program = bin.join("softIoc");
    fs::copy(embedded::tool("softIoc").unwrap(), &program).unwrap();
    program
}

/// Starts a program as the server `ioc-b` and sees that it ticks, scans at a rate
/// that Base does not have by itself, and answers a client.
fn serves(program: &Path) {
    const PVS: usize = 3;
    const RATE_HZ: f64 = 120.0;
    let mut servers = servers();
    servers.add_soft_ioc("ioc-b", program).unwrap();
    let kind = servers.get("ioc-b").unwrap();
    assert!(kind.has_frames && !kind.needs_python_site);
    assert_eq!(kind.protocols, [Protocol::Ca]);
    let description = kind.description.clone();
    assert!(description.contains(&program.display().to_string()), "{description}");
    let wanted = Wanted { pvs: PVS, rate_hz: Some(RATE_HZ), ..Wanted::default() };
    let mut ioc = servers.start("ioc-b", &wanted).unwrap();
    let base = ioc.versions()["epics-base"].clone();
    assert!(base.starts_with('7') && epics_gauge::BASE.contains(&base), "{base}");
    assert!(description.ends_with(&format!("EPICS Base {base}")), "{description}");
    ioc.tick().unwrap();
    let mut worker = WorkerDriver::start("wire", ioc.client_environment());
    worker.job(PVS);
    for stage in [Stage::Context, Stage::Create, Stage::Connect] {
        worker.stage(stage, Mode::Bulk);
    }
    let values = worker.stage(Stage::Get, Mode::Bulk).values.unwrap();
    let expected: Vec<f64> = (0..PVS).map(|index| ioc.expected_value(index)).collect();
    assert_eq!(values, expected);
    ioc.start_scanning(RATE_HZ).unwrap();
    let deadline = Deadline::after(Duration::from_secs(20));
    while ioc.processed().unwrap().iter().any(|count| *count < 10) {
        assert!(!deadline.remaining().is_zero(), "it does not scan");
    }
    ioc.stop_scanning().unwrap();
    ioc.counted().unwrap();
    ioc.stop();
}

#[test]
fn a_softioc_with_its_definition_beside_it_serves_the_same_records() {
    serves(&embedded::tool("softIoc").unwrap());
}

#[test]
fn a_softioc_of_an_installed_base_serves_the_same_records_at_every_rate() {
    let folder = tempfile::tempdir().unwrap();
    serves(&base_as_installed(folder.path()));
}

#[test]
fn a_script_around_a_softioc_serves_the_same_records() {
    let folder = tempfile::tempdir().unwrap();
    let program = base_as_installed(&folder.path().join("base"));
    let exec = format!("#!/bin/sh\nexec {} \"$@\"\n", program.display());
    serves(&script(folder.path(), "my-ioc", &exec));
    let dbd = embedded::tool("softIoc.dbd").unwrap();
    let soft_ioc = embedded::tool("softIoc").unwrap();
    let exec = format!("#!/bin/sh\nexec {} -D {} \"$@\"\n", soft_ioc.display(), dbd.display());
    serves(&script(folder.path(), "with-definition", &exec));
}

#[test]
#[cfg(feature = "pvaccess")]
fn a_softioc_with_pvxs_is_measured_over_pv_access_too() {
    const PVS: usize = 3;
    let mut servers = servers();
    servers.add_soft_ioc("ioc-b", &embedded::tool("softIocPvx").unwrap()).unwrap();
    let kind = servers.get("ioc-b").unwrap();
    assert_eq!(kind.protocols, [Protocol::Ca, Protocol::Pva]);
    let ioc = servers.start("ioc-b", &Wanted { pvs: PVS, ..Wanted::default() }).unwrap();
    for approach in ["wire", "wire-pva"] {
        let mut worker = WorkerDriver::start(approach, ioc.client_environment());
        worker.job(PVS);
        for stage in [Stage::Context, Stage::Connect] {
            worker.stage(stage, Mode::Bulk);
        }
        let values = worker.stage(Stage::Get, Mode::Bulk).values.unwrap();
        assert_eq!(values, [0.0, 1.0, 2.0], "{approach}");
    }
}

#[test]
fn a_softioc_without_the_device_support_makes_no_frames() {
    let folder = tempfile::tempdir().unwrap();
    let program = base_as_installed(folder.path());
    let definition = folder.path().join("dbd/softIoc.dbd");
    let dbd = fs::read_to_string(&definition).unwrap();
    let (own, others): (Vec<&str>, Vec<&str>) =
        dbd.lines().partition(|line| line.starts_with("device(") && line.contains("EpicsGauge"));
    assert!(!own.is_empty());
    fs::write(&definition, others.join("\n") + "\n").unwrap();
    let mut servers = servers();
    servers.add_soft_ioc("ioc-b", &program).unwrap();
    assert!(!servers.get("ioc-b").unwrap().has_frames);
}

#[test]
fn what_is_no_softioc_reports_what_is_wrong_where_and_how_to_mend_it() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "text").unwrap();
    let missing = folder.path().join("missing");
    let cases = [
        (missing.as_path(), "there is no such file"),
        (folder.path(), "it is not a file"),
        (plain.as_path(), "chmod +x"),
    ];
    for (program, reason) in cases {
        let error = servers().add_soft_ioc("ioc-a", program).unwrap_err();
        assert!(matches!(error, OtherSoftIocError::Program(_)), "{error:?}");
        for part in [reason, &program.display().to_string(), "EPICS_BASE/bin"] {
            assert!(error.to_string().contains(part), "{part} is not in: {error}");
        }
    }
}

#[test]
fn a_program_that_is_no_softioc_is_found_out_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("ends", "exit 0", "ended"),
        ("fails", "echo no such luck >&2; exit 3", "no such luck"),
        // Whatever it is sent, it waits.
        ("hangs", "exec sleep 100", "-h"),
        // Tells its usage, then reads its commands and obeys none.
        ("reads", "[ \"$1\" = -h ] && exit 0; exec cat > /dev/null", "shell"),
    ];
    for (name, text, reason) in cases {
        let program = script(folder.path(), name, &format!("#!/bin/sh\n{text}\n"));
        let error = servers().add_soft_ioc("ioc-a", &program).unwrap_err();
        assert!(matches!(error, OtherSoftIocError::Trial { .. }), "{name}: {error:?}");
        for part in [reason, &program.display().to_string(), "exec …/softIoc"] {
            assert!(error.to_string().contains(part), "{name}: {part} is not in: {error}");
        }
    }
}

#[test]
fn two_servers_of_one_name_cannot_be() {
    let error = servers().add_soft_ioc("softioc", &embedded::tool("softIoc").unwrap()).unwrap_err();
    assert!(matches!(&error, OtherSoftIocError::Taken(name) if name == "softioc"), "{error:?}");
}
