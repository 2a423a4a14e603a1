use super::*;
use crate::judge::pair_metrics::OF_CONNECT;
use crate::metric::Metric;
use crate::protocol::Protocol;
use crate::record::RunRecords;
use crate::record::{
    ApproachFacts, ComparisonRequest, End, Failure, FailureKind, HostClock, NetworkBetween,
    RECORD_FORMAT, Record, Run, Sample, Scenario, ServerHostFacts, Side,
};
use crate::worker_protocol::{Mode, Stage};

fn record(approach: &str, block: usize, connect_s_per_pv: f64) -> Record {
    let sample = Sample {
        stage: Stage::Connect,
        mode: Mode::Bulk,
        pvs: 100,
        start_ns: 0,
        end_ns: (1e9 * 100.0 * connect_s_per_pv) as u64,
        cpu_ns: 0,
        each_ns: Vec::new(),
        witnessed: None,
        default_get: None,
    };
    Record {
        scenario: Scenario::Connect,
        server: "softioc".to_owned(),
        pvs: 100,
        block,
        approach: approach.to_owned(),
        versions: [("python".to_owned(), "3.12".to_owned())].into(),
        samples: vec![sample],
        ..Record::default()
    }
}

/// Eight blocks that scatter by some percent.
fn blocks(connect_s_per_pv: f64) -> Vec<Record> {
    (0..8)
        .map(|block| record("mine", block, connect_s_per_pv * (1.0 + 0.01 * block as f64)))
        .collect()
}

fn run(day: usize, cores: usize, records: Vec<Record>) -> (String, RunRecords) {
    let text = String::new;
    let run = Run {
        format: RECORD_FORMAT,
        version: "0.1.0".to_owned(),
        base: "7".to_owned(),
        compiler: text(),
        started_utc: format!("2026-01-{day:02}T00:00:00Z"),
        arguments: Vec::new(),
        seed: 1,
        blocks: 8,
        machine: Machine {
            cores,
            model: text(),
            system: text(),
            kernel: format!("kernel {day}"),
            memory_bytes: 0,
        },
        approaches: vec![ApproachFacts {
            name: "mine".to_owned(),
            protocol: Protocol::Ca,
            floor: false,
            simplicity: None,
            simplicity_reason: text(),
            default_get: None,
        }],
        environments: Vec::new(),
        revision: None,
        server_host: None,
        comparison: None,
    };
    (format!("day {day}"), RunRecords { run, records, end: None })
}

/// The history of whole runs.
fn history(runs: &[(String, RunRecords)]) -> Result<History, NoHistory> {
    let figures = runs.iter().map(|(name, run)| RunFigures::of(name, run));
    super::history(&figures.collect::<Result<Vec<RunFigures>, NoHistory>>()?)
}

fn connect(history: &History) -> &Series {
    let machine = &history.machines[0];
    machine.series.iter().find(|series| series.metric == OF_CONNECT[0]).unwrap()
}

#[test]
fn runs_are_put_in_the_order_of_time_whatever_the_order_of_arguments() {
    let runs = [run(2, 4, blocks(2e-5)), run(1, 4, blocks(1e-5))];
    let history = history(&runs).unwrap();
    let names: Vec<&str> = history.machines[0].runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["day 1", "day 2"]);
    let medians: Vec<f64> =
        connect(&history).points.iter().map(|point| point.figure.median).collect();
    assert!(medians[0] < 1.1e-5 && medians[1] > 1.9e-5, "{medians:?}");
}

#[test]
fn a_run_is_complete_when_it_came_to_its_end() {
    let ended = |day, interrupted: Option<bool>| {
        let (name, mut run) = run(day, 4, blocks(1e-5));
        run.end = interrupted.map(|interrupted| End {
            ended_utc: String::new(),
            interrupted,
            processes_left: None,
            server_clock: None,
        });
        (name, run)
    };
    let history = history(&[ended(1, None), ended(2, Some(true)), ended(3, Some(false))]).unwrap();
    let complete: Vec<bool> = history.machines[0].runs.iter().map(|run| run.complete).collect();
    assert_eq!(complete, [false, false, true]);
}

