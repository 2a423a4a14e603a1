//! The judge on literal records of monitors.

use std::collections::BTreeMap;

use epics_gauge::judge::{Bottleneck, Outcome, Verdict};
use epics_gauge::metric::{Metric, Party};
use epics_gauge::record::{
    Disturbance, Failure, FailureKind, Load, MachineUse, Monitored, Network, Pixels, Record,
    Recovery, RunRecords, Scenario, ServerCounters, Usage, UsageSample,
};
use epics_gauge::report::Format;
use epics_gauge::worker_protocol::Stage;

use super::{exit_code_of, judge, rendered, run_with};

pub(super) const SECOND_NS: u64 = 1_000_000_000;

/// Ten samples a second for a minute: CPU in % of a core, memory growing by
/// `leak_bytes_s`.
pub(super) fn usage(percent: u64, leak_bytes_s: u64) -> Usage {
    let samples = (0..=600)
        .map(|tenth| UsageSample {
            at_ns: tenth * SECOND_NS / 10,
            cpu_ns: tenth * SECOND_NS / 1000 * percent,
            rss_bytes: (50 << 20) + tenth * leak_bytes_s / 10,
        })
        .collect();
    Usage { samples, peak_rss_bytes: 60 << 20, network: Vec::new() }
}

pub(super) fn load() -> Load {
    Load {
        rate_hz: 120.0,
        seconds: 60.0,
        pixels: Some(Pixels { width: 680, height: 480 }),
        array_bytes: None,
        disturbance: None,
        monitors: 1,
        idle_pvs: 0,
    }
}

pub(super) fn monitored() -> Monitored {
    Monitored {
        start_ns: 0,
        end_ns: 60 * SECOND_NS,
        made_hz: 120.0,
        steady: None,
        cores: None,
        expected: 7201,
        received: 7201,
        repeated: 0,
        late: 0,
        silent: 0,
        latencies: vec![(200_000, 7190), (4_000_000, 10)],
        server_counters: ServerCounters::default(),
        library_counters: BTreeMap::new(),
        client: usage(20, 0),
        server: usage(10, 0),
        sampler_cpu_ns: SECOND_NS / 10,
        machine: None,
        network: Some(Network { received_bytes: 1001, sent_bytes: 10, least_bytes: Some(1000) }),
        recovery: None,
        losses: None,
        latency_over_time: None,
    }
}

pub(super) fn record(scenario: &str, approach: &str, load: Load, monitored: Monitored) -> Record {
    Record {
        scenario: scenario.parse().unwrap(),
        server: "softioc".to_owned(),
        pvs: 1,
        load: Some(load),
        approach: approach.to_owned(),
        monitored: Some(Box::new(monitored)),
        ..Record::default()
    }
}

/// The floor, `libca` as it should be, and `aioca` as given.
pub(super) fn waveform(aioca: Monitored) -> RunRecords {
    let of = |approach, monitored| record("waveform", approach, load(), monitored);
    let floor = Monitored { client: usage(5, 0), ..monitored() };
    run_with(
        &["wire", "libca", "aioca"],
        vec![of("wire", floor), of("libca", monitored()), of("aioca", aioca)],
    )
}

/// The same with so many monitor runs more, measured afresh.
pub(super) fn with_fresh_watches(run: &RunRecords, count: usize) -> RunRecords {
    let mut all = run.clone();
    for block in 1..=count {
        let again = run.records.iter().cloned();
        all.records.extend(again.map(|record| Record { block, confirms: true, ..record }));
    }
    all
}

fn growth_of(run: &RunRecords, approach: &str) -> Vec<Outcome> {
    let judgement = judge(run);
    let own = judgement.verdicts.iter().filter(|verdict| {
        verdict.approach == approach && verdict.metric == Metric::Growth(Party::Client)
    });
    own.map(|verdict| verdict.outcome).collect()
}

