//! A comparison of two sides.

use super::calibration;
use crate::judge::compared::ComparisonJudgement;
use crate::judge::{Calibrated, MetricChange};
use crate::metric::Unit;
use crate::report::document::{
    Chart, Columns, Detail, Document, Figure, Mark, Part, Quantity, Role, Row, RowChart, Section,
    Spread, Style, Table,
};
use crate::report::words::{amount, or_dash, sentence, signed_percent, unit_name};
use crate::stats::Interval;
use crate::units::{counted, percent};

pub(super) fn document(
    judgement: &ComparisonJudgement,
    known: &[Calibrated],
    detail: Detail,
) -> Document {
    let mut answer = answer(judgement);
    let judge = calibration::of_report(known, detail);
    // That nothing is known is a sentence, what is known has headings of its own.
    let judge = match known.is_empty() {
        true => {
            answer.extend(judge);
            Vec::new()
        }
        false => judge,
    };
    Document {
        title: format!("{} against {}", judgement.request.b, judgement.request.a),
        lead: None,
        sections: vec![
            Section::new(Role::Body, answer),
            Section::of_figures(figure(judgement)),
            Section::new(Role::Body, judge),
        ],
    }
}

fn answer(judgement: &ComparisonJudgement) -> Vec<Part> {
    let request = &judgement.request;
    let sentences = judgement.comparison.metrics.iter().map(|one| sentence(judgement, one));
    let mut parts = vec![
        Part::List(sentences.collect()),
        Part::Table(table(judgement)),
        Part::Text(format!(
            "{}, A B B A, of fresh processes; no difference means less than {} % either way. \
             Decided on pairs measured after the first suspicion only; the chance of a change where \
             there is none is at most 1 % for all metrics{} together.",
            counted(judgement.pairs, "pair"),
            percent(100.0 * request.tolerance),
            match request.comparisons {
                0 | 1 => String::new(),
                more => format!(" of {more} comparisons"),
            }
        )),
    ];
    let sides = ["A", "B"].into_iter().zip([&request.a, &request.b]).zip(&judgement.versions);
    let described =
        sides.map(|((side, what), versions)| format!("{side} is {what}: {}", versions.join(", ")));
    parts.push(Part::List(described.collect()));
    for (side, failure) in &judgement.failures {
        parts.push(Part::Text(format!("Side {side:?} failed, {}:", failure.kind.name())));
        parts.push(Part::Verbatim(failure.message.clone()));
    }
    parts
}

fn table(judgement: &ComparisonJudgement) -> Table {
    let median = |unit: Unit, interval: &Option<Interval>| {
        or_dash(interval.as_ref(), |interval| amount(unit, interval.median))
    };
    Columns::of(judgement.figures.iter().zip(&judgement.comparison.metrics))
        .words("metric", |(figures, change)| {
            format!("{}, {}", change.metric, unit_name(figures.unit))
        })
        .number("A", |(figures, _)| median(figures.unit, &figures.a))
        .number("B", |(figures, _)| median(figures.unit, &figures.b))
        .number("B over A", |(_, change)| {
            or_dash(change.ratio, |ratio| signed_percent(ratio.median))
        })
        .number("interval", |(_, change)| {
            or_dash(change.ratio, |ratio| {
                format!("{:+.1} .. {:+.1} %", 100.0 * ratio.low, 100.0 * ratio.high)
            })
        })
        .number("p", |(_, change)| or_dash(change.p, |p| format!("{p:.1e}")))
        .words("verdict", |(_, change)| change.outcome.name().to_owned())
        .table()
}

/// By how much B differs from A; none where no pair was whole.
fn figure(judgement: &ComparisonJudgement) -> Option<Figure> {
    let metrics: Vec<Drawn<'_>> = judgement
        .comparison
        .metrics
        .iter()
        .filter_map(|change| Some(Drawn { change, ratio: change.ratio.as_ref()? }))
        .collect();
    if metrics.is_empty() {
        return None;
    }
    let sentences: Vec<String> =
        metrics.iter().map(|one| sentence(judgement, one.change)).collect();
    Some(Figure {
        id: "difference".to_owned(),
        title: format!("{} over {}", judgement.request.b, judgement.request.a),
        summary: format!(
            "The marker is the difference within pairs, the bar its interval; on the right B takes \
             more. {}.",
            sentences.join("; ")
        ),
        chart: Chart::Rows(RowChart {
            x: Quantity { name: "B over A, %", spread: Spread::Linear, format: signed_number },
            rows: metrics.iter().zip(sentences).map(|(one, tip)| row(one, tip)).collect(),
        }),
        table: drawn_table(&metrics),
        command: None,
    })
}

/// A metric that has a ratio.
struct Drawn<'a> {
    change: &'a MetricChange,
    ratio: &'a Interval,
}

fn signed_number(percent: f64) -> String {
    format!("{percent:+.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn row(Drawn { change, ratio }: &Drawn<'_>, tip: String) -> Row {
    Row {
        name: change.metric.to_string(),
        style: Style::Approach(0),
        marks: vec![Mark::marker(100.0 * ratio.median, tip.clone())],
        bar: Some((100.0 * ratio.low, 100.0 * ratio.high, tip)),
    }
}

fn drawn_table(metrics: &[Drawn<'_>]) -> Table {
    Columns::of(metrics)
        .words("metric", |one| one.change.metric.to_string())
        .number("B over A", |one| signed_percent(one.ratio.median))
        .number("from", |one| signed_percent(one.ratio.low))
        .number("to", |one| signed_percent(one.ratio.high))
        .number("pairs", |one| one.change.pairs.to_string())
        .words("verdict", |one| one.change.outcome.name().to_owned())
        .table()
}