#[test]
fn only_intervals_that_do_not_touch_are_pointed_out_and_only_of_the_last_run() {
    let change = |last: f64| {
        let runs = [run(1, 4, blocks(5e-5)), run(2, 4, blocks(1e-5)), run(3, 4, blocks(last))];
        connect(&history(&runs).unwrap()).last_change
    };
    assert_eq!(change(1.01e-5), None);
    let worse = change(2e-5).unwrap();
    assert!(worse.is_worse && (worse.ratio.unwrap() - 2.0).abs() < 1e-3, "{worse:?}");
    assert!(!change(0.5e-5).unwrap().is_worse);
}

#[test]
fn too_few_blocks_for_an_interval_are_never_pointed_out() {
    let few = |day, figure| run(day, 4, blocks(figure)[..4].to_vec());
    let history = history(&[few(1, 1e-5), few(2, 9e-5)]).unwrap();
    assert_eq!(connect(&history).points[0].figure.samples, 4);
    assert_eq!(connect(&history).last_change, None);
}

#[test]
fn machines_stand_apart_and_a_new_kernel_is_no_new_machine() {
    let runs = [run(1, 4, blocks(1e-5)), run(2, 2, blocks(9e-5)), run(3, 4, blocks(1.02e-5))];
    let history = history(&runs).unwrap();
    let counts: Vec<usize> = history.machines.iter().map(|one| one.runs.len()).collect();
    assert_eq!(counts, [2, 1]);
    assert_eq!(connect(&history).last_change, None, "the other machine is not between them");
}

#[test]
fn runs_between_two_hosts_stand_apart_from_those_on_one() {
    let (name, mut between) = run(2, 4, blocks(9e-5));
    between.run.server_host = Some(ServerHostFacts {
        name: "ioc".to_owned(),
        host_name: String::new(),
        address: String::new(),
        clients_address: String::new(),
        cores: 4,
        is_on_this_machine: false,
        clock: HostClock { offset_ns: 0, bound_ns: 0, round_trip_ns: 0 },
        network: NetworkBetween { round_trip_ns: 0, bytes_per_s: 0.0 },
    });
    let runs = [run(1, 4, blocks(1e-5)), (name, between), run(3, 4, blocks(1.02e-5))];
    let history = history(&runs).unwrap();
    let counts: Vec<usize> = history.machines.iter().map(|one| one.runs.len()).collect();
    assert_eq!(counts, [2, 1]);
    assert_eq!(connect(&history).last_change, None);
}

#[test]
fn blocks_that_confirm_are_left_out_and_a_missing_run_leaves_a_gap() {
    let mut first = blocks(1e-5);
    first.push(Record { confirms: true, block: 8, ..record("mine", 8, 1.0) });
    let other = vec![Record { pvs: 7, ..record("mine", 0, 1e-5) }];
    let history = history(&[run(1, 4, first), run(2, 4, other), run(3, 4, blocks(1e-5))]).unwrap();
    let series = history.machines[0]
        .series
        .iter()
        .find(|series| series.metric == OF_CONNECT[0] && series.configuration.pvs == 100)
        .unwrap();
    let seen: Vec<(usize, usize)> =
        series.points.iter().map(|point| (point.run, point.figure.samples)).collect();
    assert_eq!(seen, [(0, 8), (2, 8)]);
}

#[test]
fn failed_workers_are_a_series_where_there_are_some() {
    let mut failing = blocks(1e-5);
    failing[0].failure =
        Some(Failure { kind: FailureKind::Crashed, stage: None, message: String::new() });
    let failed = |runs: &[(String, RunRecords)]| {
        let history = history(runs).unwrap();
        let series = &history.machines[0].series;
        series.iter().find(|series| series.metric == Metric::WorkersFailed).cloned()
    };
    let found = failed(&[run(1, 4, blocks(1e-5)), run(2, 4, failing)]).unwrap();
    assert!(found.last_change.unwrap().is_worse);
    assert_eq!(found.points.len(), 2);
    assert_eq!(failed(&[run(1, 4, blocks(1e-5)), run(2, 4, blocks(1e-5))]), None);
}

#[test]
fn versions_are_reported_at_first_and_where_they_change() {
    let mut newer = blocks(1e-5);
    for record in &mut newer {
        record.versions.insert("python".to_owned(), "3.13".to_owned());
    }
    let runs = [run(1, 4, blocks(1e-5)), run(2, 4, blocks(1e-5)), run(3, 4, newer)];
    let versions = history(&runs).unwrap().machines.remove(0).versions;
    let changes: Vec<(usize, &str)> =
        versions.iter().map(|from| (from.run, from.versions[0].as_str())).collect();
    assert_eq!(changes, [(0, "python 3.12"), (2, "python 3.13")]);
}

