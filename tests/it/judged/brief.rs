//! What a run prints: the answer first, on one screen.

use epics_gauge::judge::{BUDGET_S, Crossing, Limits, Outcome, judge, matters};
use epics_gauge::record::{
    Failure, FailureKind, FaultRun, GetsSeen, Load, Record, Recovered, Reports, RunRecords,
    Scenario,
};
use epics_gauge::report::{Format, Subject, render};
use epics_gauge::scenario::FAULTS;

use super::monitors::{load, monitored, usage};
use super::with_fresh_blocks;
use super::{
    FAST, FLOOR, Speed, before, exit_code_of, monitors, record, rendered, run_of, run_with,
};

fn brief(run: &RunRecords, limits: &Limits) -> String {
    with_budget(run, limits, BUDGET_S)
}

fn with_budget(run: &RunRecords, limits: &Limits, budget_s: f64) -> String {
    let judgement = judge(run, limits);
    let subject = Subject::Run { run, judgement: &judgement, known: &[], budget_s };
    render(&subject, Format::Summary)
}

/// The row of an approach in the table of a brief report.
fn row<'a>(text: &'a str, approach: &str) -> &'a str {
    let start = format!(" {approach} ");
    text.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn a_quick_run_of_both_protocols_fits_one_screen_with_the_answer_at_its_top() {
    let text = brief(&before::records("quick"), &Limits::built_in());
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines.len() <= 40, "{} lines:\n{text}", lines.len());
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    let (answer, table) = (text.find("The answer").unwrap(), text.find("bulk get").unwrap());
    assert!(answer < table, "{text}");
    for column in ["connect", "one get", "bulk get", "1 s slower", "CPU", "lost", "growth"] {
        assert!(text.contains(column), "{column}:\n{text}");
    }
}

/// Every approach through every fault: a third of them wrong, a third failed, a third over
/// several limits.
fn all_red() -> RunRecords {
    let approaches: Vec<String> = (0..15).map(|index| format!("approach-{index}")).collect();
    let names: Vec<&str> =
        ["wire"].into_iter().chain(approaches.iter().map(|name| &**name)).collect();
    let mut records = Vec::new();
    for fault in &FAULTS {
        for (index, approach) in names.iter().enumerate() {
            let gets = GetsSeen { late: 3, stale: 4, ..GetsSeen::default() };
            let recovered = Recovered { wanted: 10, slowest_s: Some(60.0), ..Recovered::default() };
            let reports = Reports { missing: 5, wanted: 10, ..Reports::default() };
            let run = FaultRun {
                name: fault.name.to_owned(),
                gets: Some(gets),
                recovered: Some(recovered),
                reports: Some(reports),
                ..FaultRun::default()
            };
            let kind =
                [None, Some(FailureKind::WrongUpdate), Some(FailureKind::TimedOut)][index % 3];
            records.push(Record {
                scenario: Scenario::Faults,
                server: "softioc".to_owned(),
                pvs: 10,
                approach: (*approach).to_owned(),
                fault: Some(Box::new(run)),
                failure: kind.map(|kind| Failure {
                    kind,
                    stage: None,
                    message: "gauge:0 had 3 updates that nobody made ".repeat(12),
                }),
                ..Record::default()
            });
        }
    }
    run_with(&names, records)
}

#[test]
fn where_everything_is_red_the_worst_fits_one_screen_and_the_rest_is_counted() {
    let run = all_red();
    let text = brief(&run, &Limits::built_in());
    let lines: Vec<&str> = text.lines().collect();
    // A run prints two lines more, where its report is.
    assert!(lines.len() <= 38 && lines.len() > 30, "{} lines:\n{text}", lines.len());
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{text}");
    let first = text.find("* WRONG VALUES: approach-").unwrap();
    assert!(!text[..first].contains("* "), "{text}");
    let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped.contains("LIMIT BROKEN"), "{text}");
    assert!(unwrapped.ends_with("the full report has all of them."), "{text}");

    let whole = rendered(&run, Format::Markdown);
    let broken = judge(&run, &Limits::built_in()).verdicts;
    let broken = broken.iter().filter(|verdict| verdict.is_worse_than_expected()).count();
    assert!(broken > 100, "{broken}");
    assert!(whole.matches("LIMIT BROKEN: ").count() > 50, "{whole}");
    for fault in &FAULTS {
        assert!(whole.contains(fault.name), "{}", fault.name);
    }
}

