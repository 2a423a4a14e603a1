//! `epics-gauge ioc` for a command, and for a program that speaks JSON.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::processes::proc_files::{
    Seen, descendants, ioc_below, process, signal, wait_until, wait_until_gone,
};
use crate::support::program;

const RECORD: &str = "record(stringout, \"$(P)n\") { field(VAL, \"$(N)\") }\n";

fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.db"), RECORD).unwrap();
    folder
}

fn ioc(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.arg("ioc").args(arguments).current_dir(folder.path()).stdin(Stdio::null());
    command.output().unwrap()
}

#[track_caller]
fn ends_with(output: &Output, code: i32, expected: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in expected {
        assert!(stderr.contains(part), "no {part} in: {stderr}");
    }
}

#[test]
fn a_command_finds_the_ioc_by_its_environment_and_its_exit_code_is_passed_on() {
    let folder = folder();
    let asked = "test \"$EPICS_CA_ADDR_LIST\" = 127.0.0.1 && test -n \"$EPICS_CA_SERVER_PORT\" \
                 && test -z \"$EPICS_MINE\" && echo \"$KEPT\" && exit 7";
    let output = Command::new(program())
        .args(["ioc", "--db", "a.db", "-m", "P=t:,N=\"a,b\"", "--log", "ioc.log"])
        .args(["--after-init", "dbgf t:n", "--", "sh", "-c", asked])
        .envs([("EPICS_MINE", "1"), ("KEPT", "kept")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    ends_with(&output, 7, &[]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "kept\n");
    let log = fs::read_to_string(folder.path().join("ioc.log")).unwrap();
    assert!(log.contains("\"a,b\""), "{log}");
    ends_with(&ioc(&folder, &["--", "true"]), 0, &[]);
    ends_with(&ioc(&folder, &["--", "sh", "-c", "kill -TERM $$"]), 128 + 15, &[]);
    ends_with(&ioc(&folder, &["--", "no-such-command"]), 64, &["no-such-command"]);
}

#[test]
fn an_ioc_that_dies_under_a_command_is_reported_and_is_no_success() {
    let folder = folder();
    // The IOC's shell ends it; the command sees nothing of that.
    let arguments = ["--after-init", "epicsThreadSleep 0", "--", "sh", "-c"];
    let kill = "kill -9 $(cat pid); sleep 1";
    let find = format!(
        "{} && {kill}",
        "for p in /proc/[0-9]*; do \
        if [ \"$(cat $p/comm 2>/dev/null)\" = softIoc ] && grep -qz \"EPICS_CAS_SERVER_PORT=$EPICS_CA_SERVER_PORT\" $p/environ 2>/dev/null; \
        then echo ${p#/proc/} > pid; fi; done"
    );
    let output = ioc(&folder, &[&arguments[..], &[find.as_str()]].concat());
    ends_with(&output, 4, &["the IOC died while it ran", "signal: 9"]);
}

/// Each unpacks into a cache of its own and reserves ports that the other does not get.
#[test]
fn two_users_have_iocs_at_the_same_time() {
    // SAFETY: asks for a number.
    if unsafe { libc::geteuid() } != 0 {
        eprintln!("not tried: only root can be another user");
        return;
    }
    let folder = folder();
    let (copy, home) = (folder.path().join("epics-gauge"), folder.path().join("home"));
    // By another process: see the tests of the lock.
    assert!(Command::new("cp").arg(program()).arg(&copy).status().unwrap().success());
    fs::create_dir(&home).unwrap();
    for path in [folder.path(), &home] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let other = "setpriv --reuid=65534 --regid=65534 --clear-groups env -u EPICS_GAUGE_CACHE \
                 -u XDG_CACHE_HOME";
    let asked = format!(
        "{other} HOME={} {} ioc --pvs 1 -- sh -c 'id -u; echo $EPICS_CA_SERVER_PORT'; \
         echo $EPICS_CA_SERVER_PORT",
        home.display(),
        copy.display()
    );
    let output = ioc(&folder, &["--pvs", "1", "--", "sh", "-c", &asked]);
    ends_with(&output, 0, &[]);
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let printed = String::from_utf8_lossy(&output.stderr);
    let [user, theirs, ours] = lines[..] else { panic!("{text}{printed}") };
    assert_eq!(user, "65534");
    assert!(theirs != ours && !theirs.is_empty(), "{text}");
}

/// The starter is gone before the program could know who that was, and while the IOC starts.
#[test]
fn nothing_is_left_when_the_process_that_it_serves_is_killed_while_it_starts() {
    let folder = folder();
    for wait in ["true", "sleep 0.3"] {
        let serve = format!("{} ioc --json --with=$$ <&3 >out & {wait}", program().display());
        let kill = "echo $! > pid; kill -9 $$";
        let mut starter = Command::new("sh")
            .args(["-c", &format!("exec 3<&0; {serve}; {kill}")])
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        starter.wait().unwrap();
        let pid = fs::read_to_string(folder.path().join("pid")).unwrap();
        let pid: u32 = pid.trim().parse().unwrap();
        wait_until("it has ended", || process(pid).is_none());
    }
    let nobody = ioc(&folder, &["--json", "--with", "4194304"]);
    ends_with(&nobody, 0, &[]);
    ends_with(&ioc(&folder, &["--with", "0"]), 64, &["--with"]);
}

#[test]
fn nothing_is_left_when_it_is_killed_while_its_command_runs() {
    let folder = folder();
    let mut child = Command::new(program())
        .args(["ioc", "--", "sh", "-c", "sleep 1000 & wait"])
        .current_dir(folder.path())
        .spawn()
        .unwrap();
    let runs = |process: &Seen| process.name == "sleep";
    wait_until("the command runs", || descendants(child.id()).iter().any(runs));
    let family = descendants(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until_gone(&family);
}

#[test]
fn a_signal_ends_the_command_first() {
    let folder = folder();
    let asked = "trap 'echo ended > ended; exit 3' TERM; echo begun > begun; \
                 while true; do sleep 0.05; done";
    let mut child = Command::new(program())
        .args(["ioc", "--", "sh", "-c", asked])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the command runs", || folder.path().join("begun").exists());
    signal(child.id(), libc::SIGTERM);
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(folder.path().join("ended").exists());
}

#[test]
fn an_ioc_that_dies_is_reported_with_its_last_words() {
    let folder = folder();
    let child = Command::new(program())
        .arg("ioc")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    signal(ioc_below(child.id()), libc::SIGKILL);
    ends_with(&child.wait_with_output().unwrap(), 4, &["ended early", "signal: 9"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named_with_how_to_mend_it() {
    let output = Command::new(program())
        .args(["ioc", "--for", "1s"])
        .env("TMPDIR", "/proc/nowhere")
        .output()
        .unwrap();
    ends_with(&output, 4, &["/proc/nowhere", "TMPDIR"]);
}

#[test]
fn arguments_that_cannot_be_are_refused() {
    let folder = folder();
    for (arguments, expected) in [
        (vec!["-m", "P=1", "--db", "a.db"], vec!["--db FILE -m P=1"]),
        (vec!["--db", "a.db", "-m", "P=1,b"], vec!["macro `b` has no value"]),
        (vec!["--for", "soon"], vec!["`soon` is no time", "60s"]),
        (vec!["--cmd", "st.cmd", "--db", "a.db"], vec!["cannot be used with"]),
        (vec!["--acf-macros", "A=1"], vec!["--acf"]),
        (vec!["--server", "p4p-server", "--db", "a.db"], vec!["--db is for softioc"]),
        (vec!["--server", "nothing"], vec!["unknown server `nothing`"]),
        (vec!["--log", "/nowhere/x", "--for", "1s"], vec!["cannot write the log /nowhere/x"]),
        (vec!["--db", "none.db", "--for", "1s"], vec!["none.db"]),
    ] {
        ends_with(&ioc(&folder, &arguments), 64, &expected);
    }
}

/// The other side of `--json`.
struct Driver {
    child: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    logged: Vec<String>,
}

impl Driver {
    fn start(folder: &TempDir, arguments: &[&str]) -> Driver {
        let mut command = Command::new(program());
        command.args(["ioc", "--json"]).args(arguments).current_dir(folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Driver { child, stdin, lines, logged: Vec::new() }
    }

    /// The next event that is no log line.
    fn next(&mut self) -> Value {
        loop {
            let line = self.lines.next().expect("it says something").unwrap();
            let event: Value = serde_json::from_str(&line).unwrap();
            match event["event"].as_str().unwrap() {
                "log" => self.logged.push(event["text"].as_str().unwrap().to_owned()),
                _ => return event,
            }
        }
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.stdin, "{request}").unwrap();
        self.next()
    }

    fn command(&mut self, text: &str) -> String {
        let answer = self.ask(&json!({ "request": "command", "text": text }));
        answer["text"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

#[test]
fn a_program_in_any_language_drives_an_ioc_by_json() {
    let folder = folder();
    let mut driver = Driver::start(&folder, &["--db", "a.db", "-m", "P=t:,N=one", "--pvs", "1"]);
    let ready = driver.next();
    assert_eq!(ready["event"], "ready");
    assert_eq!(ready["ports"]["pva"], Value::Null);
    assert_eq!(ready["environment"]["EPICS_CA_ADDR_LIST"], "127.0.0.1");
    assert!(ready["base"].as_str().unwrap().starts_with('7'), "{ready}");
    let pid = ready["pid"].as_u64().unwrap();
    assert!(descendants(driver.child.id()).iter().any(|process| u64::from(process.pid) == pid));

    driver.command("dbpf t:n two");
    assert!(driver.command("dbgf t:n").contains("\"two\""));
    assert_eq!(driver.ask(&json!({ "request": "process" }))["event"], "answer");
    assert!(driver.command("dbgf gauge:0").contains("1048576"));

    let again = driver.ask(&json!({ "request": "restart", "port": "other", "values": true }));
    assert_ne!(again["ports"]["ca"], ready["ports"]["ca"]);
    assert_ne!(again["pid"], ready["pid"]);
    assert!(driver.command("dbgf t:n").contains("\"two\""));
    driver.ask(&json!({ "request": "restart" }));
    assert!(driver.command("dbgf t:n").contains("\"one\""));

    assert_eq!(driver.ask(&json!({ "request": "pause" }))["event"], "answer");
    assert_eq!(driver.ask(&json!({ "request": "resume" }))["event"], "answer");
    let refused = driver.ask(&json!({ "request": "dance" }));
    assert_eq!(refused["event"], "refused");
    assert!(refused["error"].as_str().unwrap().contains("restart, pause"), "{refused}");
    driver.command("echo \"a line of the log\"");
    assert_eq!(driver.ask(&json!({ "request": "stop" }))["event"], "answer");
    assert_eq!(driver.child.wait().unwrap().code(), Some(0));
    assert!(driver.logged.iter().any(|line| line == "a line of the log"), "{:?}", driver.logged);
}

#[test]
fn what_goes_wrong_is_an_event() {
    let folder = folder();
    let mut driver = Driver::start(&folder, &["--db", "a.db"]);
    let failed = driver.next();
    assert_eq!(failed["event"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("macro"), "{failed}");
    assert_eq!(driver.child.wait().unwrap().code(), Some(64));

    let mut driver = Driver::start(&folder, &[]);
    let ready = driver.next();
    signal(u32::try_from(ready["pid"].as_u64().unwrap()).unwrap(), libc::SIGKILL);
    let ended = driver.next();
    assert_eq!(ended["event"], "ended");
    assert!(ended["error"].as_str().unwrap().contains("signal: 9"), "{ended}");
    let again = driver.ask(&json!({ "request": "restart" }));
    assert_eq!(again["event"], "answer", "{again}");
    signal(driver.child.id(), libc::SIGTERM);
    assert_eq!(driver.child.wait().unwrap().code(), Some(0));
}