#[test]
fn a_search_is_pointed_out_when_its_brackets_do_not_touch() {
    let point = |low: f64, high: f64, open_above| Point {
        run: 0,
        figure: Interval { low, high, ..Interval::exact(low, 3) },
        open_above,
    };
    let lies_over = |one: &Point, other: &Point| lies_over(Nature::Searched, one, other);
    assert!(lies_over(&point(2000.0, 2100.0, false), &point(900.0, 1000.0, false)));
    assert!(!lies_over(&point(2000.0, 2100.0, false), &point(900.0, 2000.0, false)));
    assert!(!lies_over(&point(2000.0, 2100.0, false), &point(900.0, 900.0, true)));
}

#[test]
fn what_is_no_run_is_refused_by_its_name() {
    let twice = [run(1, 4, blocks(1e-5)), run(1, 4, blocks(2e-5))];
    let message = history(&twice).unwrap_err().to_string();
    assert_eq!(message, "day 1 and day 1 are the same run");
    let empty = [run(1, 4, blocks(1e-5)), run(2, 4, Vec::new())];
    assert_eq!(history(&empty).unwrap_err(), NoHistory::IsEmpty("day 2".to_owned()));
    let mut compared = run(2, 4, blocks(1e-5));
    compared.1.run.comparison = Some(ComparisonRequest {
        a: String::new(),
        b: String::new(),
        metrics: Vec::new(),
        tolerance: 0.03,
        most_pairs: 12,
        comparisons: 1,
    });
    let message = history(&[run(1, 4, blocks(1e-5)), compared]).unwrap_err();
    assert_eq!(message, NoHistory::IsComparison("day 2".to_owned()));
    let mut slowed = blocks(1e-5);
    slowed[0].side = Some(Side::B);
    slowed[0].slowdown = Some(Default::default());
    let message = history(&[run(1, 4, blocks(1e-5)), run(2, 4, slowed)]).unwrap_err();
    assert_eq!(message, NoHistory::IsCalibration("day 2".to_owned()));
}

/// From 1 to 2, with the least confidence that decides.
fn point() -> Point {
    let figure =
        Interval { median: 1.5, low: 1.0, high: 2.0, confidence: CONFIDENCE_WANTED, samples: 5 };
    Point { run: 0, figure, open_above: false }
}

/// The same further up.
fn higher_by(more: f64) -> Point {
    let Point { figure, .. } = point();
    let (median, low, high) = (figure.median + more, figure.low + more, figure.high + more);
    Point { figure: Interval { median, low, high, ..figure }, ..point() }
}

#[test]
fn a_figure_lies_over_another_when_their_intervals_do_not_touch() {
    for nature in [Nature::Measured, Nature::Searched] {
        assert!(lies_over(nature, &higher_by(1.1), &point()), "{nature:?}");
        assert!(!lies_over(nature, &higher_by(1.0), &point()), "{nature:?} that touch");
        assert!(!lies_over(nature, &point(), &higher_by(1.1)), "{nature:?} below");
    }
}

#[test]
fn what_is_unsure_or_open_above_has_nothing_over_it() {
    let mut unsure = higher_by(1.1);
    unsure.figure.confidence = 0.8;
    assert!(!lies_over(Nature::Measured, &unsure, &point()));
    unsure.figure = Interval { low: 0.0, high: 0.5, ..unsure.figure };
    assert!(!lies_over(Nature::Measured, &point(), &unsure));
    let open = Point { open_above: true, ..point() };
    assert!(!lies_over(Nature::Searched, &higher_by(1.1), &open));
}

#[test]
fn losses_are_pointed_out_where_there_were_none() {
    let lost = |count| Point { figure: Interval::exact(count, 5), ..point() };
    assert!(lies_over(Nature::Losses, &lost(1.0), &lost(0.0)));
    assert!(!lies_over(Nature::Losses, &lost(2.0), &lost(1.0)));
    assert!(!lies_over(Nature::Losses, &lost(0.0), &lost(0.0)));
}

/// One worker in this configuration.
fn in_configuration(server: &str, pvs: usize, mode: Mode) -> Record {
    Record { server: server.to_owned(), pvs, mode, ..record("mine", 0, 1e-5) }
}

