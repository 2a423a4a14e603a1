//! The documented examples are models: each goes through every scenario that it can take
//! part in, loses nothing, and does not grow.

use std::path::{Path, PathBuf};

use epics_gauge::record::FailureKind;

use crate::support::{Gauge, Ran, at_once};

/// The clients of `docs/examples/approaches.toml`.
const CLIENTS: [&str; 2] = ["minimal", "protocol"];
/// The servers of `docs/examples/servers.toml`.
const SERVERS: [&str; 2] = ["minimal", "protocol"];

/// What is over in some seconds.
const QUICK: [&str; 3] = [
    "connect --server softioc --pvs 1,100 --blocks 1 --fresh-blocks 0 --profile full",
    "waveform --server softioc --pixels 64x32 --rate 10 --seconds 2",
    "scalars --server softioc --pvs 20 --rate 10 --seconds 2",
];
/// What takes a minute. The second is long enough to judge growth: 19 MB/min of a worker's own
/// notes broke the limit.
const SLOW: [&str; 6] = [
    "capacity --server softioc --pvs 50 --rate 10 --seconds 1",
    "scalars --server softioc --pvs 10 --rate 100 --seconds 30",
    "scale --server softioc --pvs 20 --rate 10 --monitors 1,3 --seconds 1",
    "recovery --server softioc --pvs 10 --rate 10 --seconds 12",
    "faults --server softioc --fault frozen-5s,burst",
    // caproto knows no name servers.
    "many-iocs --iocs 2 --pvs 100 --lookup udp",
];

fn examples(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples").join(name)
}

/// How often a run is tried whose server was kept from making its updates in time: what is
/// tested is the example, not how much else the machine does.
const TRIES: usize = 4;

/// A run whose servers made all their updates in time.
fn run_at_rate(arguments: &str, file: &str) -> Ran {
    let run = || Gauge::run(arguments).argument(examples(file)).finish();
    let is_held = |ran: &Ran| {
        let failures = ran.records().into_iter().filter_map(|record| record.failure);
        failures.map(|failure| failure.kind).all(|kind| kind != FailureKind::RateNotHeld)
    };
    (1..TRIES).map(|_| run()).find(is_held).unwrap_or_else(run)
}

/// Runs a scenario with an example; no record of it has a failure, and no update is lost
/// but by a fault.
#[track_caller]
fn run_with_client(approach: &str, scenario: &str) -> Ran {
    let arguments = format!("{scenario} --approach wire,{approach} --approaches");
    let ran = run_at_rate(&arguments, "approaches.toml");
    // 3: a few seconds decide nothing. 1 would be a limit broken, 4 a failed worker.
    assert!(matches!(ran.code, Some(0 | 3)), "{approach}, {scenario}: {}", ran.stderr);
    let records = ran.records();
    let own: Vec<_> = records.iter().filter(|record| record.approach == approach).collect();
    assert!(!own.is_empty(), "{approach}, {scenario}: {}", ran.stderr);
    for record in own {
        assert_eq!(record.failure, None, "{approach}, {scenario}");
        if let (Some(monitored), false) = (&record.monitored, scenario.starts_with("recovery")) {
            assert_eq!(monitored.lost(), 0, "{approach}, {scenario}: {monitored:?}");
        }
    }
    ran
}

#[test]
fn the_example_clients_connect_read_write_and_take_every_update() {
    at_once(&CLIENTS, |approach| {
        QUICK.iter().for_each(|scenario| drop(run_with_client(approach, scenario)));
    });
}

#[test]
#[ignore = "slow: `ci/test-slow` runs it"]
fn the_example_clients_go_through_every_scenario_and_keep_the_limit_on_growth() {
    for approach in CLIENTS {
        for scenario in SLOW {
            let ran = run_with_client(approach, scenario);
            if scenario.contains("--seconds 30") {
                let report =
                    std::fs::read_to_string(ran.out.path().join("run/report.json")).unwrap();
                let report: serde_json::Value = serde_json::from_str(&report).unwrap();
                let verdicts = report["judgement"]["verdicts"].as_array().unwrap();
                let growth = verdicts
                    .iter()
                    .find(|one| one["approach"] == approach && one["metric"] == "growth");
                assert_eq!(growth.unwrap()["outcome"], "within", "{approach}: {growth:?}");
            }
        }
    }
}

#[test]
fn every_scenario_is_in_one_of_the_two_lists() {
    let tried: Vec<&str> =
        QUICK.iter().chain(&SLOW).filter_map(|scenario| scenario.split(' ').next()).collect();
    for scenario in epics_gauge::record::Scenario::ALL {
        assert!(tried.contains(&scenario.name()), "{scenario} is tried with no example");
    }
}

#[test]
fn the_example_servers_serve_clients_of_their_protocol() {
    at_once(&SERVERS, |server| {
        let arguments = format!(
            "connect scalars --server {server} --approach p4p --pvs 20 --rate 10 --seconds 2 \
             --blocks 1 --fresh-blocks 0 --servers"
        );
        let ran = run_at_rate(&arguments, "servers.toml");
        let records = ran.records();
        assert!(!records.is_empty(), "{server}: {}", ran.stderr);
        for record in records {
            assert_eq!(record.failure, None, "{server}");
            if let Some(monitored) = record.monitored {
                assert_eq!(monitored.lost(), 0, "{server}: {monitored:?}");
            }
        }
    });
}
