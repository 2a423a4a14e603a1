//! Folders for `--out` that cannot be used.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

use super::Invocation;

const SHORT: &str = "run connect --approach wire --pvs 1 --mode serial --blocks 1 --out";

#[test]
fn a_folder_that_holds_a_run_is_refused_and_not_touched() {
    let records = "what was measured before";
    let mut invocation = Invocation::of(SHORT);
    invocation.add("OUT");
    fs::create_dir(invocation.out()).unwrap();
    let ended = invocation.file("out/records.jsonl", records).finish();
    ended.exits_with(64).says(&["out", "holds a run already", "--out"]);
    assert_eq!(fs::read_to_string(ended.out("records.jsonl")).unwrap(), records);
}

#[test]
fn a_folder_that_holds_no_run_is_used() {
    let mut invocation = Invocation::of(SHORT);
    invocation.add("OUT");
    fs::create_dir(invocation.out()).unwrap();
    let ended = invocation.file("out/notes", "").finish();
    // The floor alone is nothing that could be judged.
    ended.exits_with(4).is_complete("wire", 1, super::STAGES_IN_SERIAL);
}

#[test]
fn a_folder_below_a_file_is_refused() {
    let mut invocation = Invocation::of(SHORT);
    invocation.add("FOLDER/file/out");
    let ended = invocation.file("file", "").finish();
    ended.exits_with(64).says(&["cannot write", "file/out", "Not a directory", "--out"]);
}

#[test]
fn a_folder_that_may_not_be_written_is_refused() {
    let mut invocation = Invocation::of(SHORT);
    invocation.add("FOLDER/closed/out");
    let closed = invocation.folder.path().join("closed");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
    // SAFETY: one system call, which is async-signal-safe.
    unsafe {
        invocation.command.pre_exec(|| {
            obey_permissions();
            Ok(())
        });
    }
    let ended = invocation.finish();
    ended.exits_with(64).says(&["cannot write", "closed/out", "Permission denied", "--out"]);
}

/// Root writes wherever it likes, unless it gives that up.
fn obey_permissions() {
    const CAP_DAC_OVERRIDE: libc::c_ulong = 1;
    // SAFETY: takes a capability from what the next program may have; no
    // memory is involved. It fails for those who do not have it anyway.
    unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) };
}
