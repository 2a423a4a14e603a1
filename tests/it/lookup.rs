//! PVs are found by either lookup, and only those of the server that was meant.

use epics_gauge::approach::Approach;
use epics_gauge::ioc::SoftIoc;
use epics_gauge::lookup::Lookup;
use epics_gauge::protocol::Protocol;
use epics_gauge::record::{FailureKind, Record, Scenario};
use epics_gauge::worker_protocol::{Mode, Stage, StageCommand};

use crate::support::{Gauge, WorkerDriver, approaches_where, at_once, gauge};

const PVS: usize = 200;

fn environment(ioc: &SoftIoc, lookup: Lookup) -> Vec<(String, String)> {
    match lookup {
        Lookup::Udp => ioc.client_environment(),
        Lookup::NameServer => ioc.name_server_environment(),
    }
}

/// A worker that has connected `pvs`; the error of its stage when it could not.
fn connected(
    approach: &str,
    environment: Vec<(String, String)>,
    pvs: Vec<String>,
    timeout_s: f64,
) -> Result<WorkerDriver, String> {
    let mut worker = WorkerDriver::start(approach, environment);
    worker.job_of(pvs, timeout_s);
    worker.stage(Stage::Context, Mode::Bulk);
    if worker.hello.stages.contains(&Stage::Create) {
        worker.stage(Stage::Create, Mode::Bulk);
    }
    worker.run(&StageCommand::new(Stage::Connect, Mode::Bulk))?;
    Ok(worker)
}

/// The approaches that know a lookup and speak to the IOC of this build.
fn knowing(lookup: Lookup) -> Vec<String> {
    let is_served =
        |approach: &Approach| approach.protocol == Protocol::Ca || cfg!(feature = "pvaccess");
    approaches_where(|approach| approach.knows(lookup) && is_served(approach))
}

#[test]
fn every_approach_finds_all_pvs_by_each_lookup_that_it_knows() {
    for lookup in Lookup::ALL {
        at_once(&knowing(lookup), |approach| {
            let builder = SoftIoc::builder().pvs(PVS);
            let has_pv_access = cfg!(feature = "pvaccess");
            let builder = if has_pv_access { builder.pv_access() } else { builder };
            let mut ioc = builder.start().unwrap();
            let pvs = (0..PVS).map(epics_gauge::scenario::pv_name).collect();
            let connected = connected(approach, environment(&ioc, lookup), pvs, 60.0);
            let mut worker =
                connected.unwrap_or_else(|error| panic!("{approach} by {lookup}: {error}"));
            ioc.tick().unwrap();
            let values = worker.stage(Stage::Get, Mode::Bulk).values.unwrap();
            let expected: Vec<f64> = (0..PVS).map(|pv| ioc.expected_value(pv)).collect();
            assert_eq!(values, expected, "{approach} by {lookup}");
        });
    }
}

#[cfg(feature = "pvaccess")]
#[test]
fn by_udp_over_pv_access_the_pvs_of_another_ioc_are_not_found() {
    let start = |number: usize| {
        let own = format!("record(ao, \"only-in:{number}\") {{ field(VAL, \"{number}\") }}");
        SoftIoc::builder().pvs(1).db(own, &[]).pv_access().start().unwrap()
    };
    let iocs = [start(0), start(1)];
    let environments = iocs.each_ref().map(SoftIoc::client_environment);
    at_once(&[0, 1], |&number| {
        let environment = &environments[number];
        let own = vec![format!("only-in:{number}")];
        let mut worker = connected("pvxs", environment.clone(), own, 20.0).unwrap();
        let values = worker.stage(Stage::Get, Mode::Bulk).values.unwrap();
        assert_eq!(values, [number as f64], "IOC {number}");
        let foreign = format!("only-in:{}", 1 - number);
        let found = connected("pvxs", environment.clone(), vec![foreign.clone()], 2.0);
        let error = found.err().expect("a PV of another IOC was found");
        assert!(error.contains(&foreign), "{error}");
    });
}

