//! The databases that people have: of any encoding, that include others, with templates and
//! macros, under a script, a program and rules of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use epics_gauge::embedded;
use epics_gauge::ioc::{Builder, IocError, SoftIoc};
use tempfile::TempDir;

/// Files in a folder whose name needs quotes everywhere.
struct Files {
    folder: TempDir,
}

impl Files {
    fn of(files: &[(&str, &str)]) -> Files {
        let folder = tempfile::Builder::new().prefix("Überall $1 \"a\" ").tempdir().unwrap();
        let written = Files { folder };
        for (name, text) in files {
            written.write(name, text.as_bytes());
        }
        written
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn program(&self, name: &str, text: &str) -> PathBuf {
        self.write(name, format!("#!/bin/sh\n{text}\n").as_bytes());
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
        self.path(name)
    }
}

fn shown(ioc: &mut SoftIoc, field: &str) -> String {
    ioc.command(&format!("dbgf {field}")).unwrap()
}

#[track_caller]
fn refused(builder: &Builder, parts: &[&str]) {
    let error = builder.start().unwrap_err();
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}

#[test]
fn a_database_that_is_not_utf8_is_loaded_with_its_rate() {
    let files = Files::of(&[]);
    files.write("a.db", b"record(calc, x) { field(EGU, \"\xb0C\") field(SCAN, \"100 Hz\") }\n");
    let mut ioc = SoftIoc::builder().db_file(files.path("a.db"), &[]).start().unwrap();
    assert!(shown(&mut ioc, "x.SCAN").contains("100 Hz"));
}

#[test]
fn files_that_others_include_are_found_beside_them_and_their_rates_count() {
    let files = Files::of(&[
        ("a.db", "include \"b.db\"\n"),
        ("b.db", "record(calc, x) { field(SCAN, \"50 Hz\") }\n"),
        ("s.substitutions", "file c.template {\n  pattern { P, N }\n  { \"t:\", \"a,b\" }\n}\n"),
        ("c.template", "include \"d.db\"\nrecord(stringout, \"$(P)n\") { field(VAL, \"$(N)\") }\n"),
        ("d.db", "record(ao, \"$(P)$(Q)\") { field(SCAN, \"20 Hz\") }\n"),
    ]);
    let mut ioc = SoftIoc::builder()
        .db_file(files.path("a.db"), &[])
        .db_file(files.path("s.substitutions"), &[("Q", "q")])
        .start()
        .unwrap();
    assert!(shown(&mut ioc, "x.SCAN").contains("50 Hz"));
    assert!(shown(&mut ioc, "t:q.SCAN").contains("20 Hz"));
    assert!(shown(&mut ioc, "t:n").contains("\"a,b\""));
}

#[test]
fn several_databases_have_macros_of_their_own_as_maclib_quotes_them() {
    let record = "record(stringout, \"$(P)n\") { field(VAL, \"$(N)\") }\n";
    let files = Files::of(&[("a.db", record), ("b.db", record)]);
    let mut ioc = SoftIoc::builder()
        .db_file_with(files.path("a.db"), "P=t:,N=\"a,b\"")
        .db_file_with(files.path("b.db"), "P=u:, N = 'c d'")
        .start()
        .unwrap();
    assert!(shown(&mut ioc, "t:n").contains("\"a,b\""));
    assert!(shown(&mut ioc, "u:n").contains("\"c d\""));
}

#[test]
fn what_a_database_lacks_is_named_with_file_and_line_and_what_to_do() {
    let files = Files::of(&[
        ("type.db", "\nrecord(asyn, \"x\") { }\n"),
        ("device.db", "record(ai, \"x\") {\n  field(DTYP, \"asynInt32\")\n}\n"),
        ("include.db", "include \"nowhere.db\"\n"),
        ("macro.db", "record(ai, \"$(P)x\") { field(DESC, \"$(NO)\") }\n"),
        ("rate.db", "record(ai, \"x\") { field(SCAN, \"7 Hz\") }\n"),
        ("bad.substitutions", "file {\n { }\n"),
        ("lost.substitutions", "file \"nowhere.template\" { { P=1 } }\n"),
    ]);
    let cases: [(&str, &[&str]); 7] = [
        ("type.db", &["asyn", "type.db\" line 2", "--program"]),
        ("device.db", &["asynInt32", "device.db\" line 2", "--program"]),
        ("include.db", &["nowhere.db", "include.db\" line 1", "EPICS_DB_INCLUDE_PATH"]),
        ("macro.db", &["macro NO", "-m NAME=VALUE"]),
        ("rate.db", &["7 Hz", "menu of your own"]),
        ("bad.substitutions", &["syntax error", "line "]),
        ("lost.substitutions", &["nowhere.template", "EPICS_DB_INCLUDE_PATH"]),
    ];
    for (name, parts) in cases {
        refused(&SoftIoc::builder().db_file_with(files.path(name), "P=t:"), parts);
    }
    let path = PathBuf::from("/tmp/with\nline.db");
    refused(&SoftIoc::builder().db_file(path, &[]), &["line end", "symbolic link"]);
}

#[test]
fn a_menu_of_the_users_own_keeps_its_rates() {
    let dbd = fs::read_to_string(embedded::tool("softIoc.dbd").unwrap()).unwrap();
    let passive = "choice(menuScanPassive, \"Passive\")";
    assert!(dbd.contains(passive));
    // Base wants periodic choices ordered from slowest to fastest.
    let own = dbd.replace(
        "choice(menuScan20_Hz, \"20 Hz\")",
        "choice(menuScan15_Hz, \"15 Hz\")\n    choice(menuScan20_Hz, \"20 Hz\")",
    );
    let files = Files::of(&[("own.dbd", &own)]);
    let record = "record(calc, x) { field(SCAN, \"15 Hz\") }";
    let builder = SoftIoc::builder().dbd(files.path("own.dbd")).db(record, &[]);
    let mut ioc = builder.start().unwrap();
    assert!(shown(&mut ioc, "x.SCAN").contains("15 Hz"));
    ioc.command("dbpf x.SCAN \"20 Hz\"").unwrap();
    assert!(shown(&mut ioc, "x.SCAN").contains("20 Hz"), "a rate that no record names");
}

#[test]
fn access_security_follows_a_file_and_its_macros() {
    let files = Files::of(&[
        ("rules.acf", "ASG(DEFAULT) { RULE(1, $(RIGHT)) }\n"),
        ("broken.acf", "ASG(DEFAULT) { RULE(1, READ)\n"),
    ]);
    let record = "record(ao, x) { }";
    let with = |name: &str| {
        SoftIoc::builder().db(record, &[]).access_security(files.path(name), "RIGHT=READ")
    };
    let mut ioc = with("rules.acf").start().unwrap();
    assert!(ioc.command("asdbdump").unwrap().contains("READ"));
    refused(&with("broken.acf"), &["syntax error"]);
}

/// As people write it: it sets its own prompt, and names its files from its own folder.
const SCRIPT: &str = "#!softIoc-of-the-test\n\
                      epicsEnvSet IOCSH_PS1 \"mine> \"\n\
                      < settings\n\
                      dbLoadRecords \"a.db\" \"P=$(P)\"\n";

#[test]
fn a_script_of_the_users_own_runs_as_it_is() {
    let files = Files::of(&[
        ("settings", "epicsEnvSet P t:\n"),
        ("a.db", "record(ao, \"$(P)x\") { field(VAL, 3) field(SCAN, \"50 Hz\") }\n"),
        ("plain.cmd", SCRIPT),
        ("inits.cmd", &format!("{SCRIPT}iocInit\ndbpf t:x 4\n")),
        ("fails.cmd", &format!("{SCRIPT}nonsense\niocInit\n")),
        ("nothing.cmd", "# nothing\n"),
    ]);
    let program = embedded::tool("softIoc").unwrap();
    let definition = embedded::tool("softIoc.dbd").unwrap();
    let with =
        |name: &str| SoftIoc::builder().script(files.path(name)).program(&program).dbd(&definition);
    for (name, value) in [("plain.cmd", 3.0), ("inits.cmd", 4.0)] {
        let mut ioc = with(name).start().unwrap();
        assert_eq!(ioc.field_value("t:x").unwrap(), value, "{name}");
        ioc.restart(None).unwrap();
        assert_eq!(ioc.field_value("t:x").unwrap(), value, "{name}");
    }
    // As Base does, it goes on after an error, which is in its log.
    let mut ioc = with("fails.cmd").start().unwrap();
    assert!(ioc.log().unwrap().iter().any(|line| line.text.contains("nonsense")));
    let mut ioc = with("nothing.cmd").command_after_init("dbl").start().unwrap();
    assert_eq!(ioc.command("dbl").unwrap(), "");
    refused(&with("plain.cmd").pvs(1), &["plain.cmd", "as it is"]);
    refused(&with("none.cmd"), &["none.cmd", "No such file"]);
    // The program is that of the first line, as a shell would start it.
    let of_script = SoftIoc::builder().script(files.path("plain.cmd"));
    refused(&of_script, &["softIoc-of-the-test", "no such file"]);
}

/// An IOC application takes no `-D`: its script loads its definition and registers.
#[test]
fn an_application_registers_by_itself_and_serves() {
    let dbd = fs::read_to_string(embedded::tool("softIoc.dbd").unwrap()).unwrap();
    let files = Files::of(&[("dbd/softIoc.dbd", &dbd), ("nothing.dbd", "")]);
    let real = embedded::tool("softIoc").unwrap();
    // It has no record types until its script loads them.
    let text = format!(
        "if [ \"$1\" = -h ]; then echo \"Can't open -h: No such file\" >&2; exit 0; fi\n\
         [ $# = 0 ] || exit 1\nexec '{}' -D '{}'",
        real.display(),
        files.path("nothing.dbd").display()
    );
    let program = files.program("bin/arch/softIoc", &text);
    let mut ioc = SoftIoc::builder().program(&program).pvs(2).rate_hz(50.0).start().unwrap();
    assert!(shown(&mut ioc, "gauge:1.SCAN").contains("50 Hz"));
    let unknown = files.program("bin/arch/unknown", &text);
    refused(&SoftIoc::builder().program(&unknown), &["no softIoc", "dbd/NAME.dbd", "--dbd"]);
}

#[test]
fn a_database_that_never_ends_is_an_error_when_the_deadline_passes() {
    let files = Files::of(&[]);
    let pipe = files.path("pipe.db");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let builder = SoftIoc::builder().db_file(&pipe, &[]).deadline(Duration::from_secs(2));
    refused(&builder, &["serve", "2 s", "pipe"]);
    refused(&SoftIoc::builder().script(files.folder.path()), &["is not a file"]);
}

/// It prints faster than anybody reads, and answers all the same.
#[test]
fn an_ioc_that_prints_without_end_still_obeys() {
    let files = Files::of(&[]);
    let text = format!(
        "[ \"$1\" = -h ] && exec '{0}' -h\n(yes 'a line that nobody asked for' & echo $! > \"$0.pid\"; wait) &\n\
         exec '{0}' \"$@\"",
        embedded::tool("softIoc").unwrap().display()
    );
    let program = files.program("noisy", &text);
    let definition = embedded::tool("softIoc.dbd").unwrap();
    let mut ioc = SoftIoc::builder().program(&program).dbd(definition).pvs(1).start().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    ioc.tick().unwrap();
    assert_eq!(ioc.field_value("gauge:0").unwrap(), ioc.expected_value(0));
    assert!(ioc.log().unwrap().len() <= 10_000);
}

#[test]
fn a_program_that_cannot_be_run_is_named_with_the_reason() {
    for (program, parts) in [
        ("/nowhere/softIoc", ["/nowhere/softIoc", "no such file", "EPICS_BASE/bin"]),
        ("no-such-soft-ioc", ["no-such-soft-ioc", "no such file", "EPICS_BASE/bin"]),
        ("/tmp", ["/tmp", "not a file", "EPICS_BASE/bin"]),
    ] {
        let builder = SoftIoc::builder().program(Path::new(program));
        refused(&builder, &parts);
        assert!(matches!(builder.start(), Err(IocError::InvalidRequest(_))));
    }
}
