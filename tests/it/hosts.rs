//! Hosts of a file: checked, and measured over. Most are network namespaces on this machine.

use std::fs;
use std::path::Path;

use epics_gauge::record::{Record, RunRecords};

use crate::processes::Started;
use crate::processes::proc_files::{Seen, signal, wait_until_gone};
use crate::support::{Gauge, Ran, crowd, gauge};

/// A file with a server's host at 10.77.0.1 and a clients' host at 10.77.0.2.
fn netns(folder: &Path, of_server: &str) -> std::path::PathBuf {
    let file = folder.join("hosts.toml");
    let host = |name: &str, role: &str, last: u8, more: &str| {
        format!(
            "[[host]]\nname = \"{name}\"\nrole = \"{role}\"\naddress = \"10.77.0.{last}\"\n\
             launcher = \"netns\"\n{more}\n"
        )
    };
    let text = host("far", "server", 1, of_server) + &host("near", "client", 2, "");
    fs::write(&file, text).unwrap();
    file
}

/// A file with one host whose agent a shell starts.
fn shell_host(folder: &Path, line: &str) -> std::path::PathBuf {
    let file = folder.join("hosts.toml");
    let text = format!(
        "[[host]]\nname = \"far\"\nrole = \"server\"\naddress = \"127.0.0.1\"\n\
         launcher = {{ command = [\"sh\", \"-c\", '''{line}'''] }}\n\n\
         [[host]]\nname = \"near\"\nrole = \"client\"\naddress = \"127.0.0.1\"\n\
         launcher = \"here\"\n"
    );
    fs::write(&file, text).unwrap();
    file
}

fn agent() -> String {
    format!("exec {} agent", gauge().get_program().to_string_lossy())
}

fn checked(file: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let output = gauge().args(["hosts", "check"]).arg(file).args(flags).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text.into_owned())
}

/// What the program prints where it may not make any.
const NO_NAMESPACES: &str = "cannot make hosts of network namespaces here";

/// Whether this machine refuses to make namespaces: the program says why then.
fn has_no_namespaces(ran: &Ran) -> bool {
    let refused = ran.stderr.contains(NO_NAMESPACES);
    if refused {
        eprintln!("not tested here: {}", ran.stderr);
    }
    refused
}

#[test]
fn an_agent_answers_with_its_build_and_clocks() {
    let folder = tempfile::tempdir().unwrap();
    let (code, text) = checked(&shell_host(folder.path(), &agent()), &["--json"]);
    assert_eq!(code, Some(0), "{text}");
    let host: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(host["checked"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(host["checked"]["is_on_this_machine"], true);
    let clock = &host["checked"]["clocks"]["monotonic"];
    let offset_ns = clock["offset_ns"].as_i64().unwrap().unsigned_abs();
    let network = &host["checked"]["network"];
    assert!(network["round_trip_ns"].as_u64() > Some(0), "{text}");
    assert!(network["bytes_per_s"].as_f64() > Some(1e6), "{text}");
    // It is the same clock, so its true offset is 0.
    assert!(offset_ns <= clock["bound_ns"].as_u64().unwrap(), "{text}");
}

#[test]
fn a_clock_that_is_ahead_is_found_within_the_bound() {
    let folder = tempfile::tempdir().unwrap();
    let line = agent() + " --clocks-ahead-ms 5000";
    let (code, text) = checked(&shell_host(folder.path(), &line), &["--json"]);
    assert_eq!(code, Some(0), "{text}");
    let host: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(host["checked"]["is_on_this_machine"], false);
    for clock in ["day", "monotonic"] {
        let clock = &host["checked"]["clocks"][clock];
        let wrong_ns = (clock["offset_ns"].as_i64().unwrap() - 5_000_000_000).unsigned_abs();
        assert!(wrong_ns <= clock["bound_ns"].as_u64().unwrap(), "{text}");
    }
}

#[test]
fn a_host_that_is_no_agent_is_reported_with_what_it_printed() {
    let folder = tempfile::tempdir().unwrap();
    for (line, words) in [
        ("echo welcome; cat", "welcome"),
        ("echo no such host >&2; exit 7", "no such host"),
        (
            r#"read line; echo "{\"id\":1,\"outcome\":{\"Ok\":{\"version\":\"0.0.1\",\"content\":\"\",\"host_name\":\"\",\"cores\":1,\"boot\":\"\"}}}"; cat"#,
            "install",
        ),
        (
            r#"read line; echo "{\"id\":1,\"outcome\":{\"Ok\":{\"version\":\"VERSION\",\"content\":\"\",\"host_name\":\"\",\"cores\":1,\"boot\":\"\"}}}"; cat"#,
            "another build",
        ),
    ] {
        let line = line.replace("VERSION", env!("CARGO_PKG_VERSION"));
        let (code, text) = checked(&shell_host(folder.path(), &line), &[]);
        assert_eq!(code, Some(4), "{text}");
        assert!(text.contains(words) && text.contains("far"), "{words}: {text}");
    }
}

#[test]
fn a_file_without_another_host_is_not_found_good() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hosts.toml");
    let host = "[[host]]\nname = \"near\"\nrole = \"client\"\naddress = \"127.0.0.1\"\n\
                launcher = \"here\"\n";
    fs::write(&file, host).unwrap();
    let (code, text) = checked(&file, &[]);
    assert_eq!(code, Some(64), "{text}");
    assert!(text.contains("nothing to check") && text.contains("ssh"), "{text}");
}

#[test]
fn a_dry_run_prints_addresses_and_commands_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = shell_host(folder.path(), "exit 7");
    let (code, text) = checked(&file, &["--dry-run"]);
    let lines = "far 127.0.0.1: sh -c exit 7\nnear 127.0.0.1: this process\n";
    assert_eq!((code, text.as_str()), (Some(0), lines));
}

