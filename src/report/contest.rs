//! A comparison of two sides, for people and for continuous integration.

use super::content::Detail;
use super::document::{Part, Table, number, words};
use super::{Format, calibration, json, markdown, page, terminal};
use crate::judge::contest::{ContestFigures, ContestJudgement};
use crate::judge::{Calibrated, Change, MetricChange};
use crate::record::RunRecords;
use crate::units::{percent, scientific};

/// Writes a comparison; `known` is how often the judge is wrong on the machine of
/// the run.
pub fn render_contest(
    run: &RunRecords,
    judgement: &ContestJudgement,
    known: &[Calibrated],
    format: Format,
) -> String {
    let content = |detail| {
        let mut parts = content(judgement);
        parts.extend(calibration::of_report(known, detail));
        parts
    };
    match format {
        Format::Summary | Format::Table => terminal::render(&content(Detail::Summary)),
        Format::Markdown => markdown::render(&content(Detail::Full)),
        Format::Html => page::of_contest(judgement, &content(Detail::Full)),
        Format::Json => json::of_contest(run, judgement, known),
    }
}

/// One workflow command for each metric that changed or is undecided, as GitHub
/// Actions reads them on stdout.
pub fn annotations(judgement: &ContestJudgement) -> String {
    let mut lines = String::new();
    for change in &judgement.comparison.metrics {
        let kind = match change.outcome {
            Change::Regressed => "error",
            Change::Undecided => "warning",
            Change::Improved => "notice",
            Change::NoDifference => continue,
        };
        let title = format!("{} {}", change.metric, change.outcome.name());
        lines += &format!("::{kind} title={title}::{}\n", sentence(judgement, change));
    }
    for (side, failure) in &judgement.failures {
        let first_line = failure.message.lines().next().unwrap_or_default();
        lines += &format!("::error title=side {side:?} failed::{first_line}\n");
    }
    lines
}

fn content(judgement: &ContestJudgement) -> Vec<Part> {
    let contest = &judgement.contest;
    let mut parts = vec![
        Part::Heading(1, format!("{} against {}", contest.b, contest.a)),
        Part::List(
            judgement.comparison.metrics.iter().map(|one| sentence(judgement, one)).collect(),
        ),
        Part::Table(table(judgement)),
        Part::Text(format!(
            "{} pairs, A B B A, of fresh processes; no difference means less than {} % either way. \
             Decided on pairs measured after the first suspicion only; the chance of a change where \
             there is none is at most 1 % for all metrics{} together.",
            judgement.pairs,
            percent(100.0 * contest.tolerance),
            match contest.comparisons {
                0 | 1 => String::new(),
                more => format!(" of {more} comparisons"),
            }
        )),
    ];
    let sides = ["A", "B"].into_iter().zip([&contest.a, &contest.b]).zip(&judgement.versions);
    let described =
        sides.map(|((side, what), versions)| format!("{side} is {what}: {}", versions.join(", ")));
    parts.push(Part::List(described.collect()));
    for (side, failure) in &judgement.failures {
        parts.push(Part::Text(format!("Side {side:?} failed, {}:", failure.kind.name())));
        parts.push(Part::Verbatim(failure.message.clone()));
    }
    parts
}

/// The answer in one sentence.
pub(super) fn sentence(judgement: &ContestJudgement, change: &MetricChange) -> String {
    let contest = &judgement.contest;
    let interval = match &change.ratio {
        None => "no pair was whole".to_owned(),
        Some(ratio) => format!(
            "{} ({} to {}) over {} pairs",
            signed_percent(ratio.median),
            signed_percent(ratio.low),
            signed_percent(ratio.high),
            change.pairs
        ),
    };
    let tolerance = percent(100.0 * contest.tolerance);
    match change.outcome {
        Change::Regressed => {
            format!("{}: {} is worse than {} by {interval}", change.metric, contest.b, contest.a)
        }
        Change::Improved => {
            format!("{}: {} is better than {} by {interval}", change.metric, contest.b, contest.a)
        }
        Change::NoDifference => {
            format!("{}: no difference beyond {tolerance} %: {interval}", change.metric)
        }
        Change::Undecided => {
            let more = change.more_pairs.map_or(String::new(), |more| {
                format!("; about {more} more pairs would decide (--most-pairs)")
            });
            format!("{}: undecided, {interval}{more}", change.metric)
        }
    }
}

fn table(judgement: &ContestJudgement) -> Table {
    let row = |(figures, change): (&ContestFigures, &MetricChange)| {
        let figure = |interval: &Option<crate::stats::Interval>| {
            interval.map_or("-".to_owned(), |interval| scientific(interval.median))
        };
        vec![
            format!("{}, {}", change.metric, figures.unit),
            figure(&figures.a),
            figure(&figures.b),
            change.ratio.map_or("-".to_owned(), |ratio| signed_percent(ratio.median)),
            change.ratio.map_or("-".to_owned(), |ratio| {
                format!("{:+.1} .. {:+.1} %", 100.0 * ratio.low, 100.0 * ratio.high)
            }),
            change.p.map_or("-".to_owned(), |p| format!("{p:.1e}")),
            change.outcome.name().to_owned(),
        ]
    };
    Table {
        columns: vec![
            words("metric"),
            number("A"),
            number("B"),
            number("B over A"),
            number("interval"),
            number("p"),
            words("verdict"),
        ],
        rows: judgement.figures.iter().zip(&judgement.comparison.metrics).map(row).collect(),
    }
}

pub(super) fn signed_percent(fraction: f64) -> String {
    format!("{:+.1} %", 100.0 * fraction)
}
