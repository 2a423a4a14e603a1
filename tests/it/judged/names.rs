//! Verdicts are known by name before anything is measured.

use std::collections::BTreeSet;

use epics_gauge::judge::{Limits, Planned, expected_verdicts};
use epics_gauge::lookup::Lookup;
use epics_gauge::metric::document;
use epics_gauge::protocol::Protocol;
use epics_gauge::record::{
    ApproachFacts, Disturbance, Load, ManyIocsShape, Pixels, Record, RunRecords, Sample, Scenario,
    Witnessed,
};
use epics_gauge::scenario::Configuration;
use epics_gauge::worker_protocol::{Mode, Stage};

use super::monitors::{load, monitored, waveform};
use super::{judge, run_with};

fn planned(scenario: &str, pvs: usize, load: Option<Load>) -> Planned {
    Planned {
        configuration: Configuration {
            scenario: scenario.parse().unwrap(),
            server: "softioc".to_owned(),
            pvs,
            mode: Mode::Bulk,
            lookup: Lookup::Udp,
            load,
            many_iocs: None,
            fault: None,
        },
        protocols: vec![Protocol::Ca],
        approaches: Vec::new(),
    }
}

fn on(server: &str, protocol: Protocol, mut planned: Planned) -> Planned {
    planned.configuration.server = server.to_owned();
    Planned { protocols: vec![protocol], ..planned }
}

fn facts() -> Vec<ApproachFacts> {
    let all = [("wire", Protocol::Ca, true), ("pyca", Protocol::Ca, false)];
    let more = [("pvxs", Protocol::Pva, true), ("p4p-asyncio", Protocol::Pva, false)];
    let facts = |(name, protocol, floor): (&str, Protocol, bool)| ApproachFacts {
        name: name.to_owned(),
        protocol,
        floor,
        simplicity: None,
        simplicity_reason: String::new(),
        default_get: Some("get()".to_owned()),
    };
    all.into_iter().chain(more).map(facts).collect()
}

/// What a gate may measure.
fn configurations() -> Vec<Planned> {
    let scalars = Load { pixels: None, rate_hz: 10.0, ..load() };
    let restart = Load { disturbance: Some(Disturbance::Restart), ..scalars };
    let frames = Load { pixels: Some(Pixels { width: 680, height: 480 }), ..load() };
    let many_iocs = ManyIocsShape { iocs: 100, in_order: false };
    let mut one_of_many = planned("many-iocs", 1_000_000, None);
    one_of_many.configuration.many_iocs = Some(many_iocs);
    one_of_many.configuration.lookup = Lookup::NameServer;
    let mut serial = planned("connect", 1, None);
    serial.configuration.mode = Mode::Serial;
    let mut configurations = vec![
        serial,
        planned("connect", 1, None),
        planned("connect", 1000, None),
        planned("connect", 10_000, None),
        planned("waveform", 1, Some(frames)),
        planned("scalars", 100, Some(scalars)),
        planned("scale", 100, Some(Load { monitors: 10, ..scalars })),
        planned("scale", 100, Some(Load { idle_pvs: 900, ..scalars })),
        planned("recovery", 100, Some(restart)),
        planned("capacity", 1000, Some(scalars)),
        one_of_many,
    ];
    configurations.push(on("softioc-pva", Protocol::Pva, planned("connect", 1000, None)));
    configurations.push(on("softioc-pva", Protocol::Pva, planned("waveform", 1, Some(frames))));
    configurations
}

fn expected(configurations: &[Planned]) -> Vec<String> {
    expected_verdicts(&Limits::built_in(), configurations, &facts())
}

#[test]
fn names_are_unique_and_of_letters_digits_and_underscores() {
    let names = expected(&configurations());
    let unique: BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len());
    for name in &names {
        for part in name.split("::") {
            let is_allowed = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_');
            assert!(!part.is_empty() && part.chars().all(is_allowed), "{name}");
        }
    }
}

#[test]
fn names_report_scenario_approach_configuration_and_relation() {
    let names = expected(&configurations());
    for name in [
        "connect::pyca::n10000::over_floor",
        "connect::pyca::n10000::slope_over_fastest",
        "connect::pyca::n1000::get_serial_over_floor",
        "connect::pyca::n1_serial::get_again_serial_over_fastest",
        "connect::p4p_asyncio::softioc_pva::n1000::get_bulk_over_floor",
        "waveform::pyca::680x480_120hz::cpu_over_fastest",
        "waveform::p4p_asyncio::softioc_pva::680x480_120hz::client_memory",
        "waveform::wire::680x480_120hz::updates_lost",
        "waveform::p4p_asyncio::softioc_pva::680x480_120hz::bytes_over_least",
        "scalars::pyca::n100_10hz::growth",
        "scale::pyca::n100_10hz_m10::values_wrong",
        "scale::pyca::n100_10hz_idle900::workers_failed",
        "recovery::pyca::n100_10hz_restart::pvs_not_reconnected",
        "capacity::pyca::10hz::workers_failed",
        "many_iocs::wire::100iocs_n1000000_name_server::values_wrong",
        "run::processes_left",
    ] {
        assert!(names.iter().any(|known| known == name), "{name} is not in {names:#?}");
    }
    for never in [
        "connect::wire::n10000::over_floor",
        "connect::pyca::n1000::over_floor",
        "connect::pyca::n1::get_bulk",
    ] {
        assert!(!names.iter().any(|known| known == never), "{never}");
    }
}

