//! What a run prints: the answer first, on one screen.

use epics_gauge::judge::{Limits, Outcome, judge};
use epics_gauge::report::{Format, Subject, render};

use super::{FAST, FLOOR, Speed, before, run_of, with_fresh_blocks};

fn brief(run: &epics_gauge::record::RunRecords, limits: &Limits) -> String {
    let judgement = judge(run, limits);
    render(&Subject::Run { run, judgement: &judgement, known: &[] }, Format::Summary)
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

#[test]
fn the_worst_news_comes_first_in_units_that_need_no_exponent() {
    let slow = Speed { connect: 3e-4, ..FAST };
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", slow)]);
    let text = brief(&with_fresh_blocks(&run, 12), &Limits::built_in());
    let first = text.lines().find(|line| line.starts_with("* ")).unwrap();
    assert!(first.starts_with("* LIMIT BROKEN: aioca, connect bulk at 10 000 PVs: "), "{text}");
    assert!(text.contains("limit 100 µs/PV"), "{text}");
    assert!(!text.contains("e-"), "{text}");
    // One second over 299 to 301 µs/PV.
    assert!(text.contains("3 324"), "{text}");
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
