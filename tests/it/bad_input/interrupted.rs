//! Ctrl-C: what was measured is kept, and everything ends at once.

use std::fs;
use std::time::{Duration, Instant};

use super::{Ended, Invocation, STAGES_IN_BULK, STAGES_IN_SERIAL, assert_holds, tampering};

/// Far less than any deadline that might be waited for instead.
const AT_ONCE: Duration = Duration::from_secs(15);

#[track_caller]
fn was_interrupted(ended: &Ended) {
    ended.exits_with(130);
    assert!(ended.run().end.unwrap().interrupted);
    let report = fs::read_to_string(ended.out("report.md")).unwrap();
    for text in [&report, &ended.stdout] {
        assert_holds(text, &["This run was interrupted", "until then"]);
    }
}

#[test]
fn a_run_keeps_its_records_and_reports_that_it_was_interrupted() {
    let arguments = "run connect --approach wire --pvs 1 --mode serial --blocks 10000 --out OUT";
    let mut running = Invocation::of(arguments).start();
    running.wait_until("three records", |folder| {
        fs::read_to_string(folder.join("out/records.jsonl"))
            .is_ok_and(|text| text.matches('\n').count() > 3)
    });
    running.interrupt();
    let interrupted = Instant::now();
    let ended = running.finish();
    assert!(interrupted.elapsed() < AT_ONCE);
    was_interrupted(&ended);
    let records = ended.records_of("wire");
    assert!(records.len() >= 3);
    ended.is_complete("wire", records.len(), STAGES_IN_SERIAL);
}

#[test]
fn a_worker_that_hangs_is_not_waited_for() {
    let arguments = "run connect --approaches FOLDER/mine.toml --approach hanging --pvs 20 --mode bulk \
                     --blocks 2 --out OUT --timeout 3600";
    let approaches = tampering::entry("hanging", "hang-at-connect", "{python}");
    let mut running = Invocation::of(arguments).file("mine.toml", &approaches).start();
    running.wait_until("hanging", |folder| folder.join("sign").exists());
    running.interrupt();
    let interrupted = Instant::now();
    let ended = running.finish();
    assert!(interrupted.elapsed() < AT_ONCE);
    was_interrupted(&ended);
    // It did not fail: it was not let finish.
    assert!(ended.records_of("hanging").is_empty());
    ended.is_complete("wire", ended.records_of("wire").len(), STAGES_IN_BULK);
}

#[test]
fn preparing_the_python_packages_can_be_interrupted() {
    let script = "#!/bin/sh\ntouch \"${0%/*}/sign\"\nsleep 3600\n";
    let arguments =
        "run connect --approach pyca,psp,pyepics,caproto,aioca --pvs 1 --mode serial --out OUT";
    let invocation = Invocation::of(arguments).file("python", script);
    let python = invocation.folder.path().join("python");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&python, executable).unwrap();
    let mut running = invocation.environment("EPICS_GAUGE_PYTHON", &python).start();
    running.wait_until("preparing", |folder| folder.join("sign").exists());
    running.interrupt();
    let interrupted = Instant::now();
    let ended = running.finish();
    assert!(interrupted.elapsed() < AT_ONCE);
    was_interrupted(&ended);
    // Nothing is missing: it was not let look.
    assert!(ended.run().records.is_empty());
}

#[test]
fn an_ioc_on_the_terminal_ends() {
    let mut invocation = Invocation::of("ioc --pvs 10");
    invocation.command.stdin(std::process::Stdio::piped());
    let mut running = invocation.start();
    running.wait_until("serving", |folder| {
        fs::read_to_string(folder.join("stderr")).is_ok_and(|text| text.contains("the IOC serves"))
    });
    running.interrupt();
    running.finish().exits_with(0);
}
