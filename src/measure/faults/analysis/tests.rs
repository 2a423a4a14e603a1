//! An honest client, and one that errs in one way at a time.

use super::*;
use crate::record::GetsSeen;
use crate::scenario::PROCESSED_FACTOR;

const MS: u64 = 1_000_000;
const S: u64 = 1_000 * MS;

/// When the figures begin.
const START: u64 = 100 * S;

fn update(pv: usize, at_ns: u64, number: u64) -> UpdateRun {
    UpdateRun {
        pv,
        monitor: 0,
        first: pv as f64 + PROCESSED_FACTOR * number as f64,
        count: 1,
        start_ns: at_ns,
        sums: Vec::new(),
    }
}

/// Two PVs at 10 Hz, stopped from 2 s to 7 s, until 12 s: 20 updates, none, 50 updates.
fn frozen() -> Course {
    let absence = Absence {
        from_ns: START + 2 * S,
        until_ns: START + 7 * S,
        served_ns: START + 7 * S,
        is_kill: false,
    };
    Course {
        pvs: 2,
        missing: None,
        rate_hz: 10.0,
        start_ns: START,
        end_ns: START + 13 * S,
        absences: vec![absence],
        instances: vec![Instance {
            from_ns: 0,
            last: vec![70, 70],
            scanned_until_ns: START + 12 * S,
        }],
        get_timeout_s: 2.0,
    }
}

/// What an honest client has of each PV of [`frozen`].
fn honest() -> Arrived {
    let at = |number: u64| {
        let pause = if number > 20 { 5 * S } else { 0 };
        START + number * 100 * MS + pause
    };
    let of = |pv: usize| (0..=70).map(move |number| update(pv, at(number), number));
    Arrived { runs: of(0).chain(of(1)).collect(), states: Some(Vec::new()), gets: Vec::new() }
}

fn one(course: &Course, own: Arrived) -> FaultRun {
    analyse(course, &[Some(own), None]).remove(0).unwrap()
}

fn get(from_ms: u64, until_ms: u64, number: Option<u64>) -> GetAttempt {
    GetAttempt {
        pv: 0,
        start_ns: START + from_ms * MS,
        end_ns: START + until_ms * MS,
        value: number.map(|number| PROCESSED_FACTOR * number as f64),
        error: number.is_none().then(|| "timeout".to_owned()),
    }
}

fn gets(attempts: &[GetAttempt]) -> GetsSeen {
    one(&frozen(), Arrived { gets: attempts.to_vec(), ..honest() }).gets.unwrap()
}

fn state(pv: usize, at_ms: u64, connected: bool) -> StateChange {
    StateChange { pv, at_ns: START + at_ms * MS, connected }
}

#[test]
fn an_honest_client_lost_nothing_and_came_back_at_once() {
    let run = one(&frozen(), honest());
    let updates = run.updates.unwrap();
    assert_eq!((updates.lost, updates.wrong, updates.last_missing), (0, 0, 0));
    let recovered = run.recovered.unwrap();
    assert_eq!((recovered.wanted, recovered.recovered), (2, 2));
    assert!((recovered.slowest_s.unwrap() - 0.1).abs() < 1e-9, "{recovered:?}");
    assert_eq!(run.reports.unwrap().missing, 0, "5 s are within every timeout");
    assert_eq!(run.timeline.unwrap().updates.len(), 26);
}

#[test]
fn a_value_that_comes_while_the_server_is_stopped_is_stale() {
    let seen = gets(&[
        get(1_000, 1_001, Some(10)),
        get(3_000, 3_001, Some(20)),
        get(4_000, 6_000, None),
        get(6_500, 7_050, Some(20)),
    ]);
    assert_eq!((seen.answered, seen.failed, seen.late, seen.stale), (2, 1, 0, 1));
    assert!(seen.first_stale.unwrap().contains("could not answer"));
}

#[test]
fn a_value_that_somebody_had_been_sent_a_newer_one_of_is_stale() {
    assert_eq!(gets(&[get(1_050, 1_051, Some(10))]).stale, 0);
    let seen = gets(&[get(1_050, 1_051, Some(9))]);
    assert_eq!(seen.stale, 1);
    assert!(seen.first_stale.unwrap().contains("update 10"));
}

#[test]
fn a_get_that_ends_long_after_its_timeout_is_late() {
    let seen = gets(&[get(2_500, 5_600, None), get(2_500, 5_400, None)]);
    assert_eq!((seen.late, seen.failed), (1, 1));
}

#[test]
fn a_connection_to_a_stopped_server_is_none() {
    let states = vec![state(0, 3_000, true), state(1, 7_010, true), state(1, 1_000, true)];
    let own = Arrived { states: Some(states), ..honest() };
    let reports = one(&frozen(), own).reports.unwrap();
    assert_eq!((reports.falsely_connected, reports.missing), (1, 0));
    let silent = one(&frozen(), Arrived { states: None, ..honest() });
    assert_eq!(silent.reports, None);
}

#[test]
fn a_long_stop_must_be_reported_of_every_pv() {
    let mut course = frozen();
    let shift = 90 * S;
    course.absences[0].until_ns += shift;
    course.absences[0].served_ns += shift;
    let states = vec![state(0, 37_000, false)];
    let own = Arrived { states: Some(states), ..honest() };
    let reports = one(&course, own).reports.unwrap();
    assert_eq!((reports.wanted, reports.missing, reports.disconnected), (2, 1, 1));
    assert!((reports.slowest_s.unwrap() - 35.0).abs() < 1e-9, "{reports:?}");
}

