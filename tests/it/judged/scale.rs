//! The scale matrix on literal records: what is overloaded, the bottleneck, and what
//! was published beside it.

use std::collections::BTreeMap;

use epics_gauge::judge::{Bottleneck, ScaleRow};
use epics_gauge::protocol::Protocol;
use epics_gauge::record::{
    Failure, FailureKind, Load, Monitored, NetworkSample, Record, RunRecords, Scenario,
    ServerCounters, Steady, Usage, UsageSample,
};
use epics_gauge::report::Format;
use epics_gauge::worker_protocol::Stage;

use super::{exit_code_of, judge, rendered, run_with};

const SECOND_NS: u64 = 1_000_000_000;

/// CPU in % of a core, and bytes per second, for 20 s.
fn usage(percent: u64, received_hz: u64, sent_hz: u64) -> Usage {
    Usage {
        samples: (0..=20)
            .map(|second| UsageSample {
                at_ns: second * SECOND_NS,
                cpu_ns: second * SECOND_NS / 100 * percent,
                rss_bytes: 1 << 20,
            })
            .collect(),
        peak_rss_bytes: 1 << 20,
        network: (0..=20)
            .map(|second| NetworkSample {
                at_ns: second * SECOND_NS,
                received_bytes: second * received_hz,
                sent_bytes: second * sent_hz,
            })
            .collect(),
    }
}

fn monitored(lost: u64, client: Usage, server: Usage) -> Monitored {
    Monitored {
        start_ns: 0,
        end_ns: 20 * SECOND_NS,
        made_hz: 10.0,
        steady: Some(Steady { reached: true, after_s: 3.0 }),
        cores: None,
        expected: 100_000,
        received: 100_000 - lost,
        repeated: 0,
        late: 0,
        silent: 0,
        latencies: vec![(200_000, 100)],
        server_counters: ServerCounters { subscriptions: Some(1000), ..Default::default() },
        library_counters: BTreeMap::new(),
        client,
        server,
        sampler_cpu_ns: 0,
        machine: None,
        network: None,
        recovery: None,
        losses: None,
        latency_over_time: None,
    }
}

/// 100 PVs at 10 Hz with `monitors` each, against the published table `calc-aioca`.
fn record(monitors: usize, monitored: Option<Monitored>) -> Record {
    Record {
        scenario: Scenario::Scale,
        server: "python-softioc-calc".to_owned(),
        approach: "aioca".to_owned(),
        pvs: 100,
        load: Some(Load {
            rate_hz: 10.0,
            seconds: 20.0,
            pixels: None,
            array_bytes: None,
            disturbance: None,
            monitors,
            idle_pvs: 0,
        }),
        monitored: monitored.map(Box::new),
        ..Record::default()
    }
}

fn run(records: Vec<Record>) -> RunRecords {
    run_with(&["wire", "aioca"], records)
}

fn only_row(record: Record) -> ScaleRow {
    let mut scale = judge(&run(vec![record])).scale;
    assert_eq!((scale.len(), scale[0].rows.len()), (1, 1));
    scale.remove(0).rows.remove(0)
}

#[test]
fn a_load_of_which_everything_arrived_is_sustained_and_beside_its_published_row() {
    let row = only_row(record(10, Some(monitored(0, usage(40, 0, 0), usage(5, 0, 0)))));
    assert!(!row.is_overloaded(), "{row:?}");
    let published = row.published.unwrap();
    assert_eq!((published.table, published.client), ("calc-aioca", ["57", "6", "250"]));
    // The whole interface was counted there, so a little more than needed arrived.
    assert_eq!(published.delivered, Some(1.0));
}

#[test]
fn each_pair_has_the_loads_that_it_was_measured_with() {
    let all = || Some(monitored(0, usage(40, 0, 0), usage(5, 0, 0)));
    let other = Record { approach: "wire".to_owned(), ..record(10, all()) };
    let scale = judge(&run(vec![record(1, all()), other])).scale;
    let monitors = |approach: &str| -> Vec<usize> {
        let pair = scale.iter().find(|pair| pair.approach == approach).unwrap();
        pair.rows.iter().map(|row| row.load.monitors).collect()
    };
    assert_eq!((monitors("aioca"), monitors("wire")), (vec![1], vec![10]));
}

#[test]
fn the_first_side_to_give_way_is_named() {
    let bottleneck = |monitored| only_row(record(10, Some(monitored))).bottleneck;
    let (easy, busy) = (usage(40, 0, 0), usage(97, 0, 0));
    let lost = |client: &Usage, server: &Usage| monitored(7, client.clone(), server.clone());
    assert_eq!(bottleneck(lost(&busy, &busy)), Some(Bottleneck::ClientCpu));
    assert_eq!(bottleneck(lost(&easy, &busy)), Some(Bottleneck::ServerCpu));
    assert_eq!(bottleneck(lost(&easy, &easy)), Some(Bottleneck::Unknown));
    let queue = ServerCounters { merged_updates: Some(7), ..ServerCounters::default() };
    let merged = Monitored { server_counters: queue, ..lost(&easy, &easy) };
    assert_eq!(bottleneck(merged), Some(Bottleneck::ServerQueue));
    let slow = Monitored { made_hz: 7.0, ..monitored(0, busy.clone(), busy.clone()) };
    assert_eq!(bottleneck(slow), Some(Bottleneck::ServerCpu));
    let slow = Monitored { made_hz: 7.0, ..monitored(0, easy.clone(), easy.clone()) };
    assert_eq!(bottleneck(slow), Some(Bottleneck::ServerScan));
    let full = ServerCounters {
        overloads: BTreeMap::from([("callback queue full".to_owned(), 3)]),
        ..ServerCounters::default()
    };
    let slow =
        Monitored { made_hz: 7.0, server_counters: full, ..monitored(0, easy.clone(), easy) };
    assert_eq!(bottleneck(slow), Some(Bottleneck::ServerQueue));
}

