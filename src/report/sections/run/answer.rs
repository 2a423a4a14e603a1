//! What the run shows, the worst news first.

use std::collections::BTreeMap;

use super::{capacity, faults, many_iocs, monitors, scale};
use crate::judge::{Advice, FailedWorkers, Figures, Judgement, Modal, Outcome, Verdict};
use crate::metric::{Metric, Timed, Unit};
use crate::record::FailureKind;
use crate::report::document::{Detail, Part};
use crate::report::words::{judged, place, relation};
use crate::units::{counted, duration};

/// In a brief report it has no heading: it is the title of the whole.
pub(super) fn answer(judgement: &Judgement, detail: Detail) -> Vec<Part> {
    let heading = Part::Heading(2, "the answer".to_owned());
    let heading = Some(heading).filter(|_| detail == Detail::Full);
    heading.into_iter().chain([Part::List(statements(judgement, detail))]).collect()
}

/// A sentence each, the worst news first.
fn statements(judgement: &Judgement, detail: Detail) -> Vec<String> {
    let mut statements = wrong_values(&judgement.failures, detail);
    statements.extend(failures(&judgement.failures, detail));
    statements.extend(broken(judgement));
    statements.extend(bimodal_connects(judgement));
    statements.extend(undecided(judgement));
    statements.extend(not_judged(judgement));
    statements.extend(unreached(judgement));
    let mut good: Vec<String> = judgement.advice.iter().flat_map(advice).collect();
    good.extend(monitors::statements(&judgement.monitors));
    good.extend(capacity::statements(&judgement.capacities));
    good.extend(many_iocs::statements(judgement));
    good.extend(faults::statements(judgement));
    good.extend(scale::statements(&judgement.scale));
    if good.is_empty() {
        good.push(NOTHING.to_owned());
    }
    statements.extend(good);
    statements.extend(expected(judgement));
    statements
}

const NOTHING: &str = "Only the floor was measured: there is nothing to compare.";

fn is_wrong(one: &FailedWorkers) -> bool {
    matches!(one.kind, FailureKind::WrongValue | FailureKind::WrongUpdate)
}

/// Wrong values come before everything else: no other figure of theirs means anything.
fn wrong_values(failures: &[FailedWorkers], detail: Detail) -> Vec<String> {
    let statement = |one: &FailedWorkers| {
        let what = match one.kind {
            FailureKind::WrongUpdate => "updates that the server never made",
            _ => "values that the server did not hold",
        };
        let first = one.first.lines().next().unwrap_or_default();
        format!(
            "WRONG VALUES: {} returned {what} in {} ({}): {first}. It takes no part in any \
             comparison.",
            one.approach,
            counted(one.count, "worker"),
            configurations(one, detail),
        )
    };
    failures.iter().filter(|one| is_wrong(one)).map(statement).collect()
}

/// Where workers failed: on one screen a few places, and how many more there are.
fn configurations(one: &FailedWorkers, detail: Detail) -> String {
    const FEW: usize = 2;
    let all = &one.configurations;
    match detail {
        Detail::Brief if all.len() > FEW + 1 => {
            format!("{} and {} more", all[..FEW].join(", "), all.len() - FEW)
        }
        _ => all.join(", "),
    }
}

fn failures(failures: &[FailedWorkers], detail: Detail) -> Vec<String> {
    let is_known = |one: &FailedWorkers| {
        matches!(one.kind, FailureKind::Unable | FailureKind::LeftOut | FailureKind::TooMuchMemory)
    };
    let statement = |one: &FailedWorkers| {
        let first = one.first.lines().next().unwrap_or_default();
        let count = counted(one.count, "worker");
        let (approach, kind) = (&one.approach, one.kind.name());
        format!("FAILED: {approach} in {count} ({kind}; {}): {first}", configurations(one, detail))
    };
    failures.iter().filter(|one| !is_wrong(one) && !is_known(one)).map(statement).collect()
}

/// Limits that were not expected to be broken, one line for each approach and figure.
fn broken(judgement: &Judgement) -> Vec<String> {
    let worse = judgement.verdicts.iter().filter(|verdict| verdict.is_worse_than_expected());
    let mut worst: Vec<(&Verdict, usize)> = Vec::new();
    for verdict in worse {
        let is_same = |other: &Verdict| {
            (&other.approach, other.metric, other.configuration())
                == (&verdict.approach, verdict.metric, verdict.configuration())
        };
        match worst.iter_mut().find(|(other, _)| is_same(other)) {
            Some((other, more)) => {
                *more += 1;
                if part_of_limit(verdict) > part_of_limit(other) {
                    *other = verdict;
                }
            }
            None => worst.push((verdict, 0)),
        }
    }
    worst.sort_by(|(a, _), (b, _)| part_of_limit(b).total_cmp(&part_of_limit(a)));
    worst.into_iter().map(|(verdict, _)| broken_limit(judgement, verdict)).collect()
}

