//! Which approach to take, and which limits are broken.

use super::cells::range;
use super::document::Part;
use crate::judge::{Advice, BUDGET, Judgement, Verdict};
use crate::units::{grouped, scientific, signed};

pub(super) fn answer(judgement: &Judgement) -> Vec<Part> {
    let mut statements = advice_statements(&judgement.advice);
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

fn described(verdict: &Verdict) -> String {
    let over = verdict.over_s.as_ref().map_or("not measured".to_owned(), |over| {
        format!("{} s per PV ({})", signed(over.median), range(over))
    });
    format!(
        "{}, {} at {} PVs: {over} {}, limit {}",
        verdict.approach,
        verdict.metric,
        grouped(verdict.pvs),
        verdict.relative.map_or("", |relative| relative.name()),
        verdict.limit_s.map_or("-".to_owned(), scientific),
    )
}

fn advice_statements(advice: &Advice) -> Vec<String> {
    let Some(pvs) = advice.pvs else {
        return vec!["No approach but the floor was measured, so nothing can be said.".to_owned()];
    };
    let mut statements = Vec::new();
    let pvs = grouped(pvs);
    if advice.too_slow.is_empty() {
        if !advice.acceptable.is_empty() {
            statements.push(format!(
                "Up to {pvs} PVs no approach has to be preferred for speed: {} are all within {} s \
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
            "At {pvs} PVs {} must be preferred for speed to {}.",
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
