//! Approaches that cannot be started here: a row with how to mend it.

use epics_gauge::record::FailureKind;

use super::{Invocation, STAGES_IN_SERIAL, assert_holds, tampering};

const SHORT: &str = "--pvs 1 --mode serial --blocks 1 --out OUT";

#[test]
fn a_program_that_is_not_there_is_a_missing_row() {
    let approaches = "[approach.absent]\ncommand = ['./no-such-worker']\n\
                      [approach.text]\ncommand = ['./mine.toml']\n";
    let arguments = format!(
        "run connect --approaches FOLDER/mine.toml --approach absent,text {SHORT} --allow-missing"
    );
    let ended = Invocation::of(&arguments).file("mine.toml", approaches).finish();
    let words = ["cannot start", "no-such-worker", "No such file"];
    ended.has_failed("absent", FailureKind::Missing, None, &words);
    let words = ["cannot start", "mine.toml", "Permission denied", "--allow-missing"];
    ended.has_failed("text", FailureKind::Missing, None, &words[..3]);
    assert_holds(&ended.stdout, &words[3..]);
    ended.is_complete("wire", 1, STAGES_IN_SERIAL);
    // Nothing but the floor was measured, and nothing measured is never 0.
    ended.exits_with(4);
}

#[test]
fn missing_approaches_can_be_left_out_of_the_exit_code() {
    let approaches = tampering::entry("honest", "honest", "python3");
    let run = |more: &str| {
        let arguments = format!(
            "run connect --approaches FOLDER/mine.toml --approach pyca,honest {SHORT} {more}"
        );
        let ended = Invocation::of(&arguments)
            .file("mine.toml", &approaches)
            .environment("EPICS_GAUGE_PYTHON", "/nonexistent/python")
            .finish();
        ended.is_complete("honest", 1, STAGES_IN_SERIAL);
        ended
    };
    let (counted, left_out) = (run(""), run("--allow-missing"));
    counted.exits_with(4);
    // One block decides nothing.
    left_out.exits_with(3);
    let records = left_out.out("records.jsonl");
    let judge = |more| Invocation::of(&format!("judge {} {more}", records.display())).finish();
    judge("").exits_with(4);
    judge("--allow-missing").exits_with(3);
}

#[test]
fn without_a_python_its_approaches_are_missing_rows_that_report_how_to_mend_it() {
    let ended = Invocation::of(&format!("run connect --approach pyca,caproto {SHORT}"))
        .environment("EPICS_GAUGE_PYTHON", "/nonexistent/python")
        .finish();
    ended.exits_with(4).is_complete("wire", 1, STAGES_IN_SERIAL);
    for approach in ["pyca", "caproto"] {
        let words =
            ["/nonexistent/python", "No such file", "EPICS_GAUGE_PYTHON", "install Python 3"];
        ended.has_failed(approach, FailureKind::Missing, None, &words);
    }
}

#[test]
fn a_python_that_is_none_is_reported_as_none() {
    let ended = Invocation::of(&format!("run connect --approach pyca {SHORT}"))
        .environment("EPICS_GAUGE_PYTHON", "/bin/false")
        .finish();
    let words = ["/bin/false", "exit status: 1", "EPICS_GAUGE_PYTHON"];
    ended.exits_with(4).has_failed("pyca", FailureKind::Missing, None, &words);
}

#[test]
fn a_cache_that_cannot_be_written_is_named_with_how_to_mend_it() {
    let invocation =
        Invocation::of(&format!("run connect --approach pyca {SHORT}")).file("file", "");
    let cache = invocation.folder.path().join("file/cache");
    let ended = invocation.environment("EPICS_GAUGE_CACHE", cache).finish();
    let words = ["file/cache", "Not a directory", "EPICS_GAUGE_CACHE"];
    ended.exits_with(4).says(&words);
    assert_eq!(ended.stderr.matches("Not a directory").count(), 1, "{}", ended.stderr);
    let ioc = Invocation::of("ioc").file("file", "");
    let cache = ioc.folder.path().join("file/cache");
    ioc.environment("EPICS_GAUGE_CACHE", cache).finish().exits_with(4).says(&words);
}