#[test]
fn memory_that_stays_is_within_and_a_leak_is_over() {
    let good = waveform(monitored());
    assert_eq!(growth_of(&good, "aioca"), [Outcome::Within]);
    assert_eq!(exit_code_of(&good, &[]), 0);
    // 20 kB/s are 1.2 MB per minute.
    let leaking = waveform(Monitored { client: usage(20, 20_000), ..monitored() });
    assert_eq!(growth_of(&leaking, "aioca"), [Outcome::Undecided], "not confirmed yet");
    assert_eq!(growth_of(&leaking, "libca"), [Outcome::Within]);
    assert_eq!(exit_code_of(&leaking, &[]), 3);
    let confirmed = with_fresh_watches(&leaking, 12);
    assert_eq!(growth_of(&confirmed, "aioca"), [Outcome::Over]);
    assert_eq!(exit_code_of(&confirmed, &[]), 1);
}

/// A limit on growth alone.
const OWN_LIMIT: &str = r#"
[[limit]]
scenario = "waveform"
metric = "growth"
relative = "absolute"
most = 1e6
because = "a test"
"#;

/// Three seconds, in which memory has hardly been looked at.
fn short_camera() -> RunRecords {
    let mut run = waveform(monitored());
    for record in &mut run.records {
        let monitored = record.monitored.as_mut().unwrap();
        monitored.client.samples.truncate(30);
        monitored.end_ns = 3 * SECOND_NS;
        record.load = record.load.map(|load| Load { seconds: 3.0, ..load });
    }
    run
}

#[test]
fn growth_that_a_run_is_too_short_for_is_in_the_answer_with_the_option_that_decides_it() {
    let run = short_camera();
    let judgement = judge(&run);
    assert!(judgement.verdicts.iter().all(|one| one.metric != Metric::Growth(Party::Client)));
    let named: Vec<&str> = judgement.too_short.iter().map(|one| one.approach.as_str()).collect();
    assert_eq!(named, ["libca", "aioca"]);
    let report = rendered(&run, Format::Markdown);
    let line = "NOT JUDGED: growth of libca, aioca: the run is too short; --seconds 30 decides it.";
    assert!(report.contains(line), "{report}");
}

#[test]
fn what_a_run_is_too_short_for_is_undecided_by_limits_of_the_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, OWN_LIMIT).unwrap();
    let own = ["--limits", file.to_str().unwrap()];
    assert_eq!(exit_code_of(&short_camera(), &[]), 0, "the quick run is meant to be short");
    assert_eq!(exit_code_of(&short_camera(), &own), 3);
    assert_eq!(exit_code_of(&waveform(monitored()), &own), 0);
    let expected = format!("{OWN_LIMIT}expect = \"over\"\nreason = \"it leaks\"\n");
    std::fs::write(&file, expected).unwrap();
    assert_eq!(exit_code_of(&short_camera(), &own), 0, "it cannot break its limit further");
}

#[test]
fn cpu_is_reported_by_windows_in_all_and_over_the_floor() {
    let judgement = judge(&waveform(monitored()));
    let rows = &judgement.monitors[0].rows;
    let aioca = rows.iter().find(|row| row.approach == "aioca").unwrap();
    let cpu = aioca.client_cpu.as_ref().unwrap();
    assert!((cpu.mean_percent - 20.0).abs() < 0.01 && (cpu.max_percent - 20.0).abs() < 0.01);
    assert!((aioca.over_floor_percent.unwrap().median - 15.0).abs() < 0.01);
    assert!(rows.iter().find(|row| row.floor).unwrap().over_floor_percent.is_none());
    assert!((aioca.sampler_percent - 0.1667).abs() < 0.001, "{}", aioca.sampler_percent);
}

#[test]
fn the_report_reports_at_which_stage_updates_were_lost() {
    let lossy = Monitored {
        received: 7101,
        repeated: 2,
        late: 30,
        server_counters: ServerCounters { merged_updates: Some(40), ..ServerCounters::default() },
        library_counters: BTreeMap::from([("dropped_callbacks".to_owned(), 20)]),
        ..monitored()
    };
    let run = waveform(lossy);
    let report = rendered(&run, Format::Markdown);
    for words in [
        "aioca: 100 of 7 201 updates lost",
        "40 replaced in the server's event queue",
        "20 in the library's own count `dropped_callbacks`",
        "30 had not arrived when the time was over",
        "10 frames not sent",
        "2 frames arrived twice",
        "aioca lost 100",
    ] {
        assert!(report.contains(words), "{words}:\n{report}");
    }
}

