//! Many IOCs: the fixture, and the scenario as a user runs it.

use std::fs;
use std::path::PathBuf;

use epics_gauge::ioc::{IocError, ManyIocs, PVS_WITH_INDEX, Server, SoftIoc, searches_on_circuits};
use epics_gauge::lookup::Lookup;
use epics_gauge::process::NetworkCounter;
use epics_gauge::record::{FailureKind, ManyIocsUse, Record, Searches, SearchesCounted};
use epics_gauge::scenario::pv_name;
use epics_gauge::worker_protocol::{Mode, Stage};
use tempfile::TempDir;

use crate::support::{Gauge, Ran, WorkerDriver, program};

/// What one tick adds to a value.
const TICK: f64 = 1_048_576.0;

fn ran(arguments: &str) -> Ran {
    let ran = Gauge::run(arguments).finish();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran
}

#[track_caller]
fn record(records: &[Record], approach: &str, lookup: Lookup) -> Record {
    let is_wanted = |record: &&Record| {
        record.approach == approach && record.many_iocs.is_some() && record.lookup == lookup
    };
    records.iter().find(is_wanted).unwrap_or_else(|| panic!("no {approach} by {lookup}")).clone()
}

#[track_caller]
fn many_iocs_use(record: &Record) -> ManyIocsUse {
    assert_eq!(record.failure, None);
    let stages: Vec<Stage> = record.samples.iter().map(|sample| sample.stage).collect();
    assert!(stages.ends_with(&[Stage::Connect, Stage::Get]), "{stages:?}");
    *record.many_iocs_use.clone().unwrap()
}

#[track_caller]
fn searches(record: &Record, counted: SearchesCounted) -> f64 {
    let searches: Searches = many_iocs_use(record).searches.unwrap();
    assert_eq!(searches.counted, counted);
    assert_eq!(searches.dropped_datagrams, 0);
    searches.sent
}

#[test]
fn libca_and_the_floor_connect_many_iocs_by_both_lookups() {
    let ran = ran("many-iocs --pvs 150 --iocs 3 --approach libca");
    let records = ran.records();
    assert_eq!(records.len(), 4);
    for lookup in Lookup::ALL {
        for approach in ["wire", "libca"] {
            let record = record(&records, approach, lookup);
            assert_eq!((record.pvs, record.many_iocs.unwrap().iocs), (150, 3));
            let used = many_iocs_use(&record);
            let sent = used.searches.unwrap().sent;
            assert!(sent >= 150.0, "{approach}: {sent} searches");
            let (before, after) = used.client_bytes.unwrap();
            assert!(before > 1 << 20 && after > before, "{approach}: {before} {after}");
            let (before, after) = used.servers_bytes.unwrap();
            assert!(before > 3 << 20 && after >= before, "{approach}: {before} {after}");
        }
    }
    let firsts = records.iter().filter(|record| many_iocs_use(record).is_first_client).count();
    assert_eq!(firsts, 2, "one for each size");
    let report = fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    for words in ["## many-iocs: PVs found by UDP", "## many-iocs: PVs found by name server"] {
        assert!(report.contains(words), "{report}");
    }
}

/// libca sends each search to every address: three IOCs, three messages per PV,
/// more only for what was lost. Over TCP nothing is lost, and its frame headers
/// count in.
#[test]
fn searches_of_libca_are_counted_at_an_address_and_from_bytes() {
    let records = ran("many-iocs --pvs 300 --iocs 3 --approach libca").records();
    let at_address = searches(&record(&records, "libca", Lookup::Udp), SearchesCounted::AtAddress);
    assert!((900.0..1_800.0).contains(&at_address), "{at_address}");
    let from_bytes =
        searches(&record(&records, "libca", Lookup::NameServer), SearchesCounted::FromBytes);
    assert!((900.0..990.0).contains(&from_bytes), "{from_bytes}");
}

