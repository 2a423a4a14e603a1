//! Full disks: a file system of a few pages, seen by the program alone.

use std::fs;
use std::process::Command;

use epics_gauge::record::{FailureKind, RunRecords};

use super::{Ended, Invocation, program};

/// Runs the program where `folder` is a disk of this size, and `after` when it has
/// ended, before that disk is gone. None where users may not mount.
fn with_tiny_disk(folder: &str, size: &str, arguments: &str, after: &str) -> Option<Ended> {
    let mount = format!("mount -t tmpfs -o size={size} tiny");
    let may_mount = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &format!("{mount} /mnt")])
        .output()
        .is_ok_and(|output| output.status.success());
    if !may_mount {
        eprintln!("skipped: `unshare --map-root-user --mount` may not mount a disk here");
        return None;
    }
    let mut invocation = Invocation::of(arguments);
    let disk = invocation.folder.path().join(folder);
    fs::create_dir_all(&disk).unwrap();
    let script = format!("{mount} \"$1\"; shift; \"$@\"; code=$?; {after}; exit $code");
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
    command.arg(disk).arg(program()).args(invocation.command.get_args());
    command.envs(invocation.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(&invocation.folder).stdin(std::process::Stdio::null());
    invocation.command = command;
    Some(invocation.finish())
}

#[test]
fn a_full_temporary_folder_is_the_iocs_failure_and_names_the_fix() {
    // The IOC's start-up files for one PV need some 400 kB, for 50 000 over 1 MB.
    let arguments = "run connect --approach wire --pvs 1,50000 --mode bulk --blocks 5 --out OUT";
    let list = "ls \"$TMPDIR\" >&2";
    let Some(ended) = with_tiny_disk("temporary", "1m", arguments, list) else { return };
    ended.exits_with(4);
    let records = ended.records_of("wire");
    let (full, small): (Vec<_>, Vec<_>) = records.iter().partition(|record| record.pvs == 50_000);
    assert_eq!((full.len(), small.len()), (5, 5));
    for record in small {
        assert!(record.failure.is_none(), "{:?}", record.failure);
    }
    for record in full {
        let failure = record.failure.as_ref().unwrap();
        assert_eq!(failure.kind, FailureKind::Ioc);
        let words = ["No space left on device", "temporary", "free space", "TMPDIR"];
        super::assert_holds(&failure.message, &words);
    }
    let report = fs::read_to_string(ended.out("report.md")).unwrap();
    super::assert_holds(&report, &["wire: IOC failed", "No space left on device"]);
    assert!(!ended.stderr.contains("epics-gauge-ioc-"), "left behind:\n{}", ended.stderr);
}

#[test]
fn a_full_output_folder_ends_the_run_and_keeps_what_was_written() {
    let arguments =
        "run connect --approach wire --pvs 1 --mode serial --blocks 100 --out FOLDER/disk/out";
    let save = "cp disk/out/records.jsonl saved.jsonl";
    let Some(ended) = with_tiny_disk("disk", "16k", arguments, save) else { return };
    ended.exits_with(4).says(&["cannot write", "disk/out/", "No space left on device"]);
    ended.says(&["is kept in", "records.jsonl", "--out"]);
    let saved = ended.file("saved.jsonl");
    let run = RunRecords::parse(&fs::read_to_string(&saved).unwrap()).unwrap();
    assert!(run.records.len() > 1 && run.records.len() < 100, "{}", run.records.len());
    assert!(run.records.iter().all(|record| record.failure.is_none()));
    assert!(run.end.is_none());
    let report = Invocation::of(&format!("report {}", saved.display())).finish();
    super::assert_holds(&report.exits_with(0).stdout, &["This run was cut off"]);
}