#[test]
fn percentiles_and_published_figures_stand_in_the_report() {
    let run = waveform(monitored());
    let report = rendered(&run, Format::Markdown);
    assert!(report.contains("| aioca | 7201 | 7201 | 0 | 0 | 0.200 | 0.200 | 0.200 |"), "{report}");
    assert!(report.contains("| caproto | 78.06 | - |"), "{report}");
    assert!(report.contains("1.0010"), "{report}");
}

#[test]
fn a_pv_that_does_not_come_back_breaks_a_limit() {
    let recovery = |recovered| {
        let load =
            Load { disturbance: Some(Disturbance::Restart), pixels: None, rate_hz: 10.0, ..load() };
        let recovery = Some(Recovery { wanted: 100, recovered, slowest_s: Some(1.5) });
        let of = |approach, recovery| {
            record("recovery", approach, load, Monitored { recovery, ..monitored() })
        };
        let whole = Some(Recovery { wanted: 100, recovered: 100, slowest_s: Some(0.5) });
        run_with(&["wire", "aioca"], vec![of("wire", whole), of("aioca", recovery)])
    };
    assert_eq!(exit_code_of(&recovery(100), &[]), 0);
    assert_eq!(exit_code_of(&recovery(99), &[]), 1);
    let report = rendered(&recovery(99), Format::Markdown);
    assert!(report.contains("| aioca | 99 of 100 | 1.50 | OVER |"), "{report}");
}

#[test]
fn the_load_of_several_blocks_is_that_of_one_after_the_other() {
    let (start_ns, end_ns) = (10 * SECOND_NS, 20 * SECOND_NS);
    let block = |block, percent| {
        let client = usage(percent, 0);
        let monitored = Monitored { start_ns, end_ns, client, ..monitored() };
        Record { block, ..record("waveform", "aioca", load(), monitored) }
    };
    let judgement = judge(&run_with(&["wire", "aioca"], vec![block(0, 20), block(1, 40)]));
    let cpu = judgement.monitors[0].rows[0].client_cpu.clone().unwrap();
    assert_eq!((cpu.min_percent.round(), cpu.max_percent.round()), (20.0, 40.0));
    assert_eq!((cpu.mean_percent.round(), cpu.wall_ns), (30.0, 20 * SECOND_NS));
}

/// A probe of a search: `lost` updates of `pvs` PVs at 100 Hz.
fn probe(pvs: usize, lost: u64, made_hz: f64, counters: ServerCounters) -> Record {
    let load = Load { rate_hz: 100.0, pixels: None, ..load() };
    let received = 7201 - lost;
    let monitored = Monitored { received, made_hz, server_counters: counters, ..monitored() };
    Record { pvs, ..record("capacity", "aioca", load, monitored) }
}

#[test]
fn capacity_is_the_most_below_the_least_loss() {
    let merged = || ServerCounters { merged_updates: Some(5), ..ServerCounters::default() };
    let none = ServerCounters::default;
    let probes = vec![
        probe(1000, 50, 100.0, merged()),
        probe(100, 0, 100.0, none()),
        probe(500, 5, 100.0, merged()),
        // A lucky one above a loss does not count.
        probe(600, 0, 100.0, none()),
        probe(100, 0, 100.0, none()),
    ];
    let judgement = judge(&run_with(&["wire", "aioca"], probes));
    assert!(judgement.monitors.is_empty());
    let [capacity] = judgement.capacities.as_slice() else { panic!("{judgement:?}") };
    assert_eq!((capacity.lossless_pvs, capacity.confirmed), (Some(100), 2));
    assert_eq!(
        (capacity.lossy_pvs, capacity.bottleneck),
        (Some(500), Some(Bottleneck::ServerQueue))
    );
    assert_eq!(capacity.lossless_updates_hz, 10_000.0);
}