#[test]
fn a_pv_that_stays_away_never_recovers_and_is_not_counted_twice() {
    let mut own = honest();
    own.runs.retain(|run| run.pv == 0 || run.start_ns < START + 2 * S);
    let run = one(&frozen(), own);
    let (recovered, updates) = (run.recovered.unwrap(), run.updates.unwrap());
    assert_eq!((recovered.wanted, recovered.recovered), (2, 1));
    assert_eq!(updates.last_missing, 0, "{updates:?}");
}

#[test]
fn an_old_value_after_the_stop_is_no_recovery() {
    let mut own = honest();
    // The queue of before comes first, the newest value 3 s later.
    own.runs.retain(|run| run.pv == 0 || !(16..50).contains(&(run.first as u64 >> 20)));
    own.runs.push(update(1, START + 7_050 * MS, 15));
    own.runs.sort_by_key(|run| run.start_ns);
    let recovered = one(&frozen(), own).recovered.unwrap();
    assert!((recovered.slowest_s.unwrap() - 3.0).abs() < 0.2, "{recovered:?}");
}

#[test]
fn updates_that_come_twice_or_backwards_or_from_nowhere_are_wrong() {
    let with = |update: UpdateRun| {
        let mut own = honest();
        own.runs.push(update);
        own.runs.sort_by_key(|run| run.start_ns);
        one(&frozen(), own).updates.unwrap()
    };
    assert_eq!(with(update(0, START + 1_050 * MS, 10)).wrong, 1);
    assert_eq!(with(update(0, START + 1_050 * MS, 3)).wrong, 1);
    assert_eq!(with(update(0, START + 1_050 * MS, 71)).wrong, 1);
    // The first update after the stop may be the value that was there, and once more.
    assert_eq!(with(update(0, START + 7_010 * MS, 20)).wrong, 0);
    assert_eq!(with(update(0, START + 7_110 * MS, 21)).wrong, 0);
    assert_eq!(with(update(0, START + 9_050 * MS, 40)).wrong, 1);
    assert_eq!(with(update(0, START + 7_110 * MS, 20)).wrong, 1);
    let torn = with(UpdateRun { first: 0.5, ..update(0, START + 1_050 * MS, 0) });
    assert!(torn.first_wrong.unwrap().contains("none that the IOC made"));
}

#[test]
fn a_value_may_come_twice_when_a_pv_is_back_later_than_its_server() {
    let mut own = honest();
    // The circuit answers 3 s after the server does, with what it held back and a reading.
    for run in &mut own.runs {
        if run.start_ns > START + 7 * S {
            run.start_ns = run.start_ns.max(START + 10 * S);
        }
    }
    own.runs.push(update(0, START + 10_120 * MS, 51));
    own.runs.sort_by_key(|run| run.start_ns);
    assert_eq!(one(&frozen(), own.clone()).updates.unwrap().wrong, 0);
    own.runs.push(update(0, START + 11_950 * MS, 68));
    own.runs.sort_by_key(|run| run.start_ns);
    assert_eq!(one(&frozen(), own).updates.unwrap().wrong, 1);
}

#[test]
fn the_last_value_of_a_burst_is_missed_by_who_loses_it() {
    let course = Course { absences: Vec::new(), ..frozen() };
    let mut own = honest();
    own.runs.retain(|run| run.pv == 1 || run.first != PROCESSED_FACTOR * 70.0);
    let updates = one(&course, own).updates.unwrap();
    assert_eq!((updates.last_missing, updates.lost, updates.wrong), (1, 1, 0));
}

#[test]
fn numbers_begin_again_after_a_restart_and_the_missing_pv_is_not_wanted() {
    let mut course = frozen();
    course.absences[0].is_kill = true;
    course.missing = Some(0);
    course.instances[0].last = vec![20, 20];
    course.instances.push(Instance {
        from_ns: START + 7 * S,
        last: vec![0, 50],
        scanned_until_ns: START + 12 * S,
    });
    let at = |number: u64| START + 7 * S + number * 100 * MS;
    let mut own = honest();
    own.runs.retain(|run| run.start_ns < START + 2 * S + 1);
    own.runs.extend((1..=50).map(|number| update(1, at(number), number)));
    own.states = Some(vec![state(0, 2_001, false), state(1, 2_001, false)]);
    let run = one(&course, own);
    let (recovered, updates) = (run.recovered.unwrap(), run.updates.unwrap());
    assert_eq!((recovered.wanted, recovered.recovered), (1, 1));
    assert_eq!((updates.wrong, updates.lost, updates.last_missing), (0, 0, 0));
    assert_eq!(run.reports.unwrap().missing, 0);
}

#[test]
fn values_are_numbers_of_updates_or_nobodys() {
    assert_eq!(number_of(3, 3.0 + 2.0 * PROCESSED_FACTOR), Some(2));
    assert_eq!(number_of(3, 0.0), Some(0));
    assert_eq!(number_of(3, 4.0), None);
    assert_eq!(number_of(3, -1.0), None);
}