#[test]
fn scenarios_of_one_host_and_files_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = shell_host(folder.path(), &agent());
    for scenario in ["many-iocs", "faults"] {
        let ran = Gauge::run(&format!("{scenario} --approach wire --hosts")).argument(&file);
        let ran = ran.finish();
        assert_eq!(ran.code, Some(64), "{}", ran.stderr);
        assert!(ran.stderr.contains("waveform"), "{}", ran.stderr);
    }
    fs::write(&file, "[[host]]\nname = \"a\"\n").unwrap();
    let ran = Gauge::run("connect --approach wire --hosts").argument(&file).finish();
    assert_eq!(ran.code, Some(64), "{}", ran.stderr);
    assert!(ran.stderr.contains("hosts.toml"), "{}", ran.stderr);
}

/// All records of a run, none of which failed.
fn good_records(ran: &Ran) -> Vec<Record> {
    let records = ran.records();
    assert!(!records.is_empty(), "{}", ran.stderr);
    for record in &records {
        assert!(record.failure.is_none(), "{}: {:?}", record.approach, record.failure);
    }
    records
}

fn whole(ran: &Ran) -> RunRecords {
    let text = fs::read_to_string(ran.out.path().join("run/records.jsonl")).unwrap();
    RunRecords::parse(&text).unwrap()
}

#[test]
fn clients_of_one_network_stack_connect_and_read_over_another() {
    let _crowd = crowd();
    let folder = tempfile::tempdir().unwrap();
    let approaches = "wire,libca,epics-ca,pyepics,caproto";
    let words = format!("connect --pvs 100 --blocks 1 --approach {approaches} --hosts");
    let ran = Gauge::run(&words).argument(netns(folder.path(), "")).finish();
    if has_no_namespaces(&ran) {
        return;
    }
    assert_eq!(good_records(&ran).len(), 5, "{}", ran.stderr);
    let run = whole(&ran);
    let host = run.run.server_host.unwrap();
    assert_eq!((host.name.as_str(), host.address.as_str()), ("far", "10.77.0.1"));
    assert!(host.is_on_this_machine);
    assert_eq!(run.end.unwrap().processes_left, Some(0));
    let report = fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        report.contains("servers: host `far`") && report.contains("network stacks of their own")
    );
}

#[cfg(feature = "pvaccess")]
#[test]
fn pv_access_and_servers_of_python_serve_another_host() {
    let _crowd = crowd();
    let folder = tempfile::tempdir().unwrap();
    let file = netns(folder.path(), "");
    for (servers, approaches, lookup) in [
        ("softioc-pva,p4p-server", "wire-pva,pvxs,p4p", "udp,name-server"),
        ("python-softioc", "wire,libca", "udp,name-server"),
        ("caproto-ioc", "wire,libca", "udp"),
    ] {
        let words = format!(
            "connect --pvs 10 --blocks 1 --mode bulk --server {servers} --approach {approaches} \
             --lookup {lookup} --hosts"
        );
        let ran = Gauge::run(&words).argument(&file).finish();
        if has_no_namespaces(&ran) {
            return;
        }
        assert!(good_records(&ran).len() >= 2, "{}", ran.stderr);
    }
}