/// The floor tells its own count, of which the bytes know nothing.
#[test]
fn searches_from_bytes_are_those_that_the_floor_counts_itself() {
    let mut many_iocs = ManyIocs::start(3, 100).unwrap();
    let mut worker = WorkerDriver::start("wire", many_iocs.name_server_environment());
    worker.job(many_iocs.pvs());
    worker.stage(Stage::Context, Mode::Bulk);
    let own = worker.stage(Stage::Connect, Mode::Bulk).counters["searches"];
    assert!((300..=900).contains(&own), "{own}");
    assert_eq!(many_iocs.channels().unwrap(), 300);
    // What the IOCs received is what the client sent.
    let circuits = NetworkCounter::new().read(&many_iocs.pids()).unwrap();
    assert_eq!(circuits.connections, 3);
    let names = (0..many_iocs.pvs()).map(pv_name);
    let from_bytes = searches_on_circuits(circuits.received_bytes, circuits.connections, names);
    assert!((from_bytes - own as f64).abs() < 3.0, "{from_bytes}, but {own}");
}

/// Clients over pvAccess send each search to every address, too. By name server only the
/// floor knows its searches: the bytes of others hold more than searches and channels.
#[test]
fn clients_over_pv_access_connect_many_iocs_by_both_lookups() {
    let ran = ran("many-iocs --pvs 150 --iocs 3 --approach pvxs,p4p");
    let records = ran.records();
    assert_eq!(records.len(), 6);
    for lookup in Lookup::ALL {
        for approach in ["wire-pva", "pvxs", "p4p"] {
            let record = record(&records, approach, lookup);
            assert_eq!((record.server.as_str(), record.pvs), ("softioc-pva", 150));
            let (before, after) = many_iocs_use(&record).servers_bytes.unwrap();
            assert!(before > 3 << 20 && after >= before, "{approach}: {before} {after}");
        }
        let own = searches(&record(&records, "wire-pva", lookup), SearchesCounted::ByClient);
        assert!(own >= 150.0, "{lookup}: {own}");
    }
    for approach in ["pvxs", "p4p"] {
        let by_udp = searches(&record(&records, approach, Lookup::Udp), SearchesCounted::AtAddress);
        assert!(by_udp >= 450.0, "{approach}: {by_udp}");
        let by_name_server = record(&records, approach, Lookup::NameServer);
        assert_eq!(many_iocs_use(&by_name_server).searches, None, "{approach}");
    }
    let report = fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    for lookup in ["UDP", "name server"] {
        let words = format!("## many-iocs: PVs found by {lookup} on softioc-pva");
        assert!(report.contains(&words), "{report}");
        let costs =
            format!("Found by {lookup} on softioc-pva, a PV of 3 IOCs with 150 PVs costs: ");
        assert!(report.contains(&costs), "{report}");
    }
}

#[test]
fn channels_over_pv_access_are_counted_by_the_iocs() {
    let mut many_iocs = ManyIocs::start_pv_access(2, 30).unwrap();
    assert_eq!(many_iocs.channels().unwrap(), 0);
    let mut worker = WorkerDriver::start("wire-pva", many_iocs.udp_environment());
    worker.job(many_iocs.pvs());
    worker.stage(Stage::Context, Mode::Bulk);
    worker.stage(Stage::Connect, Mode::Bulk);
    assert_eq!(many_iocs.channels().unwrap(), 60);
}

/// A million, as `docs/many-iocs.md` has it. Takes minutes, and 52 GB of memory.
#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn the_floor_of_pv_access_connects_a_million_pvs_on_a_hundred_iocs() {
    let needed = ManyIocs::estimated_pv_access_bytes(100, 10_000);
    if (epics_gauge::measure::this_machine().memory_bytes as f64) * 0.6 < needed as f64 {
        eprintln!("left out: 100 IOCs take {} MiB", needed >> 20);
        return;
    }
    let ran = ran("many-iocs --pvs 1000000 --server softioc-pva --approach wire-pva");
    for lookup in Lookup::ALL {
        many_iocs_use(&record(&ran.records(), "wire-pva", lookup));
    }
}

