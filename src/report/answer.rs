//! Which approach to take, and which limits are broken.

use super::cells::place;
use super::document::Part;
use super::{capacity, fleet, monitors, scale};
use crate::judge::{Advice, BUDGET, Judgement, Unit, Verdict};
use crate::units::{grouped, signed};

pub(super) fn answer(judgement: &Judgement) -> Vec<Part> {
    let mut statements = Vec::new();
    for advice in &judgement.advice {
        statements.extend(advice_statements(advice));
    }
    let is_watched = !judgement.monitors.is_empty()
        || !judgement.capacities.is_empty()
        || !judgement.scale.is_empty()
        || !judgement.fleets.is_empty();
    if judgement.advice.iter().all(|advice| advice.pvs.is_none()) && !is_watched {
        statements.push(NOTHING.to_owned());
    }
    statements.extend(monitors::statements(&judgement.monitors));
    statements.extend(capacity::statements(&judgement.capacities));
    statements.extend(fleet::statements(judgement));
    statements.extend(scale::statements(&judgement.scale));
    for verdict in judgement.verdicts.iter().filter(|verdict| verdict.is_worse_than_expected()) {
        statements.push(format!("LIMIT BROKEN: {}", described(verdict)));
    }
    for verdict in judgement.verdicts.iter().filter(|verdict| verdict.is_better_than_expected()) {
        statements.push(format!(
            "Better than expected, so update the expectation: {}",
            described(verdict)
        ));
    }
    let undecided: Vec<&Verdict> =
        judgement.verdicts.iter().filter(|verdict| verdict.is_open()).collect();
    if let Some(first) = undecided.first() {
        statements.push(format!(
            "Undecided: {} of {} verdicts, for instance {}. Ask for more --blocks (at least 5).",
            undecided.len(),
            judgement.verdicts.len(),
            described(first)
        ));
    }
    vec![Part::Heading(2, "the answer".to_owned()), Part::List(statements)]
}

const NOTHING: &str = "No approach but the floor was measured, so nothing can be said.";

fn described(verdict: &Verdict) -> String {
    let (figure, range) = match &verdict.figure {
        None => ("not measured".to_owned(), String::new()),
        Some(figure) => (
            amount(verdict.unit, figure.median),
            format!(
                " ({} .. {})",
                amount(verdict.unit, figure.low),
                amount(verdict.unit, figure.high)
            ),
        ),
    };
    let range = if verdict.unit == Unit::Pvs { String::new() } else { range };
    format!(
        "{}, {} {} at {}: {figure}{range} {}, limit {}",
        verdict.approach,
        verdict.scenario,
        verdict.metric,
        cell(verdict),
        verdict.relative.map_or("", |relative| relative.name()),
        verdict.limit.map_or("-".to_owned(), |limit| {
            amount(verdict.unit, limit).trim_start_matches('+').to_owned()
        }),
    )
}

/// A figure with its unit.
fn amount(unit: Unit, figure: f64) -> String {
    match unit {
        Unit::SecondsPerPv => format!("{} s per PV", signed(figure)),
        Unit::BytesPerMinute => format!("{:.2} MB per minute", figure / 1e6),
        Unit::Pvs => format!("{figure}"),
    }
}

fn cell(verdict: &Verdict) -> String {
    let pvs = format!("{} PVs{}", grouped(verdict.pvs), place(&verdict.server));
    let Some(load) = verdict.load else { return pvs };
    let what = load.pixels.map_or(pvs, |pixels| pixels.to_string());
    let disturbance =
        load.disturbance.map_or(String::new(), |disturbance| format!(", {}", disturbance.name()));
    format!("{what}, {} Hz{disturbance}", load.rate_hz)
}

fn advice_statements(advice: &Advice) -> Vec<String> {
    let Some(pvs) = advice.pvs else { return Vec::new() };
    let mut statements = Vec::new();
    let pvs = format!("{} PVs{}", grouped(pvs), place(&advice.server));
    if advice.too_slow.is_empty() {
        if !advice.acceptable.is_empty() {
            statements.push(format!(
                "Up to {pvs} no approach has to be preferred for speed: {} are all within {} s \
                 of each other in connecting and reading.",
                advice.acceptable.join(", "),
                BUDGET.delay_s
            ));
        }
    } else if !advice.acceptable.is_empty() {
        let slower: Vec<String> = advice
            .too_slow
            .iter()
            .map(|slower| {
                format!(
                    "{} ({} s per PV in {})",
                    slower.approach,
                    signed(slower.over_fastest_s),
                    slower.metric
                )
            })
            .collect();
        statements.push(format!(
            "At {pvs} {} must be preferred for speed to {}.",
            advice.acceptable.join(", "),
            slower.join(", ")
        ));
    }
    if let (Some(simplest), Some(reason)) = (&advice.simplest, &advice.simplest_reason) {
        statements
            .push(format!("Among those within the limits {simplest} is the simplest: {reason}."));
    }
    if !advice.unknown.is_empty() {
        statements.push(format!(
            "Nothing is decided about {}: undecided, or not measured.",
            advice.unknown.join(", ")
        ));
    }
    statements
}