#[test]
fn usage_of_a_server_elsewhere_is_sampled_there_on_the_clients_clock() {
    let _crowd = crowd();
    let folder = tempfile::tempdir().unwrap();
    let words = "waveform --approach libca --pixels 64x64 --rate 10 --seconds 2 --blocks 1 --hosts";
    let ran = Gauge::run(words).argument(netns(folder.path(), "")).finish();
    if has_no_namespaces(&ran) {
        return;
    }
    for record in good_records(&ran) {
        let monitored = record.monitored.unwrap();
        assert_eq!(monitored.received, monitored.expected);
        let during = |at_ns: u64| (monitored.start_ns..monitored.end_ns).contains(&at_ns);
        let samples = monitored.server.samples.iter().filter(|sample| during(sample.at_ns));
        assert!(samples.count() >= 5, "{:?}", monitored.server.samples);
        assert!(!monitored.server.network.is_empty(), "bytes of a process of another namespace");
        assert!(monitored.latencies.iter().all(|(ns, _)| *ns > 0), "{:?}", monitored.latencies);
    }
}

#[test]
fn latencies_between_clocks_that_differ_are_taken_apart_by_their_offset() {
    let _crowd = crowd();
    let folder = tempfile::tempdir().unwrap();
    let line = agent() + " --clocks-ahead-ms 60000";
    let file = shell_host(folder.path(), &line);
    let words = "waveform --approach wire --pixels 64x64 --rate 10 --seconds 2 --blocks 1 --hosts";
    let ran = Gauge::run(words).argument(file).finish();
    for record in good_records(&ran) {
        let monitored = record.monitored.unwrap();
        // The lie is in the agent's word of its clock, not in the time stamps of the IOC.
        let near = |ns: i64| (59_000_000_000..62_000_000_000).contains(&ns);
        assert!(monitored.latencies.iter().all(|(ns, _)| near(*ns)), "{:?}", monitored.latencies);
        assert!(!monitored.latencies.is_empty(), "{:?}", record.warnings);
        let during = |at_ns: u64| (monitored.start_ns..monitored.end_ns).contains(&at_ns);
        let sampled = monitored.server.samples.iter().filter(|sample| during(sample.at_ns));
        assert_eq!(sampled.count(), 0, "samples are 60 s before the run by the clock that lies");
    }
}

#[test]
fn two_approaches_are_compared_between_two_hosts() {
    let _crowd = crowd();
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (netns(folder.path(), ""), folder.path().join("out"));
    let mut compare = gauge();
    compare.args(["compare", "libca", "pyepics", "connect", "--pvs", "100", "--most-pairs", "20"]);
    let output = compare.arg("--hosts").arg(&file).arg("--out").arg(&out).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    if stderr.contains(NO_NAMESPACES) {
        eprintln!("not tested here: {stderr}");
        return;
    }
    // pyepics is slower than libca, which it is built on.
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let run = RunRecords::parse(&fs::read_to_string(out.join("records.jsonl")).unwrap()).unwrap();
    assert_eq!(run.run.server_host.unwrap().name, "far");
}

/// A run over namespaces that goes on for long, and all its processes.
fn long_run(folder: &Path, of_server: &str) -> Option<(Started, Vec<Seen>)> {
    let words = "connect --approach wire --pvs 10 --blocks 1000 --mode bulk --hosts";
    let gauge = Gauge::run(words).argument(netns(folder, of_server));
    let (_, text) = checked(&folder.join("hosts.toml"), &[]);
    if text.contains(NO_NAMESPACES) {
        eprintln!("not tested here: {text}");
        return None;
    }
    let started = Started::run(gauge);
    let family = started.wait_for(&["softIoc", "supervisor", "epics-gauge"]);
    Some((started, family))
}

fn is_agent(seen: &Seen) -> bool {
    let line = fs::read(format!("/proc/{}/cmdline", seen.pid)).unwrap_or_default();
    seen.name == "epics-gauge" && line.ends_with(b"\0agent\0")
}

#[test]
fn nothing_is_left_on_any_host_when_the_run_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut started, family)) = long_run(folder.path(), "") else { return };
    signal(started.child.id(), libc::SIGKILL);
    started.wait();
    wait_until_gone(&family);
    assert_eq!(started.left_files(), [""; 0]);
}

#[test]
fn a_host_that_falls_silent_is_given_up_once_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut started, family)) = long_run(folder.path(), "") else { return };
    let agent = family.iter().find(|seen| is_agent(seen)).unwrap();
    signal(agent.pid, libc::SIGSTOP);
    let since = std::time::Instant::now();
    // Not once for each worker, and not once for each order.
    started.ends_with_code(4);
    assert!(since.elapsed().as_secs() < 60, "{:?}", since.elapsed());
    wait_until_gone(&family);
    assert_eq!(started.left_files(), [""; 0]);
}

#[test]
fn a_host_whose_agent_dies_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let Some((mut started, family)) = long_run(folder.path(), "") else { return };
    let agent = family.iter().find(|seen| is_agent(seen)).unwrap();
    signal(agent.pid, libc::SIGKILL);
    started.ends_with_code(4);
    wait_until_gone(&family);
    assert_eq!(started.left_files(), [""; 0]);
}