/// Why a search ended whose probe lost 50 updates, with the server's counters and the
/// rest as changed.
fn why_it_lost(counters: ServerCounters, change: impl Fn(&mut Monitored)) -> Option<Bottleneck> {
    let mut lossy = probe(1000, 50, 100.0, counters);
    change(lossy.monitored.as_mut().unwrap());
    judge(&run_with(&["wire", "aioca"], vec![lossy])).capacities[0].bottleneck
}

#[test]
fn who_lost_updates_is_reported_by_the_first_counter_that_shows_it() {
    let none = ServerCounters::default;
    let as_it_is = |_: &mut Monitored| {};
    assert_eq!(why_it_lost(none(), as_it_is), Some(Bottleneck::Unknown));
    let zeros = ServerCounters { merged_updates: Some(0), callback_overflows: Some(0), ..none() };
    assert_eq!(why_it_lost(zeros, as_it_is), Some(Bottleneck::Unknown));
    for full in [
        ServerCounters { merged_updates: Some(1), ..none() },
        ServerCounters { callback_overflows: Some(1), ..none() },
        ServerCounters { overloads: [("ring buffer full".to_owned(), 1)].into(), ..none() },
    ] {
        assert_eq!(why_it_lost(full, as_it_is), Some(Bottleneck::ServerQueue));
    }
    let late = |one: &mut Monitored| one.late = 50;
    assert_eq!(why_it_lost(none(), late), Some(Bottleneck::Late));
    let some_late = |one: &mut Monitored| one.late = 49;
    assert_eq!(why_it_lost(none(), some_late), Some(Bottleneck::Unknown));
    for (dropped, expected) in [(0, Bottleneck::Unknown), (1, Bottleneck::Library)] {
        let count = |one: &mut Monitored| {
            one.library_counters = [("dropped".to_owned(), dropped)].into();
        };
        assert_eq!(why_it_lost(none(), count), Some(expected));
    }
}

#[test]
fn a_side_that_used_all_of_a_core_lost_the_updates() {
    for (client, server, expected) in [
        (90, 95, Bottleneck::ClientCpu),
        (89, 90, Bottleneck::ServerCpu),
        (89, 89, Bottleneck::Unknown),
    ] {
        let busy = |one: &mut Monitored| {
            (one.client, one.server) = (usage(client, 0), usage(server, 0));
        };
        assert_eq!(why_it_lost(ServerCounters::default(), busy), Some(expected));
    }
}

#[test]
fn a_probe_that_ran_out_of_memory_is_an_answer_and_no_failure() {
    let none = ServerCounters::default;
    let mut eaten = probe(1000, 0, 100.0, none());
    eaten.monitored = None;
    eaten.failure = Some(Failure {
        kind: FailureKind::TooMuchMemory,
        stage: Some(Stage::Collect),
        message: "the client held 6000 MiB".to_owned(),
    });
    let run = run_with(&["wire", "aioca"], vec![eaten.clone(), probe(100, 0, 100.0, none())]);
    let judgement = judge(&run);
    assert_eq!(judgement.capacities[0].bottleneck, Some(Bottleneck::Memory));
    assert_eq!(judgement.capacities[0].lossless_pvs, Some(100));
    assert_eq!(exit_code_of(&run, &[]), 0);
    // Elsewhere it is a failure.
    let monitored_one = Record { scenario: Scenario::Scalars, ..eaten };
    assert_eq!(exit_code_of(&run_with(&["wire", "aioca"], vec![monitored_one]), &[]), 4);
}

#[test]
fn a_server_that_cannot_make_the_updates_is_not_the_clients_limit() {
    let none = ServerCounters::default;
    let probes = vec![probe(1000, 0, 70.0, none()), probe(100, 0, 100.0, none())];
    let judgement = judge(&run_with(&["wire", "aioca"], probes));
    assert_eq!(judgement.capacities[0].bottleneck, Some(Bottleneck::ServerScan));
    assert_eq!(judgement.capacities[0].lossless_pvs, Some(100));
}