#[test]
fn bytes_per_second_of_both_sides_are_those_of_the_window() {
    let mut seen = monitored(0, usage(40, 3000, 20), usage(5, 30, 2990));
    seen.start_ns = 5 * SECOND_NS;
    seen.end_ns = 15 * SECOND_NS;
    let figures = only_row(record(10, Some(seen))).figures.unwrap();
    let client = figures.client_bytes.unwrap();
    assert_eq!((client.received_hz, client.sent_hz), (3000.0, 20.0));
    let server = figures.server_bytes.unwrap();
    assert_eq!((server.received_hz, server.sent_hz), (30.0, 2990.0));
}

#[test]
fn one_reading_of_the_network_is_no_rate() {
    let mut client = usage(40, 3000, 20);
    client.network.truncate(1);
    let figures = only_row(record(10, Some(monitored(0, client, usage(5, 30, 2990))))).figures;
    assert!(figures.unwrap().client_bytes.is_none());
}

#[test]
fn too_much_to_subscribe_to_is_an_answer_and_a_crash_is_a_failure() {
    let failed = |kind, stage| {
        let mut record = record(1000, None);
        let message = "subscribe: 5 of 100000 not subscribed after 60 s\nmore".to_owned();
        record.failure = Some(Failure { kind, stage: Some(stage), message });
        record
    };
    let given_up = failed(FailureKind::StageFailed, Stage::Subscribe);
    let row = only_row(given_up.clone());
    assert_eq!(row.bottleneck, Some(Bottleneck::Client));
    assert_eq!(row.failure.unwrap(), "subscribe: 5 of 100000 not subscribed after 60 s");
    let measured = record(10, Some(monitored(0, usage(40, 0, 0), usage(5, 0, 0))));
    assert_eq!(exit_code_of(&run(vec![given_up, measured.clone()]), &[]), 0);
    let crashed = failed(FailureKind::Crashed, Stage::Subscribe);
    assert_eq!(exit_code_of(&run(vec![crashed, measured]), &[]), 4);
}

#[test]
fn the_report_shows_loss_subscriptions_and_what_was_published() {
    let mut seen = monitored(90_000, usage(97, 500_000, 0), usage(20, 0, 500_000));
    seen.server_counters.overloads.insert("callback queue full".to_owned(), 2);
    seen.steady = Some(Steady { reached: false, after_s: 6.0 });
    let run = run(vec![record(100, Some(seen))]);
    let report = rendered(&run, Format::Markdown);
    for words in [
        "scale: python-softioc-calc against aioca",
        "overloaded, limited by: the client's CPU; the server made 10.0 Hz, 10.0 % of",
        "the server reported \"callback queue full\" 2 times",
        "10 000 monitors made 1 000 subscriptions at the server",
        "CPU use was not steady when the figures began",
        // 500 kB/s of 24.4 bytes each for 100 000 updates/s.
        "| 20.5 |",
        "0 of 1 loads without loss; the least that was too much: 100 000 updates/s",
    ] {
        assert!(report.contains(words), "{words}\n{report}");
    }
    let screen = rendered(&run, Format::Summary);
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    assert!(screen.contains("the client's CPU"), "{screen}");
}

#[test]
fn each_protocol_is_compared_with_its_own_floor() {
    let configuration = |server: &str, approach: &str, percent| Record {
        scenario: Scenario::Scalars,
        server: server.to_owned(),
        approach: approach.to_owned(),
        ..record(1, Some(monitored(0, usage(percent, 0, 0), usage(5, 0, 0))))
    };
    let mut run = run_with(
        &["wire", "aioca", "pvxs", "p4p"],
        vec![
            configuration("softioc", "wire", 5),
            configuration("softioc", "aioca", 20),
            configuration("softioc-pva", "pvxs", 10),
            configuration("softioc-pva", "p4p", 30),
        ],
    );
    for facts in &mut run.run.approaches[2..] {
        facts.protocol = Protocol::Pva;
        facts.floor = facts.name == "pvxs";
    }
    let monitors = judge(&run).monitors;
    let over = |configuration: usize, approach: &str| {
        let row = monitors[configuration].rows.iter().find(|row| row.approach == approach).unwrap();
        row.over_floor_percent.map(|over| over.median.round())
    };
    assert_eq!(monitors.len(), 2);
    assert_eq!((over(0, "wire"), over(0, "aioca")), (None, Some(15.0)));
    assert_eq!((over(1, "pvxs"), over(1, "p4p")), (None, Some(20.0)));
}
