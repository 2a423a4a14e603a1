//! The IOC fixture against the real softIoc.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use epics_gauge::embedded;
use epics_gauge::ioc::{Builder, IocError, LogEvent, SoftIoc};
use epics_gauge::process::ProcessError;

use crate::processes::proc_files::{process, signal, wait_until, wait_until_gone};

fn macros(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_template_is_loaded_once_for_each_set_of_macros() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("motor.template");
    fs::write(&file, r#"record(ao, "$(P):$(M)") { field(VAL, "$(V)") field(DESC, "$(D)") }"#)
        .unwrap();
    let instances = [
        macros(&[("P", "one"), ("M", "x"), ("V", "1.25"), ("D", "table, left")]),
        macros(&[("V", "-3"), ("M", "y"), ("P", "two"), ("D", "@asyn(PORT,0,1) it's")]),
    ];
    let mut ioc = SoftIoc::builder().template(&file, instances).start().unwrap();
    assert_eq!(ioc.field_value("one:x").unwrap(), 1.25);
    assert_eq!(ioc.field_value("two:y").unwrap(), -3.0);
    assert!(ioc.command("dbgf one:x.DESC").unwrap().contains("\"table, left\""));
    let shown = ioc.command("dbgf two:y.DESC").unwrap();
    assert!(shown.contains(r#""@asyn(PORT,0,1) it\'s""#), "{shown}");
}

#[test]
fn database_text_and_database_files_get_their_macros() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a file.db");
    fs::write(&file, r#"record(ao, "$(P)file") { field(VAL, "$(V=7)") }"#).unwrap();
    let text = r#"record(ao, "$(P)text") { field(VAL, "$(V)") field(DESC, "$(D)") }"#;
    let mut ioc = SoftIoc::builder()
        .db(text, &[("P", "a:"), ("V", "0.5"), ("D", "@asyn(PORT,0,1)")])
        .db(text, &[("P", "b:"), ("V", "1.5"), ("D", "it's here, there")])
        .db_file(&file, &[("P", "a:")])
        .db_file(&file, &[("P", "b:"), ("V", "8")])
        .start()
        .unwrap();
    for (pv, value) in [("a:text", 0.5), ("b:text", 1.5), ("a:file", 7.0), ("b:file", 8.0)] {
        assert_eq!(ioc.field_value(pv).unwrap(), value, "{pv}");
    }
    let shown = ioc.command("dbgf a:text.DESC").unwrap();
    assert!(shown.contains("\"@asyn(PORT,0,1)\""), "{shown}");
    let shown = ioc.command("dbgf b:text.DESC").unwrap();
    assert!(shown.contains(r#""it\'s here, there""#), "{shown}");
}

#[test]
fn every_pv_holds_its_expected_value_after_each_tick() {
    const PVS: usize = 50;
    let mut ioc = SoftIoc::builder().pvs(PVS).start().unwrap();
    assert_eq!(ioc.expected_value(3), 3.0);
    for tick in 1..=3 {
        ioc.tick().unwrap();
        for index in 0..PVS {
            let expected = index as f64 + 1_048_576.0 * f64::from(tick);
            assert_eq!(ioc.expected_value(index), expected);
            assert_eq!(ioc.field_value(&format!("gauge:{index}")).unwrap(), expected);
        }
    }
}

#[test]
fn a_record_of_100_hz_is_processed_about_100_times_per_second() {
    let mut ioc = SoftIoc::builder().pvs(2).rate_hz(100.0).start().unwrap();
    let processed = |ioc: &mut SoftIoc| ioc.field_value("gauge:0").unwrap() / 1_048_576.0;
    let (before, start) = (processed(&mut ioc), Instant::now());
    std::thread::sleep(Duration::from_secs(2));
    let rate = (processed(&mut ioc) - before) / start.elapsed().as_secs_f64();
    assert!((50.0..150.0).contains(&rate), "{rate} Hz");
    assert!(matches!(ioc.tick(), Err(IocError::InvalidRequest(_))), "a scanned IOC has no ticks");
}

#[test]
fn records_of_ones_own_may_use_every_rate_of_the_menu() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("fast.db");
    fs::write(&file, r#"record(calc, "$(P)file") { field(SCAN, "$(R)") }"#).unwrap();
    let mut ioc = SoftIoc::builder()
        .db(r#"record(calc, "text") { field(SCAN, "50 Hz") }"#, &[])
        .db_file(&file, &[("P", "db:"), ("R", "120 Hz")])
        .template(&file, [macros(&[("P", "template:"), ("R", "1000 Hz")])])
        .start()
        .unwrap();
    for (field, rate) in [("text", "50 Hz"), ("db:file", "120 Hz"), ("template:file", "1000 Hz")] {
        let shown = ioc.command(&format!("dbgf {field}.SCAN")).unwrap();
        assert!(shown.contains(&format!("\"{rate}\"")), "{shown}");
    }
    // A rate that is set later is there too.
    ioc.command("dbpf text.SCAN \".1 second\"").unwrap();
}

#[test]
fn commands_run_before_and_after_init() {
    let mut ioc = SoftIoc::builder()
        .db(r#"record(ao, "set") { field(VAL, "1") }"#, &[])
        .command_before_init("callbackSetQueueSize 1234")
        .command_before_init("epicsEnvSet WHEN before")
        .command_after_init("dbpf set 5")
        .start()
        .unwrap();
    let queues = ioc.command("callbackQueueShow").unwrap();
    assert!(queues.contains("1234"), "{queues}");
    assert_eq!(ioc.command("epicsEnvShow WHEN").unwrap(), "WHEN=before\n");
    assert_eq!(ioc.field_value("set").unwrap(), 5.0);
}

#[test]
fn a_command_returns_what_it_printed_and_nothing_of_the_command_before() {
    let mut ioc = SoftIoc::builder().start().unwrap();
    assert_eq!(ioc.command("echo one").unwrap(), "one\n");
    assert_eq!(ioc.command("epicsEnvSet NOTHING printed").unwrap(), "");
    assert_eq!(ioc.command("echo two").unwrap(), "two\n");
    let lines = ioc.command("help").unwrap().lines().count();
    assert!(lines > 20, "only {lines} lines of help");
    assert!(matches!(ioc.command("echo a\necho b"), Err(IocError::InvalidRequest(_))));
    assert!(ioc.log().unwrap().iter().any(|line| line.text == "two" && line.event.is_none()));
    assert!(ioc.new_log_lines().unwrap().iter().any(|line| line.text == "two"));
    ioc.command("echo three").unwrap();
    let new: Vec<String> = ioc.new_log_lines().unwrap().into_iter().map(|line| line.text).collect();
    assert_eq!(new, ["three"], "each line once");
}

#[test]
fn a_long_answer_is_returned_whole_and_the_log_stays_bounded() {
    let mut ioc = SoftIoc::builder().pvs(12_000).start().unwrap();
    let records = ioc.command("dbl").unwrap();
    assert!(records.lines().count() > 12_000, "{} lines", records.lines().count());
    ioc.command("echo last").unwrap();
    let log = ioc.log().unwrap();
    assert_eq!(log.len(), 10_000);
    assert_eq!(log[log.len() - 1].text, "last");
}

#[test]
fn a_field_that_is_no_number_is_an_error_that_shows_the_answer() {
    let mut ioc = SoftIoc::builder()
        .db(r#"record(stringin, "word") { field(VAL, "abc") }"#, &[])
        .start()
        .unwrap();
    let error = ioc.field_value("word").unwrap_err().to_string();
    assert!(error.contains("dbgf word") && error.contains("abc"), "{error}");
    let error = ioc.field_value("nobody").unwrap_err().to_string();
    assert!(error.contains("nobody"), "{error}");
}

#[test]
fn an_error_in_a_database_shows_the_line_and_everything_the_ioc_printed() {
    let text = "record(ao, \"good\") { }\nrecord(ao, \"bad\") { field(VALUE, \"1\") }\n";
    match SoftIoc::builder().db(text, &[]).start().unwrap_err() {
        IocError::Refused { reason, command, output } => {
            assert!(reason.contains("VALUE"), "{reason}");
            assert!(command.contains("softIoc"), "{command}");
            assert!(output.contains("line 2") && output.contains("user-0.db"), "{output}");
        }
        other => panic!("{other:?}"),
    }
    let message = SoftIoc::builder().db(text, &[]).start().unwrap_err().to_string();
    // The start, the middle and the end of what it printed.
    for part in ["dbLoadRecords", "line 2", "user-0.db", "Break"] {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}

#[test]
fn a_database_or_template_that_does_not_exist_is_named() {
    let message = SoftIoc::builder().db_file("/nowhere/lost.db", &[]).start().unwrap_err();
    assert!(matches!(message, IocError::Refused { .. }), "{message}");
    assert!(message.to_string().contains("/nowhere/lost.db"), "{message}");
    let instances = [macros(&[("A", "1")])];
    let message = SoftIoc::builder().template("/nowhere/lost.template", instances).start();
    let message = message.unwrap_err();
    assert!(matches!(message, IocError::Refused { .. }), "{message}");
    assert!(message.to_string().contains("/nowhere/lost.template"), "{message}");
}

#[test]
fn a_refused_command_is_an_error_before_and_after_init() {
    let mut builders = vec![
        SoftIoc::builder().command_before_init("nonsense 1"),
        SoftIoc::builder().command_after_init("nonsense 1"),
    ];
    // To the shell of an older Base a put that fails is no error.
    if !epics_gauge::BASE.contains("7.0.7") {
        builders.push(SoftIoc::builder().command_after_init("dbpf nobody 1"));
    }
    for builder in builders {
        match builder.start() {
            Err(error @ IocError::Refused { .. }) => {
                let message = error.to_string();
                assert!(message.contains("nonsense") || message.contains("nobody"), "{message}");
            }
            Err(other) => panic!("{other:?}"),
            Ok(mut ioc) => panic!("it serves: {:?}", ioc.log()),
        }
    }
}

#[test]
fn a_rate_that_the_ioc_does_not_offer_is_refused_with_those_that_it_does() {
    let error = SoftIoc::builder().pvs(1).rate_hz(7.0).start().unwrap_err();
    assert!(matches!(error, IocError::InvalidRequest(_)), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("7 Hz") && message.contains("120"), "{message}");
    let too_many = SoftIoc::builder().pvs(epics_gauge::ioc::MAX_PVS + 1).start().unwrap_err();
    assert!(matches!(too_many, IocError::InvalidRequest(_)), "{too_many:?}");
}

#[test]
fn an_ioc_that_misses_its_deadline_is_an_error_with_its_command_and_output() {
    let builder = SoftIoc::builder()
        .command_before_init("echo \"so far so good\"")
        .command_before_init("epicsThreadSleep 20")
        .deadline(Duration::from_secs(3));
    let start = Instant::now();
    let error = builder.start().unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(15), "the deadline was not enforced");
    assert!(matches!(error, IocError::Process(ProcessError::TimedOut { .. })), "{error:?}");
    let message = error.to_string();
    for part in ["softIoc", "-D", "serve", "3 s", "so far so good"] {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}

#[test]
fn a_program_that_is_no_ioc_is_an_error_with_its_command() {
    let error = SoftIoc::builder().program("/bin/false").start().unwrap_err();
    assert!(matches!(error, IocError::Process(ProcessError::Ended { .. })), "{error:?}");
    assert!(error.to_string().contains("/bin/false"), "{error}");
    let error = SoftIoc::builder().program("/nowhere/softIoc").start().unwrap_err();
    assert!(matches!(error, IocError::InvalidRequest(_)), "{error:?}");
    for part in ["/nowhere/softIoc", "no such file", "EPICS_BASE/bin"] {
        assert!(error.to_string().contains(part), "no {part} in: {error}");
    }
}

#[test]
fn a_crash_of_the_ioc_is_reported_at_once_by_whatever_is_asked_next() {
    let asked: [(&str, fn(&mut SoftIoc) -> Result<(), IocError>); 3] = [
        ("command", |ioc| ioc.command("echo 1").map(|_| ())),
        ("tick", SoftIoc::tick),
        ("log", |ioc| ioc.log().map(|_| ())),
    ];
    for number in [libc::SIGSEGV, libc::SIGKILL] {
        for (name, ask) in asked {
            let mut ioc = SoftIoc::builder().pvs(1).start().unwrap();
            // What the IOC says of its own accord goes to stderr, as this does.
            ioc.command("last-words").unwrap();
            ioc.command("echo \"asked for\"").unwrap();
            let seen = process(ioc.pid()).unwrap();
            signal(ioc.pid(), number);
            wait_until_gone(&[seen]);
            let start = Instant::now();
            let mut outcome = ask(&mut ioc);
            if name == "log" {
                // It never waits, so the end may not have been noticed yet.
                wait_until("log reports the crash", || {
                    outcome = ask(&mut ioc);
                    outcome.is_err()
                });
            }
            assert!(start.elapsed() < Duration::from_secs(5), "{name} waited");
            match outcome {
                Err(IocError::Process(ProcessError::Ended { status, output, command })) => {
                    use std::os::unix::process::ExitStatusExt;
                    assert_eq!(status.signal(), Some(number), "{name}");
                    assert!(output.contains("last-words"), "{name}: {output}");
                    assert!(!output.contains("asked for"), "{name}: {output}");
                    assert!(command.contains("softIoc"), "{name}: {command}");
                }
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn its_folder_and_its_process_are_gone_when_it_is_dropped() {
    let ioc = SoftIoc::builder().pvs(1).start().unwrap();
    let (folder, seen) = (ioc.folder().to_owned(), process(ioc.pid()).unwrap());
    assert_eq!(seen.name, "softIoc");
    assert!(folder.join("st.cmd").exists());
    drop(ioc);
    assert!(!seen.lives());
    assert!(!folder.exists());
}

/// A softIoc whose exit code is kept in the file `exit-code` beside it, unless
/// it is killed.
fn ioc_that_tells_its_exit_code(folder: &Path) -> PathBuf {
    let program = folder.join("softIoc");
    let real = epics_gauge::embedded::tool("softIoc").unwrap();
    let code = folder.join("exit-code");
    let script = format!("#!/bin/sh\n{} \"$@\"\necho $? > {}\n", real.display(), code.display());
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn it_leaves_by_itself_when_it_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let program = ioc_that_tells_its_exit_code(folder.path());
    let exit_code = || fs::read_to_string(folder.path().join("exit-code"));
    let ioc = around_own(&program).start().unwrap();
    let (seen, own_folder) = (process(ioc.pid()).unwrap(), ioc.folder().to_owned());
    ioc.stop();
    assert!(!seen.lives());
    assert!(!own_folder.exists());
    assert_eq!(exit_code().unwrap(), "0\n");
    fs::remove_file(folder.path().join("exit-code")).unwrap();
    drop(around_own(&program).start().unwrap());
    assert!(exit_code().is_err(), "drop should not wait for it");
}

#[tokio::test]
async fn it_starts_in_async_code_without_blocking_it() {
    let mut turns = 0;
    let builder = SoftIoc::builder().pvs(2);
    let mut starting = std::pin::pin!(builder.start_async());
    let mut ioc = loop {
        tokio::select! {
            started = &mut starting => break started.unwrap(),
            () = tokio::time::sleep(Duration::from_millis(5)) => turns += 1,
        }
    };
    assert!(turns > 10, "the runtime turned {turns} times in over 0.5 s");
    ioc.tick().unwrap();
    assert_eq!(ioc.field_value("gauge:1").unwrap(), ioc.expected_value(1));
    let refused = SoftIoc::builder().rate_hz(7.0).start_async().await;
    assert!(matches!(refused, Err(IocError::InvalidRequest(_))));
}

#[test]
fn ten_thousand_pvs_serve_within_seconds() {
    let start = Instant::now();
    let mut ioc = SoftIoc::builder().pvs(10_000).start().unwrap();
    let took = start.elapsed();
    eprintln!("10 000 PVs served after {:.2} s", took.as_secs_f64());
    assert!(took < Duration::from_secs(10), "{took:?}");
    ioc.tick().unwrap();
    assert_eq!(ioc.field_value("gauge:9999").unwrap(), ioc.expected_value(9_999));
}

fn events(ioc: &mut SoftIoc) -> Vec<LogEvent> {
    ioc.log().unwrap().iter().filter_map(|line| line.event).collect()
}

fn has_line(ioc: &mut SoftIoc, event: LogEvent, text: &str) -> bool {
    let mut log = ioc.log().unwrap().iter();
    log.any(|line| line.event == Some(event) && line.text.contains(text))
}

#[test]
fn an_overflow_of_each_callback_queue_is_an_event_in_the_log() {
    // A hundred posts of one event in a row, while each is worth thousands of
    // records: a queue of ten cannot take them.
    let mut text = String::new();
    for post in 0..100 {
        text += &format!(
            "record(event, \"post:{post}\") {{ field(VAL, \"flood\") field(FLNK, \"post:{}\") }}\n",
            post + 1
        );
    }
    for priority in ["LOW", "MEDIUM", "HIGH"] {
        for number in 0..2_000 {
            text += &format!(
                "record(calc, \"work:{priority}:{number}\") {{ field(SCAN, \"Event\") \
                 field(EVNT, \"flood\") field(PRIO, \"{priority}\") field(CALC, \"VAL+1\") }}\n"
            );
        }
    }
    let mut ioc = SoftIoc::builder()
        .db(text, &[])
        .command_before_init("callbackSetQueueSize 10")
        .start()
        .unwrap();
    assert_eq!(events(&mut ioc), []);
    let mut rounds = 0;
    for queue in ["cbLow", "cbMedium", "cbHigh"] {
        // Once is enough nearly always, but a busy machine may have other ideas.
        wait_until(&format!("{queue} overflows"), || {
            ioc.command("dbpf post:0.PROC 1").unwrap();
            rounds += 1;
            has_line(&mut ioc, LogEvent::CallbackQueueFull, queue)
        });
    }
    // The log and the server count the same: how often a queue was found full. Base
    // counts no request that is refused until the queue has moved on.
    let asked = f64::from(rounds * 100 * 3);
    wait_until("the counts agree", || {
        let episodes = ioc.count_of(LogEvent::CallbackQueueFull).unwrap();
        let overflows = ioc.counters().unwrap().callback_overflows.unwrap();
        episodes >= 3 && overflows == episodes
    });
    let processed = ["LOW", "MEDIUM", "HIGH"]
        .map(|priority| ioc.field_value(&format!("work:{priority}:0")).unwrap());
    let lost = asked - processed.iter().sum::<f64>();
    let overflows = ioc.counters().unwrap().callback_overflows.unwrap();
    assert!(lost >= overflows as f64, "{lost} lost in {overflows} overflows");
}

/// A script around the softIoc of this crate, with its database definition.
fn around_own(program: &Path) -> Builder {
    let definition = embedded::tool("softIoc.dbd").unwrap();
    SoftIoc::builder().program(program).dbd(definition)
}

/// The softIoc of this crate with another Base's words: `edits` are those of sed.
fn in_other_words(folder: &Path, edits: &str) -> PathBuf {
    let program = folder.join("softIoc");
    let real = embedded::tool("softIoc").unwrap();
    let text = format!("#!/bin/sh\n'{}' \"$@\" | sed -u '{edits}'\n", real.display());
    fs::write(&program, text).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

#[test]
fn counters_in_other_words_are_errors_with_the_answer_and_never_0() {
    for (edits, wrong, shown) in [
        ("s/No PV event subscriptions/No subscribers/", "dbel gauge:0 3", "No subscribers"),
        ("s/over-runs/overruns/", "scanppl", "(0 overruns)"),
        ("/^Records with SCAN/d", "scanppl", "gauge:0"),
        ("s/Q OVERFLOWS/LOST/", "callbackQueueShow", "LOST"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let program = in_other_words(folder.path(), edits);
        let mut ioc = around_own(&program).pvs(1).rate_hz(10.0).start().unwrap();
        let error = ioc.counters().unwrap_err();
        let IocError::UnknownAnswer { command, answer, .. } = &error else { panic!("{error:?}") };
        assert!(command == wrong && answer.contains(shown), "{edits}: {error}");
        let message = error.to_string();
        assert!(message.contains(wrong) && message.contains(shown), "{message}");
    }
}

#[test]
fn a_base_whose_shell_ignores_errors_is_refused_with_its_release() {
    let folder = tempfile::tempdir().unwrap();
    let program = in_other_words(folder.path(), "s/ on  */ xx /;s/^## EPICS.*/## EPICS R3.15.9/");
    let error = around_own(&program).start().unwrap_err();
    assert!(matches!(error, IocError::InvalidRequest(_)), "{error:?}");
    for part in ["3.15.9", "on error", "7.0.4", &program.display().to_string()] {
        assert!(error.to_string().contains(part), "no {part} in: {error}");
    }
}

#[test]
fn a_count_that_an_older_base_does_not_have_is_absent() {
    let folder = tempfile::tempdir().unwrap();
    let edits = "/^PRIORITY/d;/^ *cb[LMH]/d;/callbackQueueShow/d";
    let program = in_other_words(folder.path(), edits);
    let mut older = around_own(&program).pvs(1).start().unwrap();
    assert_eq!(older.counters().unwrap().callback_overflows, None);
    let mut ours = SoftIoc::builder().pvs(1).start().unwrap();
    assert_eq!(ours.counters().unwrap().callback_overflows, Some(0));
    // The channel by which the fixture proved that the IOC serves is closed by now, but the
    // IOC may notice it later.
    let deadline = Instant::now() + Duration::from_secs(5);
    while ours.channels().unwrap() != 0 {
        assert!(Instant::now() < deadline, "a channel is left");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_overflow_of_the_scan_once_queue_is_an_event_in_the_log() {
    // RPRO asks for one more processing when a record has been processed.
    let mut text = String::from("record(event, \"go\") { field(VAL, \"flood\") }\n");
    for number in 0..2_000 {
        text += &format!(
            "record(calc, \"work:{number}\") {{ field(SCAN, \"Event\") field(EVNT, \"flood\") \
             field(CALC, \"VAL+1\") field(RPRO, \"1\") }}\n"
        );
    }
    let mut ioc = SoftIoc::builder()
        .db(text, &[])
        .command_before_init("scanOnceSetQueueSize 10")
        .start()
        .unwrap();
    assert_eq!(events(&mut ioc), []);
    ioc.command("dbpf go.PROC 1").unwrap();
    wait_until("the scan-once queue overflows", || {
        has_line(&mut ioc, LogEvent::ScanOnceQueueFull, "work:")
    });
}

#[test]
fn a_scan_that_overruns_is_an_event_in_the_log() {
    let mut ioc = SoftIoc::builder().pvs(1).rate_hz(10.0).start().unwrap();
    let overruns = ioc.command("scanppl").unwrap();
    assert!(overruns.contains("over-runs"), "{overruns}");
    assert_eq!(events(&mut ioc), [], "scanppl itself is no overrun");
    // Base reports ten overruns in a row, after ten seconds. An IOC that is
    // halted most of the time overruns without any load on this machine.
    wait_until("the overrun is reported", || {
        signal(ioc.pid(), libc::SIGSTOP);
        std::thread::sleep(Duration::from_millis(250));
        signal(ioc.pid(), libc::SIGCONT);
        std::thread::sleep(Duration::from_millis(5));
        events(&mut ioc).contains(&LogEvent::ScanOverrun)
    });
}

#[test]
fn an_overflow_of_the_error_log_is_an_event_in_the_log() {
    let mut text = String::from("record(event, \"go\") { field(VAL, \"flood\") }\n");
    for number in 0..2_000 {
        text += &format!(
            "record(stringout, \"noise:{number}\") {{ field(SCAN, \"Event\") field(EVNT, \"flood\") \
             field(DTYP, \"stdio\") field(OUT, \"@errlog\") field(VAL, \"something went wrong\") }}\n"
        );
    }
    let mut ioc = SoftIoc::builder().db(text, &[]).start().unwrap();
    assert_eq!(events(&mut ioc), []);
    wait_until("the error log overflows", || {
        ioc.command("dbpf go.PROC 1").unwrap();
        has_line(&mut ioc, LogEvent::ErrorLogFull, "messages")
    });
}