/// A client that loses updates in every monitor run, on a machine that did this meanwhile.
fn lossy_on(machine: Option<MachineUse>) -> RunRecords {
    let lossy = Monitored { received: 7101, machine, ..monitored() };
    with_fresh_watches(&waveform(lossy), 12)
}

fn lost_of(run: &RunRecords) -> Verdict {
    let judgement = judge(run);
    let is_own = |one: &&Verdict| one.approach == "aioca" && one.metric == Metric::UpdatesLost;
    judgement.verdicts.iter().find(is_own).unwrap().clone()
}

#[test]
fn losses_on_a_crowded_machine_are_undecided_and_give_the_reason() {
    let of = |idle_percent, others_percent| Some(MachineUse { idle_percent, others_percent });
    let contended = lossy_on(of(1.0, 80.0));
    let verdict = lost_of(&contended);
    assert_eq!((verdict.outcome, verdict.more_blocks), (Outcome::Undecided, None));
    let reason = verdict.reason.unwrap();
    assert!(reason.contains("80 % of all cores' time in 12 of 12 blocks"), "{reason}");
    assert_eq!(exit_code_of(&contended, &[]), 3);
    let report = rendered(&contended, Format::Markdown);
    assert!(report.contains("Other programs kept this machine busy: in 13 of 13"), "{report}");
    // A quiet machine; one that the run itself kept busy; one with a core at rest; one
    // that does not tell.
    for machine in [of(60.0, 5.0), of(0.0, 5.0), of(40.0, 50.0), None] {
        let run = lossy_on(machine);
        assert_eq!(lost_of(&run).outcome, Outcome::Over, "{machine:?}");
        assert_eq!(exit_code_of(&run, &[]), 1, "{machine:?}");
    }
}

#[test]
fn losses_that_quiet_blocks_confirm_are_over_although_some_were_crowded() {
    let mut run = lossy_on(Some(MachineUse { idle_percent: 1.0, others_percent: 80.0 }));
    let quiet = MachineUse { idle_percent: 60.0, others_percent: 5.0 };
    let fresh = run.records.iter_mut().filter(|one| one.confirms && one.approach == "aioca");
    for record in fresh.take(7) {
        record.monitored.as_mut().unwrap().machine = Some(quiet);
    }
    assert_eq!(lost_of(&run).outcome, Outcome::Over);
}

#[test]
fn what_only_the_first_block_reports_is_judged_by_how_crowded_that_one_was() {
    let of = |idle_percent, others_percent| Some(MachineUse { idle_percent, others_percent });
    let outcome = |first: Option<MachineUse>, fresh: Option<MachineUse>| {
        let network = Network { received_bytes: 900_000, sent_bytes: 10, least_bytes: Some(1000) };
        let wasteful = Monitored { network: Some(network), machine: first, ..monitored() };
        let mut run = with_fresh_watches(&waveform(wasteful), 12);
        for record in run.records.iter_mut().filter(|one| one.confirms) {
            *record.monitored.as_mut().unwrap() =
                Monitored { machine: fresh, ..monitored() }.into();
        }
        let judgement = judge(&run);
        let is_own = |one: &&Verdict| {
            (one.approach.as_str(), one.metric.name()) == ("aioca", "bytes over least")
        };
        judgement.verdicts.iter().find(is_own).unwrap().outcome
    };
    let (contended, quiet) = (of(1.0, 80.0), of(60.0, 5.0));
    assert_eq!(outcome(contended, quiet), Outcome::Undecided);
    assert_eq!(outcome(quiet, contended), Outcome::Over);
}

#[test]
fn a_wrong_update_is_a_failure_on_a_crowded_machine_too() {
    let mut run = lossy_on(Some(MachineUse { idle_percent: 1.0, others_percent: 80.0 }));
    let own = run.records.iter_mut().find(|one| one.approach == "aioca").unwrap();
    own.failure = Some(Failure {
        kind: FailureKind::WrongUpdate,
        stage: Some(Stage::Collect),
        message: "torn".to_owned(),
    });
    assert_eq!(exit_code_of(&run, &[]), 4);
}
