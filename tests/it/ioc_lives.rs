//! What happens to an IOC in a test: it is restarted here and there, with and without its
//! values, stopped for a while, started by the dozen, and sees others.

use std::time::{Duration, Instant};

use epics_gauge::ioc::{IocError, Restart, SoftIoc};
use epics_gauge::worker_protocol::{Mode, Stage, StageCommand};

use crate::support::WorkerDriver;

/// One record of each kind that a value can have.
const RECORDS: &str = r#"
record(ao, "x") { field(VAL, "0.1") }
record(longout, "l") { field(VAL, "1") }
record(stringout, "s") { field(VAL, "before") }
record(mbbo, "m") { field(ZRST, "zero") field(ONST, "one") }
record(waveform, "w") { field(FTVL, "DOUBLE") field(NELM, "20000") }
record(waveform, "t") { field(FTVL, "CHAR") field(NELM, "100") }
record(waveform, "e") { field(FTVL, "LONG") field(NELM, "10") }
"#;

/// A record that no client may write to, though it says nothing of that.
const DISABLED: &str = r#"record(ao, "disabled") { field(DISP, "1") }"#;

fn set(ioc: &mut SoftIoc, field: &str, value: &str) {
    let answer = ioc.command(&format!("dbpf {field} {value}")).unwrap();
    assert!(answer.contains("DBF_"), "{field}: {answer}");
}

fn shown(ioc: &mut SoftIoc, field: &str) -> String {
    ioc.command(&format!("dbgf {field}")).unwrap()
}

#[test]
fn a_restart_keeps_values_or_not_on_the_same_ports_or_on_others() {
    let mut ioc = SoftIoc::builder().db(RECORDS, &[]).pvs(2).start().unwrap();
    let long: Vec<String> = (0..20_000).map(|n| format!("{n}.5")).collect();
    set(&mut ioc, "x", "0.30000000000000004");
    set(&mut ioc, "l", "-7");
    set(&mut ioc, "s", "\"a 'quoted' text\"");
    set(&mut ioc, "m", "one");
    set(&mut ioc, "w", &format!("\"[{}]\"", long.join(",")));
    set(&mut ioc, "t", "text");
    ioc.tick().unwrap();
    let fields = ["x", "l", "s", "m", "t", "e", "w", "w.NORD"];
    let before: Vec<String> = fields.map(|field| shown(&mut ioc, field)).to_vec();
    let (pid, port) = (ioc.pid(), ioc.port());
    ioc.restart_as(&Restart::new().with_values().after_clean_end()).unwrap();
    assert!(ioc.pid() != pid && ioc.port() == port);
    assert_eq!(fields.map(|field| shown(&mut ioc, field)).to_vec(), before);
    assert_eq!(ioc.field_value("gauge:1").unwrap(), 1.0, "records of the crate begin anew");

    ioc.restart_as(&Restart::new().on_other_ports().with_values()).unwrap();
    assert_ne!(ioc.port(), port);
    assert_eq!(fields.map(|field| shown(&mut ioc, field)).to_vec(), before);
    let mut worker = WorkerDriver::start("wire", ioc.client_environment());
    worker.job(2);
    for stage in [Stage::Context, Stage::Create, Stage::Connect] {
        worker.stage(stage, Mode::Bulk);
    }

    ioc.restart(None).unwrap();
    assert_eq!(ioc.field_value("x").unwrap(), 0.1);
}

#[test]
fn a_record_that_does_not_take_its_value_back_is_named() {
    let mut ioc = SoftIoc::builder().db(RECORDS, &[]).db(DISABLED, &[]).start().unwrap();
    let error = ioc.restart_as(&Restart::new().with_values()).unwrap_err();
    assert!(matches!(error, IocError::InvalidRequest(_)), "{error:?}");
    assert!(error.to_string().contains(": disabled;"), "{error}");
    assert_eq!(ioc.field_value("x").unwrap(), 0.1, "it runs all the same");
}

#[test]
fn a_paused_ioc_answers_when_it_goes_on() {
    let mut ioc = SoftIoc::builder().pvs(3).start().unwrap();
    let mut worker = WorkerDriver::start("wire", ioc.client_environment());
    worker.job_of((0..3).map(|n| format!("gauge:{n}")).collect(), 1.0);
    for stage in [Stage::Context, Stage::Create, Stage::Connect] {
        worker.stage(stage, Mode::Bulk);
    }
    ioc.pause();
    let error = worker.run(&StageCommand::new(Stage::Get, Mode::Bulk)).unwrap_err();
    assert!(error.contains("gauge:0"), "{error}");
    ioc.resume();
    worker.stage(Stage::GetAgain, Mode::Bulk);
    ioc.tick().unwrap();
}

#[test]
fn iocs_that_are_started_together_see_each_other() {
    let of = |own: &str, other: &str| {
        SoftIoc::builder().db(
            format!(
                "record(ao, \"{own}\") {{ field(VAL, \"1\") }}\n\
                 record(calc, \"{own}:sees\") {{ field(INPA, \"{other} CP MS\") field(CALC, \"A\") }}"
            ),
            &[],
        )
    };
    let mut iocs = SoftIoc::start_together(&[of("a", "b"), of("b", "a")]).unwrap();
    let mut watcher = of("c", "b").sees(&iocs[1]).start().unwrap();
    set(&mut iocs[0], "a", "5");
    set(&mut iocs[1], "b", "6");
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        let seen = (
            iocs[0].field_value("a:sees").unwrap(),
            iocs[1].field_value("b:sees").unwrap(),
            watcher.field_value("c:sees").unwrap(),
        );
        if seen == (6.0, 5.0, 6.0) {
            break;
        }
        assert!(Instant::now() < end, "{seen:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    let both = SoftIoc::environment_of_all(&[&iocs[0], &iocs[1]]);
    let mut worker = WorkerDriver::start("wire", both);
    worker.job_of(vec!["a".to_owned(), "b".to_owned()], 10.0);
    for stage in [Stage::Context, Stage::Create, Stage::Connect] {
        worker.stage(stage, Mode::Bulk);
    }
    assert_eq!(worker.stage(Stage::Get, Mode::Bulk).values.unwrap(), [5.0, 6.0]);
}

#[test]
fn a_pool_gives_each_taker_an_ioc_of_its_own() {
    let pool = SoftIoc::builder().pvs(1).pool(3);
    let mut taken: Vec<SoftIoc> = (0..5).map(|_| pool.take().unwrap()).collect();
    let ports: std::collections::BTreeSet<u16> = taken.iter().map(SoftIoc::port).collect();
    assert_eq!(ports.len(), 5);
    for ioc in &mut taken {
        ioc.tick().unwrap();
    }
    let broken = SoftIoc::builder().db("nonsense", &[]).pool(2);
    for _ in 0..3 {
        assert!(matches!(broken.take(), Err(IocError::Refused { .. })));
    }
}

#[test]
fn log_lines_come_one_by_one() {
    let mut ioc = SoftIoc::builder().start().unwrap();
    ioc.new_log_lines().unwrap();
    assert!(ioc.next_log_line(Duration::from_millis(50)).unwrap().is_none());
    ioc.command("echo one").unwrap();
    ioc.command("echo two").unwrap();
    let mut next = || ioc.next_log_line(Duration::from_secs(5)).unwrap().unwrap().text;
    assert_eq!([next(), next()], ["one", "two"]);
}
