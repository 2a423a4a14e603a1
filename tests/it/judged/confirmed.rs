//! Suspicions are decided on fresh blocks, for better and for worse.

use epics_gauge::judge::{FALSE_ALARMS, Outcome, Verdict, blocks_for_the_sign_test, to_confirm};
use epics_gauge::record::{Record, RunRecords};
use epics_gauge::worker_protocol::Mode;

use super::{FAST, FLOOR, PVS, Speed, exit_code_of, judge, record, run_of, with_fresh_blocks};

const OVER: Speed = Speed { connect: 2e-4, get: 1e-4 };

const NAME: &str = "connect::aioca::n10000::over_floor";

fn suspicious() -> RunRecords {
    run_of(&[("wire", FLOOR), ("libca", FAST), ("aioca", OVER)])
}

#[track_caller]
fn verdict(run: &RunRecords, name: &str) -> Verdict {
    judge(run).verdicts.into_iter().find(|verdict| verdict.name == name).unwrap()
}

/// The suspicious run, and so many fresh blocks in which aioca is as given.
fn followed_by(aioca: impl Fn(usize) -> Speed, count: usize) -> RunRecords {
    let mut run = with_fresh_blocks(&suspicious(), count);
    for fresh in run.records.iter_mut().filter(|record| record.confirms) {
        if fresh.approach == "aioca" {
            let again = record("aioca", fresh.block, fresh.position, aioca(fresh.block));
            *fresh = Record { confirms: true, ..again };
        }
    }
    run
}

#[test]
fn over_without_fresh_blocks_is_undecided_and_reports_how_many_it_takes() {
    let run = suspicious();
    let seen = verdict(&run, NAME);
    assert_eq!(seen.outcome, Outcome::Undecided);
    assert_eq!(seen.reason.as_deref(), Some("over in 5 blocks, not confirmed yet"));
    // Over the floor and over the fastest are a family of two.
    assert_eq!(seen.more_blocks, Some(blocks_for_the_sign_test(2, FALSE_ALARMS)));
    assert_eq!(exit_code_of(&run, &[]), 3);
    let wanted = to_confirm(&judge(&run));
    assert_eq!(wanted.len(), 1);
    let configuration = (
        wanted[0].configuration.server.as_str(),
        wanted[0].configuration.pvs,
        wanted[0].configuration.mode,
    );
    assert_eq!(configuration, ("softioc", PVS, Mode::Bulk));
    assert_eq!(wanted[0].approaches, ["aioca", "wire", "libca"]);
    assert_eq!(wanted[0].blocks, 10);
}

#[test]
fn over_again_in_enough_fresh_blocks_is_over() {
    let run = followed_by(|_| OVER, 10);
    let confirmed = verdict(&run, NAME);
    assert_eq!((confirmed.outcome, confirmed.is_red()), (Outcome::Over, true));
    let p = confirmed.p.unwrap();
    assert!((p - 2.0 / 1024.0).abs() < 1e-12, "{p} is not corrected for two verdicts");
    assert_eq!(exit_code_of(&run, &[]), 1);
    assert_eq!(to_confirm(&judge(&run)), []);
    let explained = confirmed.explain();
    for words in [
        "connect::aioca::n10000::over_floor: OVER",
        "over the floor (wire)",
        "of 10 fresh blocks",
        "x the limit",
        "limit 100 µs/PV (1 s / 10 000 PVs), expected within",
    ] {
        assert!(explained.contains(words), "{words}\n{explained}");
    }
}

#[test]
fn one_block_too_few_does_not_confirm() {
    let run = followed_by(|_| OVER, 9);
    let open = verdict(&run, NAME);
    assert_eq!((open.outcome, open.more_blocks), (Outcome::Undecided, Some(1)));
    assert_eq!(to_confirm(&judge(&run))[0].blocks, 1);
    assert_eq!(exit_code_of(&run, &[]), 3);
}

#[test]
fn over_in_the_first_blocks_and_not_in_fresh_ones_is_within() {
    let run = followed_by(|_| FAST, 8);
    let cleared = verdict(&run, NAME);
    assert_eq!(cleared.outcome, Outcome::Within);
    let reason = "over in the first 5 blocks, not in fresh ones";
    assert_eq!(cleared.reason.as_deref(), Some(reason));
    assert_eq!(exit_code_of(&run, &[]), 0);
}

#[test]
fn fresh_blocks_on_both_sides_decide_neither_way_and_ask_for_as_many_again() {
    let either = |block: usize| if block.is_multiple_of(2) { OVER } else { FAST };
    let run = followed_by(either, 8);
    let open = verdict(&run, NAME);
    assert_eq!(open.outcome, Outcome::Undecided);
    assert!(open.more_blocks > Some(1), "{open:?}");
    assert!(to_confirm(&judge(&run))[0].blocks <= 8, "in steps");
}

#[test]
fn what_was_within_stays_within_whatever_fresh_blocks_report() {
    let mut run = with_fresh_blocks(&run_of(&[("wire", FLOOR), ("libca", FAST)]), 12);
    for fresh in run.records.iter_mut().filter(|record| record.confirms) {
        let again = record(&fresh.approach, fresh.block, fresh.position, OVER);
        *fresh = Record { confirms: true, ..again };
    }
    assert_eq!(verdict(&run, "connect::libca::n10000::over_floor").outcome, Outcome::Within);
    assert_eq!(exit_code_of(&run, &[]), 0);
}

#[test]
fn the_fastest_is_that_of_the_first_blocks() {
    let mut run = followed_by(|_| OVER, 8);
    // In fresh blocks libca, the fastest so far, is slow: no difference is left.
    for fresh in run.records.iter_mut().filter(|record| record.confirms) {
        if fresh.approach == "libca" {
            let again = record("libca", fresh.block, fresh.position, OVER);
            *fresh = Record { confirms: true, ..again };
        }
    }
    let over_fastest = verdict(&run, "connect::aioca::n10000::over_fastest");
    assert_eq!(over_fastest.compared_with.as_deref(), Some("libca"));
    assert_eq!(over_fastest.outcome, Outcome::Within);
}

#[test]
fn an_expected_one_needs_no_fresh_blocks() {
    let run = run_of(&[("wire", FLOOR), ("libca", FAST), ("pyepics", OVER)]);
    assert_eq!(verdict(&run, "connect::pyepics::n10000::over_floor").outcome, Outcome::Over);
    assert_eq!(to_confirm(&judge(&run)), []);
}

#[test]
fn tables_and_figures_are_of_the_first_blocks_only() {
    let judgement = judge(&followed_by(|_| FAST, 8));
    let rows = judgement.figures.iter().flat_map(|figures| &figures.rows);
    assert!(rows.into_iter().all(|row| row.figure_s.samples == 5));
}

#[test]
fn a_worker_that_fails_while_it_confirms_has_failed() {
    let mut run = followed_by(|_| OVER, 8);
    run.records.last_mut().unwrap().failure = Some(epics_gauge::record::Failure {
        kind: epics_gauge::record::FailureKind::Crashed,
        stage: None,
        message: "killed".to_owned(),
    });
    assert_eq!(verdict(&run, "connect::aioca::n10000::workers_failed").outcome, Outcome::Failed);
    assert_eq!(verdict(&run, NAME).outcome, Outcome::Undecided);
}