#[test]
fn the_worst_news_comes_first_in_units_that_need_no_exponent() {
    let slow = Speed { connect: 3e-4, ..FAST };
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", slow)]);
    let text = brief(&with_fresh_blocks(&run, 12), &Limits::built_in());
    let first = text.lines().find(|line| line.starts_with("* ")).unwrap();
    assert!(first.starts_with("* LIMIT BROKEN: aioca, connect bulk at 10 000 PVs: "), "{text}");
    assert!(text.contains("limit 100 µs/PV"), "{text}");
    assert!(!text.contains("e-"), "{text}");
    // One second over 295 to 307 µs/PV.
    assert!(text.contains("3 260 to 3 390"), "{text}");
}

fn with_aioca(connect: f64) -> RunRecords {
    run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", Speed { connect, ..FAST })])
}

#[test]
fn from_how_many_pvs_on_it_matters_has_its_interval_and_follows_the_budget() {
    let run = with_aioca(3e-4);
    let report = rendered(&run, Format::Markdown);
    assert!(report.contains("3 320 (3 260 to 3 390)"), "{report}");
    let text = with_budget(&run, &Limits::built_in(), 2.0);
    assert!(text.contains("2 s slower"), "{text}");
    assert!(row(&text, "aioca").contains("6 520 to 6 780"), "{text}");
    assert!(row(&text, "libca").contains("fastest"), "{text}");
}

#[test]
fn it_matters_never_only_where_no_block_reports_otherwise() {
    let mut run = with_aioca(6e-6);
    // Slower than libca in some blocks, faster in others.
    for one in run.records.iter_mut().filter(|one| one.approach == "aioca" && one.block > 2) {
        *one = record("aioca", one.block, one.position, Speed { connect: 4e-6, ..FAST });
    }
    let crossing = |run: &RunRecords| {
        let matters = matters(&judge(run, &Limits::built_in()).figures, BUDGET_S);
        matters.into_iter().map(|one| (one.approach, one.crossing)).next().unwrap()
    };
    let (approach, not_below) = crossing(&run);
    assert!(matches!(not_below, Crossing::NotBelow(_)), "{approach}: {not_below:?}");
    run.records.retain(|record| record.block < 4);
    assert_eq!(crossing(&run).1, Crossing::Undecided);
}

/// Two rates of the camera; aioca takes much CPU at one of them.
fn cameras(busy_hz: f64) -> RunRecords {
    let mut records = Vec::new();
    for rate_hz in [10.0, 120.0] {
        for (approach, percent) in [("wire", 5), ("libca", 10), ("aioca", 12)] {
            let is_busy = approach == "aioca" && rate_hz == busy_hz;
            let client = usage(if is_busy { 90 } else { percent }, 0);
            let monitored = epics_gauge::record::Monitored { client, ..monitored() };
            let load = Load { rate_hz, ..load() };
            records.push(monitors::record("waveform", approach, load, monitored));
        }
    }
    run_with(&["wire", "libca", "aioca"], records)
}

#[test]
fn a_mark_is_of_the_very_figure_that_it_stands_at() {
    let text = brief(&cameras(10.0), &Limits::built_in());
    assert!(row(&text, "aioca").contains("12.0") && !row(&text, "aioca").contains('?'), "{text}");
    let text = brief(&cameras(120.0), &Limits::built_in());
    assert!(row(&text, "aioca").contains("90.0 ?"), "{text}");
}

#[test]
fn columns_that_nobody_has_are_left_out() {
    let text = brief(&cameras(10.0), &Limits::built_in());
    let heading = row(&text, "approach");
    for column in ["connect", "one get", "bulk get", "slower"] {
        assert!(!heading.contains(column), "{column}: {text}");
    }
    for column in ["CPU", "lost", "growth"] {
        assert!(heading.contains(column), "{column}: {text}");
    }
}