#[test]
fn what_knows_no_name_servers_is_not_tried_with_them() {
    let ran = ran("many-iocs --pvs 20 --iocs 2 --approach caproto");
    let records = ran.records();
    many_iocs_use(&record(&records, "caproto", Lookup::Udp));
    let failure = record(&records, "caproto", Lookup::NameServer).failure.unwrap();
    assert_eq!(failure.kind, FailureKind::Unable);
    assert!(failure.message.contains("EPICS_CA_NAME_SERVERS"), "{}", failure.message);
    let report = fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    assert!(report.contains(&failure.message), "{report}");
}

/// An approach of a test worker that does `how`, in a file of its own.
fn tampering(how: &str) -> (TempDir, PathBuf) {
    let worker =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/workers/tampering_worker.py");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("approaches.toml");
    let text = format!(
        "[approach.mine]\ncommand = ['{{python}}', '{}', '{how}', 'mine', '{}']\n\
         env = {{ TAMPERING_SIGN = '{{folder}}/sign' }}\n",
        worker.display(),
        program().display()
    );
    fs::write(&file, text).unwrap();
    (folder, file)
}

fn tampered(how: &str, more: &str) -> Ran {
    let (_folder, file) = tampering(how);
    let arguments = format!("many-iocs --pvs 30 --iocs 3 --approach mine {more} --approaches");
    Gauge::run(&arguments).argument(file).finish()
}

#[test]
fn an_ioc_that_dies_is_named_and_the_others_are_still_measured() {
    let ran = tampered("kill-ioc-after-connect", "");
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let records = ran.records();
    for lookup in Lookup::ALL {
        let failure = record(&records, "mine", lookup).failure.unwrap();
        assert_eq!(failure.kind, FailureKind::Ioc);
        let words = ["IOC 1 of 3, which has gauge:0 to gauge:9: ", "ended early with signal: 9"];
        for word in words {
            assert!(failure.message.contains(word), "{}", failure.message);
        }
        many_iocs_use(&record(&records, "wire", lookup));
    }
}

#[test]
fn a_worker_that_hangs_is_reported_with_how_far_it_got() {
    let ran = tampered("hang-at-connect", "--timeout 1");
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    let records = ran.records();
    for lookup in Lookup::ALL {
        let failure = record(&records, "mine", lookup).failure.unwrap();
        assert_eq!(failure.kind, FailureKind::TimedOut, "{}", failure.message);
        let words = "the IOCs had 0 channels then, for 30 PVs";
        assert!(failure.message.ends_with(words), "{}", failure.message);
        many_iocs_use(&record(&records, "wire", lookup));
    }
}

#[test]
fn a_client_that_takes_too_much_memory_is_stopped() {
    let ran = Gauge::run("many-iocs --pvs 60000 --iocs 2 --approach psp --most-memory 40").finish();
    assert_eq!(ran.code, Some(4), "{}", ran.stderr);
    for lookup in Lookup::ALL {
        let failure = record(&ran.records(), "psp", lookup).failure.unwrap();
        assert_eq!(failure.kind, FailureKind::TooMuchMemory, "{}", failure.message);
        for word in ["the limit is 40 MiB", "channels then, for 60 000 PVs"] {
            assert!(failure.message.contains(word), "{}", failure.message);
        }
    }
}

#[test]
fn each_ioc_of_many_has_its_own_part_of_the_pvs() {
    let mut many_iocs = ManyIocs::start(3, 10).unwrap();
    assert_eq!((many_iocs.pvs(), many_iocs.pids().len()), (30, 3));
    for index in [0, 9, 10, 29] {
        assert_eq!(many_iocs.stored_value(index).unwrap(), index as f64);
    }
    assert!(many_iocs.iocs()[0].field_value("gauge:10").is_err());
    assert!(many_iocs.iocs()[2].field_value("gauge:19").is_err());
    many_iocs.tick().unwrap();
    many_iocs.iocs()[1].tick().unwrap();
    assert_eq!(many_iocs.expected_value(15), 15.0 + 2.0 * TICK);
    for index in [0, 15, 29] {
        assert_eq!(many_iocs.stored_value(index).unwrap(), many_iocs.expected_value(index));
    }
    let processed = many_iocs.processed().unwrap();
    assert_eq!((processed.len(), processed[9], processed[10]), (30, 1, 2));
    many_iocs.restart(Some(12)).unwrap();
    assert!(many_iocs.stored_value(12).is_err());
    assert_eq!(many_iocs.stored_value(13).unwrap(), 13.0);
    assert!(many_iocs.restart(Some(30)).unwrap_err().to_string().contains("no gauge:30"));
}