#[cfg(feature = "pvaccess")]
#[test]
fn without_its_name_server_a_client_by_name_server_finds_nothing() {
    let ioc = SoftIoc::builder().pvs(1).pv_access().start().unwrap();
    let mut environment = ioc.name_server_environment();
    // Nobody is there to be asked over TCP, so the PV cannot be found.
    environment.retain(|(name, _)| name != "EPICS_PVA_NAME_SERVERS");
    let error = connected("pvxs", environment, vec!["gauge:0".to_owned()], 2.0).err();
    let error = error.expect("the IOC was found without a name server");
    assert!(error.contains("gauge:0"), "{error}");
}

/// The records of one approach by one lookup.
fn of<'a>(records: &'a [Record], approach: &str, lookup: Lookup) -> Vec<&'a Record> {
    let is_own = |record: &&Record| record.approach == approach && record.lookup == lookup;
    records.iter().filter(is_own).collect()
}

#[test]
fn both_lookups_stand_side_by_side_and_who_knows_one_only_is_unable_by_the_other() {
    let arguments = "connect --server softioc --approach libca,caproto --pvs 10 --blocks 1 \
                     --mode bulk --lookup udp,name-server --allow-missing";
    let ran = Gauge::run(arguments).finish();
    let records = ran.records();
    for lookup in Lookup::ALL {
        for approach in ["wire", "libca"] {
            let [record] = of(&records, approach, lookup)[..] else { panic!("{approach}") };
            assert_eq!(record.failure, None, "{approach} by {lookup}");
        }
    }
    let report = std::fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    assert!(report.contains("10 PVs by either lookup"), "{report}");
    let [caproto] = of(&records, "caproto", Lookup::NameServer)[..] else { panic!("{records:?}") };
    let failure = caproto.failure.as_ref().unwrap();
    if failure.kind != FailureKind::Missing {
        assert_eq!(failure.kind, FailureKind::Unable);
        assert!(failure.message.contains("EPICS_CA_NAME_SERVERS"), "{}", failure.message);
        // It is known beforehand, so nothing went wrong: one block decides nothing.
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    }
}

/// Measures `scenario` by both lookups; the report of it holds `words`.
fn is_measured_by_either_lookup(scenario: Scenario, words: &str) {
    let arguments = format!(
        "{scenario} --server softioc --approach libca --pvs 2 --rate 10 --seconds 1 --blocks 1 \
         --lookup udp,name-server"
    );
    let ran = Gauge::run(&arguments).finish();
    let records = ran.records();
    for lookup in Lookup::ALL {
        let own = of(&records, "libca", lookup);
        let found = own.iter().find(|record| record.scenario == scenario);
        let found = found.unwrap_or_else(|| panic!("{scenario} by {lookup}: {}", ran.stderr));
        assert_eq!(found.failure, None, "{scenario} by {lookup}");
    }
    let report = std::fs::read_to_string(ran.out.path().join("run/report.md")).unwrap();
    assert!(report.contains(words), "{words}: {report}");
}

#[test]
fn capacity_is_measured_by_either_lookup() {
    is_measured_by_either_lookup(Scenario::Capacity, "| libca by name server |");
}

#[test]
fn scale_is_measured_by_either_lookup() {
    let heading = "scale: softioc against libca by name server";
    is_measured_by_either_lookup(Scenario::Scale, heading);
}

/// What the program says when it refuses these arguments.
fn refused(arguments: &[&str]) -> String {
    let output = gauge().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_lookup_that_cannot_be_measured_is_refused() {
    let compared = refused(&["compare", "libca", "caproto", "--lookup", "name-server"]);
    assert!(compared.contains("caproto finds no PVs by name server"), "{compared}");
    let unknown = refused(&["run", "connect", "--lookup", "multicast"]);
    assert!(unknown.contains("there are: udp, name-server"), "{unknown}");
}
