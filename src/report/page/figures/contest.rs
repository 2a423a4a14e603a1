//! By how much B differs from A, metric by metric.

use super::{Figure, drawn};
use crate::judge::MetricChange;
use crate::judge::contest::ContestJudgement;
use crate::report::contest::{sentence, signed_percent};
use crate::report::document::{Table, number, words};
use crate::report::page::chart::{Mark, Quantity, Row, RowChart, Spread, Style};

/// One figure; none where no pair was whole.
pub(super) fn figure(judgement: &ContestJudgement) -> Option<Figure> {
    let metrics: Vec<&MetricChange> =
        judgement.comparison.metrics.iter().filter(|one| one.ratio.is_some()).collect();
    if metrics.is_empty() {
        return None;
    }
    let chart = RowChart {
        x: Quantity {
            name: "B over A, %",
            spread: Spread::Linear,
            told: |percent| {
                format!("{percent:+.3}").trim_end_matches('0').trim_end_matches('.').to_owned()
            },
        },
        rows: metrics.iter().filter_map(|one| row(judgement, one)).collect(),
    };
    let contest = &judgement.contest;
    let title = format!("{} over {}", contest.b, contest.a);
    let each: Vec<String> = metrics.iter().map(|one| sentence(judgement, one)).collect();
    let says = format!(
        "The marker is the difference within pairs, the bar its interval; on the right B takes \
         more. {}.",
        each.join("; ")
    );
    Some(Figure {
        id: "difference".to_owned(),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(&metrics),
        command: None,
        title,
        says,
    })
}

fn row(judgement: &ContestJudgement, change: &MetricChange) -> Option<Row> {
    let ratio = change.ratio.as_ref()?;
    let tip = sentence(judgement, change);
    let mark = Mark { at: 100.0 * ratio.median, slight: false, hollow: false, tip: tip.clone() };
    Some(Row {
        name: change.metric.to_string(),
        style: Style::Approach(0),
        marks: vec![mark],
        bar: Some((100.0 * ratio.low, 100.0 * ratio.high, tip)),
    })
}

fn table(metrics: &[&MetricChange]) -> Table {
    let rows = metrics.iter().filter_map(|change| {
        let ratio = change.ratio.as_ref()?;
        Some(vec![
            change.metric.to_string(),
            signed_percent(ratio.median),
            signed_percent(ratio.low),
            signed_percent(ratio.high),
            change.pairs.to_string(),
            change.outcome.name().to_owned(),
        ])
    });
    Table {
        columns: vec![
            words("metric"),
            number("B over A"),
            number("from"),
            number("to"),
            number("pairs"),
            words("verdict"),
        ],
        rows: rows.collect(),
    }
}