#[test]
fn a_dead_ioc_of_many_is_named() {
    let mut many_iocs = ManyIocs::start(3, 10).unwrap();
    many_iocs.check().unwrap();
    many_iocs.iocs()[1].crash();
    let error = many_iocs.check().unwrap_err();
    assert!(matches!(error, IocError::OneOfMany { number: 2, iocs: 3, .. }), "{error}");
    assert!(error.to_string().starts_with("IOC 2 of 3, which has gauge:10 to gauge:19: "));
}

#[test]
fn an_ioc_may_begin_with_any_pv() {
    let mut ioc = SoftIoc::builder().first_pv(100).pvs(5).may_scan_at(50.0).start().unwrap();
    ioc.tick().unwrap();
    assert_eq!(ioc.field_value("gauge:104").unwrap(), ioc.expected_value(104));
    ioc.start_scanning(50.0).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(200));
    ioc.stop_scanning().unwrap();
    assert!(ioc.expected_value(100) >= 100.0 + 3.0 * TICK);
    for index in 100..105 {
        let held = ioc.field_value(&format!("gauge:{index}")).unwrap();
        assert_eq!(held, ioc.expected_value(index));
    }
    ioc.restart(Some(102)).unwrap();
    assert_eq!(ioc.processed().unwrap(), [0; 5]);
    assert!(ioc.restart(Some(4)).is_err());
    let error = SoftIoc::builder().first_pv(PVS_WITH_INDEX - 1).pvs(2).start().unwrap_err();
    assert!(error.to_string().contains("there is no gauge:1048576"), "{error}");
}

#[track_caller]
fn refused(arguments: &str, words: &[&str]) {
    let ran = Gauge::run(arguments).finish();
    assert_eq!(ran.code, Some(64), "{}", ran.stderr);
    for word in words {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
    assert!(!ran.out.path().join("run").exists());
}

#[test]
fn many_iocs_that_cannot_be_are_refused() {
    refused("many-iocs --pvs 1048577", &["--pvs", "many IOCs at most 1048576"]);
    refused("many-iocs --pvs 1000000 --iocs 1", &["at most 200000 on each"]);
    refused("many-iocs --pvs 10 --iocs 3", &["evenly over 3 IOCs", "--iocs"]);
    refused("many-iocs --pvs 10 --iocs 0", &["--iocs"]);
    refused("many-iocs --pvs 10 --iocs 1001", &["--iocs"]);
    refused(
        "many-iocs --server python-softioc",
        &["made of the softIocs", "softioc-pva", "--server"],
    );
    refused("many-iocs --mode serial", &["--mode means nothing to many-iocs"]);
    refused("fleet --mode serial", &["--mode means nothing to many-iocs"]);
    refused("many-iocs --seconds 3", &["--seconds means nothing to many-iocs"]);
    refused("connect --iocs 3", &["--iocs means nothing to connect; it is for many-iocs"]);
    refused("connect many-iocs --pvs 1000000", &["--pvs 1000000", "at most 200000", "many-iocs"]);
}

#[test]
fn many_iocs_that_leave_no_memory_for_a_client_are_refused() {
    let needed = ManyIocs::estimated_bytes(1_000, 1_000);
    if epics_gauge::measure::this_machine().memory_bytes < needed {
        refused("many-iocs --pvs 1000000 --iocs 1000", &["MiB", "fewer --pvs or --iocs"]);
    }
    assert!(ManyIocs::estimated_bytes(100, 10_000) < 16 << 30);
    let over_pv_access = ManyIocs::estimated_pv_access_bytes(100, 10_000);
    assert!((28 << 30..32 << 30).contains(&over_pv_access), "{over_pv_access}");
}