#[test]
fn a_watch_too_short_for_growth_does_not_promise_it() {
    let short = planned("scalars", 100, Some(Load { seconds: 29.0, pixels: None, ..load() }));
    assert!(!expected(&[short]).iter().any(|name| name.ends_with("growth")));
}

#[test]
fn the_example_of_the_documents_is_a_limits_file() {
    let document =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/limits.md")).unwrap();
    let example = document.split("```").find_map(|part| part.strip_prefix("toml\n")).unwrap();
    let limits = Limits::parse(example, "docs/limits.md").unwrap();
    assert_eq!(limits.limits.len(), 7, "{limits:?}");
    assert_eq!(limits.limits[0].most, 4e-4);
}

#[test]
fn the_table_of_figures_in_the_documents_is_that_of_this_build() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/figures.md");
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == document(),
        "docs/figures.md is out of date: write it with `cargo run -- list figures`"
    );
}

#[test]
fn later_limits_replace_earlier_ones() {
    let text = |approach: &str, most: f64| {
        format!(
            "[[limit]]\nmetric = \"get bulk\"\napproach = \"{approach}\"\nrelative = \"floor\"\n\
             most = {most}\nbecause = \"why\"\n"
        )
    };
    let records = (0..5).flat_map(|block| {
        ["wire", "pyca", "aioca"].map(|approach| connecting(approach, block, 1000))
    });
    let run = run_with(&["wire", "pyca", "aioca"], records.collect());
    let limits = Limits::parse(&(text("*", 1.0) + &text("aioca", 2.0)), "mine").unwrap();
    let verdicts = epics_gauge::judge::judge(&run, &limits).verdicts;
    let given: Vec<(&str, f64)> =
        verdicts.iter().map(|verdict| (verdict.approach.as_str(), verdict.limit)).collect();
    assert_eq!(given, [("pyca", 1.0), ("aioca", 2.0)]);
}

fn connecting(approach: &str, block: usize, pvs: usize) -> Record {
    let sample = |stage, mode| Sample {
        stage,
        mode,
        pvs,
        start_ns: 0,
        end_ns: 1000 * pvs as u64,
        cpu_ns: 0,
        each_ns: Vec::new(),
        default_get: None,
        witnessed: Some(Witnessed {
            waited_ns: 1000 * pvs as u64,
            claimed_ns: 1000 * pvs as u64,
            delayed_ns: 0,
            message_bytes: 0,
            cpu_ns: None,
            claimed_cpu_ns: 0,
        }),
    };
    let mut samples = vec![sample(Stage::Connect, Mode::Bulk)];
    for stage in [Stage::Get, Stage::GetAgain] {
        samples.extend([sample(stage, Mode::Serial), sample(stage, Mode::Bulk)]);
    }
    samples.extend([Stage::GetDefault, Stage::GetDefaultAgain].map(|s| sample(s, Mode::Serial)));
    Record {
        scenario: Scenario::Connect,
        server: "softioc".to_owned(),
        pvs,
        block,
        approach: approach.to_owned(),
        samples,
        ..Record::default()
    }
}

/// A run of approaches whose ordinary gets are measured.
fn run_of(records: Vec<Record>) -> RunRecords {
    let mut run = run_with(&["wire", "pyca"], records);
    run.run.approaches.iter_mut().for_each(|facts| facts.default_get = Some("get()".to_owned()));
    run
}

#[test]
fn an_approach_without_an_ordinary_get_has_no_verdict_on_it() {
    let records: Vec<Record> = (0..5)
        .flat_map(|block| ["wire", "pyca"].map(|approach| connecting(approach, block, 1000)))
        .collect();
    let on_ordinary_gets = |run: &RunRecords| {
        names_of(run).into_iter().filter(|name| name.contains("get_default")).count()
    };
    assert_eq!(on_ordinary_gets(&run_of(records.clone())), 4);
    assert_eq!(on_ordinary_gets(&run_with(&["wire", "pyca"], records)), 0);
}

fn names_of(run: &RunRecords) -> BTreeSet<String> {
    judge(run).verdicts.into_iter().map(|verdict| verdict.name).collect()
}

#[test]
fn every_expected_verdict_is_given_and_no_other() {
    let mut records = Vec::new();
    for block in 0..5 {
        for approach in ["wire", "pyca"] {
            for pvs in [1000, 10_000] {
                records.push(connecting(approach, block, pvs));
            }
        }
    }
    let mut frames = waveform(monitored());
    frames.records.truncate(2);
    frames.records[1].approach = "pyca".to_owned();
    records.extend(frames.records);
    let configurations = [
        planned("connect", 1000, None),
        planned("connect", 10_000, None),
        planned("waveform", 1, Some(load())),
    ];
    let expected: BTreeSet<String> = expected(&configurations).into_iter().collect();
    assert!(expected.len() > 20);
    assert_eq!(names_of(&run_of(records.clone())), expected);

    // What was not measured, without a failure that says why, is missing.
    records.retain(|record| record.scenario != Scenario::Waveform || record.approach != "pyca");
    let given = names_of(&run_of(records));
    let holes: Vec<&String> = expected.difference(&given).collect();
    assert!(!holes.is_empty() && holes.iter().all(|name| name.contains("waveform::pyca")));
}
