//! Which approach to take, and which limits are broken.

use super::{capacity, fleet, monitors, scale};
use crate::judge::{Advice, FailedWorkers, Judgement, Verdict};
use crate::record::FailureKind;
use crate::report::document::Part;
use crate::report::words::{described, place};
use crate::units::{counted, signed};

pub(super) fn answer(judgement: &Judgement) -> Vec<Part> {
    let mut statements = wrong_values(&judgement.failures);
    for advice in &judgement.advice {
        statements.extend(advice_statements(advice));
    }
    let has_monitors = !judgement.monitors.is_empty()
        || !judgement.capacities.is_empty()
        || !judgement.scale.is_empty()
        || !judgement.fleets.is_empty();
    if judgement.advice.iter().all(|advice| advice.pvs.is_none()) && !has_monitors {
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
    statements.extend(undecided(judgement));
    vec![Part::Heading(2, "the answer".to_owned()), Part::List(statements)]
}

/// Who brought what the server never held comes before everything else: no other figure
/// of theirs means anything.
fn wrong_values(failures: &[FailedWorkers]) -> Vec<String> {
    let is_wrong = |one: &&FailedWorkers| {
        matches!(one.kind, FailureKind::WrongValue | FailureKind::WrongUpdate)
    };
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
            one.cells.join(", "),
        )
    };
    failures.iter().filter(is_wrong).map(statement).collect()
}

const NOTHING: &str = "No approach but the floor was measured, so nothing can be said.";

fn undecided(judgement: &Judgement) -> Option<String> {
    let open: Vec<&Verdict> =
        judgement.verdicts.iter().filter(|verdict| verdict.is_open()).collect();
    let first = open.first()?;
    let more = open.iter().filter_map(|verdict| verdict.more_blocks).max();
    let more = more.map_or(String::new(), |more| {
        let noun = if more == 1 { "block" } else { "blocks" };
        format!(" Some {more} fresh {noun} would decide all of them.")
    });
    Some(format!(
        "Undecided: {} of {} verdicts, for instance {}{}.{more}",
        open.len(),
        judgement.verdicts.len(),
        described(first),
        first.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}")),
    ))
}

fn advice_statements(advice: &Advice) -> Vec<String> {
    let Some(pvs) = advice.pvs else { return Vec::new() };
    let mut statements = Vec::new();
    let pvs = format!("{}{}", counted(pvs, "PV"), place(&advice.server));
    if advice.too_slow.is_empty() {
        match &advice.acceptable[..] {
            [] => {}
            [only] => statements.push(format!(
                "Up to {pvs} {only} is within its limits; there is no other to compare it with."
            )),
            several => statements.push(format!(
                "Up to {pvs} no approach has to be preferred for speed: {} are all within the \
                 limits of each other in connecting and reading.",
                several.join(", ")
            )),
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
    if !advice.failed.is_empty() {
        statements.push(format!("Failed, and so no choice: {}.", advice.failed.join(", ")));
    }
    statements
}