fn part_of_limit(verdict: &Verdict) -> f64 {
    let figure = verdict.figure.map_or(0.0, |figure| figure.median);
    if verdict.limit > 0.0 { figure / verdict.limit } else { figure }
}

fn broken_limit(judgement: &Judgement, verdict: &Verdict) -> String {
    let unit = verdict.unit;
    let what = judged(verdict);
    if verdict.approach.is_empty() {
        let figure = verdict.figure.map_or(String::new(), |figure| unit.amount(figure.median));
        return format!("LIMIT BROKEN: {what}: {figure}, limit {}.", unit.amount(verdict.limit));
    }
    let figure = verdict.figure.map_or("not measured".to_owned(), |figure| match unit {
        Unit::Count => unit.amount(figure.median),
        _ => format!(
            "{} ({} to {})",
            unit.amount(figure.median),
            unit.amount(figure.low),
            unit.amount(figure.high)
        ),
    });
    let modes = modes_of(judgement, verdict).map_or(String::new(), |modes| format!(" {modes};"));
    format!(
        "LIMIT BROKEN: {}, {what} at {}: {figure}{};{modes} limit {} ({}).",
        verdict.approach,
        verdict.place(),
        relation(verdict),
        unit.amount(verdict.limit),
        verdict.derivation
    )
}

/// Such as `97 µs/PV in 2 blocks, 1.3 ms/PV in 3`.
fn modes_of(judgement: &Judgement, verdict: &Verdict) -> Option<String> {
    let Metric::Time(timed) = verdict.metric else { return None };
    let is_own = |figures: &&Figures| figures.metric == timed && figures.has(verdict);
    let rows = &judgement.figures.iter().find(is_own)?.rows;
    let row = rows.iter().find(|row| row.approach == verdict.approach)?;
    row.modes.map(|[low, high]| bimodal(low, high))
}

/// Connects of the most PVs whose blocks fall into two groups: their median is neither.
fn bimodal_connects(judgement: &Judgement) -> Vec<String> {
    let connects = judgement.figures.iter().filter(|one| one.metric == Timed::CONNECT_BULK);
    let most = connects.clone().map(|one| one.pvs).max();
    let rows = connects
        .filter(|one| Some(one.pvs) == most)
        .flat_map(|one| one.rows.iter().filter(|row| !row.floor).map(move |row| (one, row)));
    rows.filter_map(|(figures, row)| {
        let [low, high] = row.modes?;
        let pvs = format!("{}{}", counted(figures.pvs, "PV"), place(&figures.server));
        Some(format!(
            "{}, {} at {pvs} is {}.",
            row.approach,
            figures.metric.name(),
            bimodal(low, high)
        ))
    })
    .collect()
}

fn bimodal(low: Modal, high: Modal) -> String {
    format!(
        "bimodal: {}/PV in {}, {}/PV in {}",
        duration(low.median_s),
        counted(low.blocks, "block"),
        duration(high.median_s),
        high.blocks
    )
}

/// What was not decided, by the reason and what decides it.
fn undecided(judgement: &Judgement) -> Vec<String> {
    let open = || judgement.verdicts.iter().filter(|verdict| verdict.is_open());
    let mut groups = Groups::default();
    for verdict in open() {
        groups.add(verdict, verdict.reason.as_deref().unwrap_or("the interval holds the limit"));
    }
    let mut statements = groups.statements("UNDECIDED");
    let more = open().filter_map(|verdict| verdict.more_blocks).max();
    if let (Some(more), Some(last)) = (more, statements.last_mut()) {
        let more = counted(more, "more block");
        *last += &format!(" About {more} would decide it (--blocks, --fresh-blocks).");
    }
    statements
}

/// What has no figure to judge, by the reason, which names what decides it.
fn not_judged(judgement: &Judgement) -> Vec<String> {
    let mut groups = Groups::default();
    for verdict in judgement.verdicts.iter().chain(&judgement.too_short) {
        if let Some(why) = verdict.why_not_judged() {
            groups.add(verdict, why);
        }
    }
    groups.statements("NOT JUDGED")
}

