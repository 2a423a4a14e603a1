//! The scale matrix against real servers and clients.

use std::fs;

use epics_gauge::record::{Cores, FailureKind, Record};

use super::support::{Gauge, Ran};

fn only_record(ran: &Ran) -> Record {
    let mut records = ran.records();
    assert_eq!(records.len(), 1, "{records:?}\n{}", ran.stderr);
    records.remove(0)
}

fn report(ran: &Ran) -> String {
    fs::read_to_string(ran.out.path().join("run/report.md")).unwrap()
}

/// How often a measurement is made where other tests may keep a client from its updates.
const TRIES: usize = 3;

#[test]
fn several_monitors_are_several_subscriptions_and_every_one_gets_every_update_on_own_cores() {
    let mut measured = (0..TRIES).map(|_| {
        let ran = Gauge::run(
            "scale --server softioc --approach libca --pvs 5 --rate 20 --monitors 4 --seconds 2",
        )
        .finish();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let record = only_record(&ran);
        assert_eq!(record.failure, None);
        (ran, record.monitored.unwrap())
    });
    let ran_whole = measured.find(|(_, run)| run.received == run.expected);
    let (ran, monitored) = ran_whole.expect("updates were lost each time");
    assert_eq!(monitored.server_counters.subscriptions, Some(20));
    // 20 subscriptions x 20 Hz x 5 s or more, while things settle too.
    assert!(monitored.expected > 20 * 20 * 4, "{}", monitored.expected);
    let steady = monitored.steady.unwrap();
    assert!((3.0..=6.0).contains(&steady.after_s), "{steady:?}");
    assert!(!monitored.server.network.is_empty() && !monitored.client.network.is_empty());
    cores_are_shared_out(monitored.cores.as_ref());
    assert!(report(&ran).contains("softioc against libca"), "{}", report(&ran));
}

/// Server and client have cores of their own where there are two.
fn cores_are_shared_out(cores: Option<&Cores>) {
    match std::thread::available_parallelism().unwrap().get() {
        1 => assert_eq!(cores, None),
        _ => {
            let cores = cores.unwrap();
            assert!(!cores.server.is_empty() && !cores.client.is_empty());
            assert!(cores.server.iter().all(|core| !cores.client.contains(core)), "{cores:?}");
        }
    }
}

#[test]
fn a_load_that_the_server_cannot_make_is_overloaded_and_no_failure() {
    let ran = Gauge::run(
        "scale --server softioc --approach libca --pvs 20000 --rate 1000 --monitors 1 --seconds 1",
    )
    .finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let record = only_record(&ran);
    assert!(record.monitored.unwrap().made_hz < 950.0);
    let report = report(&ran);
    assert!(report.contains("overloaded, limited by: the server's"), "{report}");
    assert!(report.contains("0 of 1 loads without loss"), "{report}");
}

#[test]
fn a_server_without_its_packages_is_a_missing_row_and_the_others_are_measured() {
    let ran = Gauge::run(
        "scale --server softioc,caproto-ioc --approach wire --pvs 1 --rate 10 --monitors 1 \
         --seconds 1",
    )
    .finish_with(&[("EPICS_GAUGE_PYTHON", "/nonexistent/python")]);
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let records = ran.records();
    let of = |server: &str| records.iter().find(|record| record.server == server).unwrap();
    assert_eq!(of("softioc").failure, None);
    let failure = of("caproto-ioc").failure.as_ref().unwrap();
    assert_eq!(failure.kind, FailureKind::Missing);
    assert!(failure.message.contains("/nonexistent/python"), "{}", failure.message);
}

/// Lets the documented example of an own server live for 6 s.
const DYING: &str = "\
import subprocess, sys, time
server = subprocess.Popen([sys.executable, *sys.argv[1:]])
time.sleep(6)
server.kill()
server.wait()
";