#[test]
fn what_a_later_run_has_first_is_put_where_it_belongs() {
    let first = vec![in_configuration("softioc", 100, Mode::Bulk)];
    let later = vec![
        in_configuration("softioc", 100, Mode::Serial),
        in_configuration("softioc", 100, Mode::Bulk),
        in_configuration("softioc", 10, Mode::Bulk),
        in_configuration("another", 100, Mode::Bulk),
    ];
    let history = history(&[run(1, 4, first), run(2, 4, later)]).unwrap();
    let of_connect = history.machines[0].series.iter().filter(|one| one.metric == OF_CONNECT[0]);
    let configurations: Vec<(&str, usize, Mode)> = of_connect
        .map(|one| {
            (one.configuration.server.as_str(), one.configuration.pvs, one.configuration.mode)
        })
        .collect();
    let expected = [
        ("another", 100, Mode::Bulk),
        ("softioc", 10, Mode::Bulk),
        ("softioc", 100, Mode::Bulk),
        ("softioc", 100, Mode::Serial),
    ];
    assert_eq!(configurations, expected);
}

/// So many days at each level, in turn.
fn days(levels: &[(usize, f64)]) -> Vec<(String, RunRecords)> {
    let each = levels.iter().flat_map(|(days, level)| vec![*level; *days]);
    let scattered = |(day, level): (usize, f64)| {
        let scatter = 1.0 + 0.001 * (day * 7 % 10) as f64;
        let (name, mut run) = run(1, 4, blocks(level * scatter));
        run.run.started_utc = format!("2026-01-01T00:{day:02}:00Z");
        (name, run)
    };
    each.enumerate().map(scattered).collect()
}

#[test]
fn a_worsening_is_recent_until_so_many_runs_later_or_until_it_is_undone() {
    let recent = |levels: &[(usize, f64)]| {
        let history = history(&days(levels)).unwrap();
        let worse = connect(&history).recent_worsening(&history.machines[0], 5).copied();
        worse.map(|change| (change.first_run, change.found_run))
    };
    assert_eq!(recent(&[(30, 1e-5)]), None);
    let (first, found) = recent(&[(20, 1e-5), (9, 1.2e-5)]).unwrap();
    assert!(first == 20 && found < 28, "{first}, {found}");
    assert_eq!(recent(&[(20, 1e-5), (25, 1.2e-5)]), None, "found long ago");
    assert_eq!(recent(&[(20, 1e-5), (9, 0.8e-5)]), None, "better");
    assert_eq!(recent(&[(20, 1e-5), (14, 1.2e-5), (12, 1e-5)]), None, "undone");
}

#[test]
fn a_change_of_level_has_its_size_with_an_interval() {
    let history = history(&days(&[(15, 1e-5), (15, 1.2e-5)])).unwrap();
    let change = connect(&history).changes[0];
    let ratio = change.ratio.unwrap();
    assert!((ratio.median - 1.2).abs() < 0.01 && ratio.low < 1.2 && ratio.high > 1.2, "{ratio:?}");
    assert_eq!((change.before.samples, change.after.samples), (15, 15));
    assert!(change.is_worse);
}

#[test]
fn a_line_of_a_history_file_reads_back() {
    let (name, records) = run(1, 4, blocks(1e-5));
    let figures = RunFigures::of(&name, &records).unwrap();
    let file = history_line(&figures) + &history_line(&figures);
    assert!(is_history_file(&file), "{file}");
    assert_eq!(parse_history(&file), Ok(vec![figures.clone(), figures]));
}

#[test]
fn a_broken_history_file_is_refused_with_the_number_of_its_line() {
    let (name, records) = run(1, 4, blocks(1e-5));
    let line = history_line(&RunFigures::of(&name, &records).unwrap());
    let refused = |second: &str| parse_history(&format!("{line}{second}")).unwrap_err();
    assert!(refused("{\"line\":\"fig").starts_with("line 2: it was cut off"));
    assert!(refused("{}\n").starts_with("line 2: missing field `format`"));
    let other = line.replace("\"format\":1", "\"format\":7");
    assert!(refused(&other).contains("format 7, this build reads format 1"));
    let unknown = line.replace("connect bulk", "connect sideways");
    assert!(refused(&unknown).contains("unknown metric `connect sideways`"));
}