const LARGE: &str = r#"
[[limit]]
scenario = "connect"
metric = "connect bulk"
pvs = 50000
relative = "fastest"
most = 100e-6
because = "a test"
"#;

#[test]
fn a_limit_of_more_pvs_than_the_run_has_is_not_judged_and_open_where_the_user_named_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, LARGE).unwrap();
    let run = with_aioca(6e-6);
    assert_eq!(exit_code_of(&run, &["--limits", file.to_str().unwrap()]), 3);
    let text = brief(&run, &Limits::parse(LARGE, "own.toml").unwrap());
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = "NOT JUDGED: connect bulk (own.toml:2, from 50 000 PVs): the run has at most 10 000 \
                PVs; --pvs 50000 decides it.";
    assert!(text.contains(line), "{text}");
    let text = brief(&run, &Limits::built_in());
    assert!(!text.contains("the run has at most"), "{text}");
}

#[test]
fn a_mark_beside_a_name_is_explained_below_its_table() {
    let mut run = with_aioca(6e-6);
    assert!(!rendered(&run, Format::Markdown).contains("Marked *"));
    for one in run.records.iter_mut().filter(|one| one.approach == "aioca") {
        one.create_is_joint = true;
    }
    for format in [Format::Table, Format::Markdown, Format::Html] {
        let report = rendered(&run, format);
        let below = report.split_once("aioca *").expect("a mark").1;
        let until_next_heading = below.split("get serial: ").next().unwrap();
        assert!(until_next_heading.contains("Marked *: create and connect"), "{format:?}");
    }
}

#[test]
fn blocks_that_fall_into_two_groups_are_called_bimodal() {
    let slow = Speed { connect: 1.3e-3, ..FAST };
    let mut run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", slow)]);
    let fast =
        run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", Speed { connect: 9.7e-5, ..FAST })]);
    for (record, other) in run.records.iter_mut().zip(&fast.records) {
        if record.block < 2 {
            record.clone_from(other);
        }
    }
    let judgement = judge(&run, &Limits::built_in());
    let rows = judgement.figures.iter().flat_map(|figures| &figures.rows);
    let modes: Vec<_> = rows.filter_map(|row| Some((row.approach.as_str(), row.modes?))).collect();
    assert!(modes.iter().all(|(name, _)| *name == "aioca"), "{modes:?}");
    assert!(modes.iter().any(|(_, [low, high])| (low.blocks, high.blocks) == (2, 3)), "{modes:?}");
}

const NEAR: &str = r#"
[[limit]]
scenario = "connect"
metric = "connect bulk"
relative = "fastest"
most = 100e-6
because = "a test"
near = { pyepics = "slow machines are over" }
"#;

#[test]
fn neither_side_of_a_limit_is_news_of_an_approach_expected_near_it() {
    let limits = Limits::parse(NEAR, "near.toml").unwrap();
    for (connect, outcome) in [(2e-4, Outcome::Over), (6e-5, Outcome::Within)] {
        let run =
            run_of(&[("wire", FLOOR), ("libca", FAST), ("pyepics", Speed { connect, ..FAST })]);
        let judgement = judge(&run, &limits);
        let verdict = judgement.verdicts.iter().find(|one| one.approach == "pyepics").unwrap();
        assert_eq!(verdict.outcome, outcome, "{}", verdict.explain());
        assert!(!verdict.is_red() && !verdict.is_open() && !verdict.is_better_than_expected());
        assert!(verdict.explain().contains("expected near (near.toml:8)"), "{}", verdict.explain());
    }
}

#[test]
fn who_is_near_a_limit_cannot_be_over_it_too() {
    let both = NEAR.to_owned() + "over = { pyepics = \"it is slow\" }\n";
    let error = Limits::parse(&both, "near.toml").unwrap_err().to_string();
    assert!(error.contains("`pyepics` cannot be over this limit and near it"), "{error}");
}