#[test]
fn servers_that_die_or_never_get_ready_have_their_rows_and_the_others_are_measured() {
    let folder = tempfile::tempdir().unwrap();
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples");
    fs::write(folder.path().join("dying.py"), DYING).unwrap();
    let servers = format!(
        "[server.protocol]\n\
         command = ['{{python}}', '{{folder}}/dying.py', '{examples}/protocol_server.py', '{{site}}']\n\
         protocols = ['pva']\n\
         [server.silent]\ncommand = ['sleep', '600']\nprotocols = ['pva']\n"
    );
    let file = folder.path().join("servers.toml");
    fs::write(&file, servers).unwrap();
    let ran = Gauge::run(
        "scale --server protocol,silent,p4p-server --approach p4p --pvs 2 --rate 10 --monitors 1 \
         --seconds 4 --servers",
    )
    .argument(&file)
    .finish();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let records = ran.records();
    let of = |server: &str| records.iter().find(|record| record.server == server).unwrap();
    for (server, words) in [("protocol", "ended early"), ("silent", "within 30")] {
        let failure = of(server).failure.as_ref().unwrap();
        assert_eq!(failure.kind, FailureKind::Ioc, "{server}: {}", failure.message);
        assert!(failure.message.contains(words), "{server}: {}", failure.message);
    }
    let healthy = of("p4p-server");
    assert_eq!(healthy.failure, None);
    // On a busy machine it may update less often than asked.
    assert!(healthy.monitored.as_ref().unwrap().expected > 2 * 10 * 2);
}

#[test]
fn a_server_that_falls_behind_is_overloaded_and_reports_how_far_it_got() {
    let ran = Gauge::run(
        "scale --server python-softioc --approach wire --pvs 5000 --rate 100 --monitors 1 \
         --seconds 1",
    )
    .finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let monitored = only_record(&ran).monitored.unwrap();
    assert!(monitored.made_hz < 95.0, "{}", monitored.made_hz);
    assert!(monitored.server_counters.scan_overruns > Some(0), "{monitored:?}");
    assert!(report(&ran).contains("overloaded, limited by: the server"));
}

/// A client of p4p that makes a subscription to PV 1 which nothing ever comes from, as p4p itself
/// does when an update comes before it has kept the subscription.
const DEAF: &str = "\
import sys

sys.path[:0] = ['{site}', '{tools}']
from client_p4p import Client
from epics_gauge.worker import serve


class Deaf(Client):
    def monitor(self, pvs, deadline):
        super().monitor([pv for pv in pvs if pv != 1], deadline)


serve(Deaf)
";

#[cfg(feature = "pvaccess")]
#[test]
fn a_row_with_a_subscription_that_never_answers_has_its_figures_and_reports_it() {
    use epics_gauge::embedded;
    use epics_gauge::python_site::PythonSite;
    let folder = tempfile::tempdir().unwrap();
    let site = PythonSite::install(|_| ()).unwrap();
    let tools = embedded::tool("main.py").unwrap();
    let tools = tools.parent().unwrap().display().to_string();
    let code = DEAF.replace("{site}", &site.folder().display().to_string());
    fs::write(folder.path().join("deaf.py"), code.replace("{tools}", &tools)).unwrap();
    let file = folder.path().join("approaches.toml");
    let text = "[approach.deaf]\ncommand = ['{python}', '{folder}/deaf.py']\nprotocol = 'pva'\n";
    fs::write(&file, text).unwrap();
    let ran = Gauge::run(
        "scale --server softioc-pva --approach deaf --pvs 4 --rate 10 --monitors 1 --seconds 2 \
         --timeout 3 --approaches",
    )
    .argument(&file)
    .finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let records = ran.records();
    let deaf = records.iter().find(|record| record.approach == "deaf").unwrap();
    assert_eq!(deaf.failure, None, "{:?}", deaf.failure);
    let monitored = deaf.monitored.as_ref().unwrap();
    assert_eq!(monitored.silent, 1);
    // All updates of one of four PVs are missing, and no other.
    assert_eq!(monitored.received * 4, monitored.expected * 3, "{monitored:?}");
    assert!(report(&ran).contains("subscriptions without any update"), "{}", report(&ran));
}
