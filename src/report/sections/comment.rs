//! A comment on a pull request: verdict, what got better and worse, one screen in all.

use crate::judge::compared::ComparisonJudgement;
use crate::judge::history::{History, LevelChange, MachineHistory, Series};
use crate::judge::{Change, MetricChange};
use crate::report::document::{Detail, Part, Role};
use crate::report::subject::Subject;
use crate::report::words::{level_change, sentence};
use crate::units::{counted, percent};

/// A list has so many lines; with three lists and their headings that is a screen.
const MOST_LINES: usize = 8;

/// Its title, which is the verdict, and its parts.
pub(in crate::report) fn comment(subject: &Subject<'_>) -> (String, Vec<Part>) {
    match *subject {
        Subject::Comparison { judgement, .. } => of_comparison(judgement),
        Subject::History(history) => of_history(history),
        Subject::Run { .. } | Subject::Calibration(_) => of_answer(subject),
    }
}

fn of_comparison(judgement: &ComparisonJudgement) -> (String, Vec<Part>) {
    let request = &judgement.request;
    let verdict = match judgement.failures.is_empty() {
        true => judgement.comparison.outcome.name(),
        false => "failed",
    };
    let title = format!("`{}` against `{}`: {verdict}", request.b, request.a);
    let with = |outcome: Change| -> Vec<&MetricChange> {
        judgement.comparison.metrics.iter().filter(|one| one.outcome == outcome).collect()
    };
    let sentences = |changes: Vec<&MetricChange>| {
        changes.into_iter().map(|change| sentence(judgement, change)).collect()
    };
    let mut parts: Vec<Part> = judgement
        .failures
        .iter()
        .map(|(side, failure)| {
            let first_line = failure.message.lines().next().unwrap_or_default();
            Part::Text(format!("Side {side:?} failed, {}: {first_line}", failure.kind.name()))
        })
        .collect();
    parts.extend(group("Worse", sentences(with(Change::Regressed))));
    parts.extend(group("Better", sentences(with(Change::Improved))));
    parts.extend(group("Undecided", sentences(with(Change::Undecided))));
    let alike = with(Change::NoDifference);
    if !alike.is_empty() {
        let names: Vec<String> = alike.iter().map(|change| change.metric.to_string()).collect();
        let tolerance = percent(100.0 * request.tolerance);
        parts
            .push(Part::Text(format!("No difference beyond {tolerance} %: {}.", names.join(", "))));
    }
    parts.push(Part::Text(format!("Measured in {}, A B B A.", counted(judgement.pairs, "pair"))));
    (title, parts)
}

/// The newest change of each figure; older ones were news once.
fn of_history(history: &History) -> (String, Vec<Part>) {
    let machines = history.machines.iter();
    let newest: Vec<(&MachineHistory, &Series, &LevelChange)> = machines
        .flat_map(|machine| {
            let series = machine.series.iter();
            series.filter_map(move |series| Some((machine, series, series.changes.last()?)))
        })
        .collect();
    let with = |is_worse: bool| {
        let alike = newest.iter().filter(|(_, _, change)| change.is_worse == is_worse);
        alike.map(|(machine, series, change)| level_change(machine, series, change)).collect()
    };
    let (worse, better): (Vec<String>, Vec<String>) = (with(true), with(false));
    let runs: usize = history.machines.iter().map(|machine| machine.runs.len()).sum();
    let title = match (worse.len(), better.len()) {
        (0, 0) => format!("No figure changed its level in {}", counted(runs, "run")),
        (worse, better) => format!(
            "In {}: {} worse, {} better",
            counted(runs, "run"),
            counted(worse, "figure"),
            counted(better, "figure")
        ),
    };
    let parts = group("Worse", worse).into_iter().chain(group("Better", better));
    (title, parts.collect())
}

/// What a terminal shows first.
fn of_answer(subject: &Subject<'_>) -> (String, Vec<Part>) {
    let document = super::document(subject, Detail::Brief);
    let answers = document.sections.iter().filter(|section| section.role == Role::Answer);
    let parts = answers.flat_map(|section| &section.parts).map(|part| match part {
        Part::List(items) => Part::List(shortened(items.clone())),
        other => other.clone(),
    });
    (document.title.clone(), parts.collect())
}

fn group(heading: &str, lines: Vec<String>) -> Vec<Part> {
    match lines.is_empty() {
        true => Vec::new(),
        false => vec![Part::Heading(3, heading.to_owned()), Part::List(shortened(lines))],
    }
}

fn shortened(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MOST_LINES);
    if more > 0 {
        lines.truncate(MOST_LINES);
        lines.push(format!("and {more} more"));
    }
    lines
}