/// Limits that apply from more PVs on than the run has.
fn unreached(judgement: &Judgement) -> Option<String> {
    let least_pvs = judgement.unreached.iter().map(|one| one.least_pvs).max()?;
    let most_pvs = judgement.unreached.iter().map(|one| one.most_pvs).max()?;
    let limits: Vec<String> = judgement
        .unreached
        .iter()
        .map(|one| format!("{} ({}, from {})", one.metric, one.limit, counted(one.least_pvs, "PV")))
        .collect();
    let (most, limits) = (counted(most_pvs, "PV"), limits.join(", "));
    Some(format!("NOT JUDGED: {limits}: the run has at most {most}; --pvs {least_pvs} decides it."))
}

/// Verdicts of one reason, by figure; figures with the same approaches share a statement.
#[derive(Default)]
struct Groups<'a>(BTreeMap<&'a str, BTreeMap<Metric, Vec<&'a str>>>);

impl<'a> Groups<'a> {
    fn add(&mut self, verdict: &'a Verdict, why: &'a str) {
        let names = self.0.entry(why).or_default().entry(verdict.metric).or_default();
        if !names.contains(&verdict.approach.as_str()) {
            names.push(&verdict.approach);
        }
    }

    fn statements(self, what: &str) -> Vec<String> {
        let mut statements = Vec::new();
        for (why, metrics) in self.0 {
            let mut alike: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
            for (metric, names) in metrics {
                match alike.iter_mut().find(|(other, _)| *other == names) {
                    Some((_, metrics)) => metrics.push(metric.name()),
                    None => alike.push((names, vec![metric.name()])),
                }
            }
            statements.extend(alike.into_iter().map(|(names, metrics)| {
                format!("{what}: {} of {}: {why}.", metrics.join(", "), names.join(", "))
            }));
        }
        statements
    }
}

fn advice(advice: &Advice) -> Vec<String> {
    let Some(pvs) = advice.pvs else { return Vec::new() };
    let pvs = format!("{}{}", counted(pvs, "PV"), place(&advice.server));
    let mut statements: Vec<String> = Vec::new();
    if !advice.too_slow.is_empty() {
        let slower = advice.too_slow.iter().map(|one| {
            format!("{} (by {}/PV in {})", one.approach, duration(one.over_fastest_s), one.metric)
        });
        let slower: Vec<String> = slower.collect();
        statements.push(format!("At {pvs}, too slow beside the fastest: {}.", slower.join(", ")));
    }
    let simplest = match (&advice.simplest, &advice.simplest_reason) {
        (Some(simplest), Some(reason)) if advice.acceptable.len() > 1 => {
            format!(" The simplest of them: {simplest} ({reason}).")
        }
        _ => String::new(),
    };
    match &advice.acceptable[..] {
        [] => {}
        [only] => statements.push(format!("At {pvs}, only {only} is fast enough.")),
        several => statements.push(format!(
            "At {pvs}, these are fast enough in connecting and reading: {}.{simplest}{}",
            several.join(", "),
            not_considered(&advice.unranked)
        )),
    }
    if !advice.unknown.is_empty() {
        statements.push(format!("Not judged at {pvs}: {}.", advice.unknown.join(", ")));
    }
    statements
}

/// Who may be simpler, but nobody has ranked it.
fn not_considered(unranked: &[String]) -> String {
    match unranked {
        [] => String::new(),
        names => format!(
            " Not considered as the simplest: {}; no `simplicity` is given in the approaches file.",
            names.join(", ")
        ),
    }
}

/// What is over its limit, or better than it, against what the limits file expects.
fn expected(judgement: &Judgement) -> Vec<String> {
    let mut known: Vec<(&str, Vec<&str>)> = Vec::new();
    let is_known = |verdict: &&Verdict| verdict.outcome == Outcome::Over && verdict.may_be_over();
    for verdict in judgement.verdicts.iter().filter(is_known) {
        let metric = verdict.metric.name();
        match known.iter_mut().find(|(name, _)| *name == verdict.approach) {
            Some((_, metrics)) if metrics.contains(&metric) => {}
            Some((_, metrics)) => metrics.push(metric),
            None => known.push((&verdict.approach, vec![metric])),
        }
    }
    let mut statements = Vec::new();
    if !known.is_empty() {
        let known: Vec<String> = known
            .iter()
            .map(|(name, metrics)| format!("{name} ({})", metrics.join(", ")))
            .collect();
        let file = &judgement.limits.file;
        statements.push(format!("Over a limit, as {file} expects: {}.", known.join("; ")));
    }
    for verdict in judgement.verdicts.iter().filter(|verdict| verdict.is_better_than_expected()) {
        statements.push(format!(
            "Better than {} expects: {}, {} at {}{}.",
            verdict.expectation,
            verdict.approach,
            judged(verdict),
            verdict.place(),
            relation(verdict)
        ));
    }
    statements
}
