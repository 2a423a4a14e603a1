//! Verdicts.

use crate::judge::{Outcome, Relative, Verdict};

/// The word for the worst of an approach's verdicts in one row; capitals are for
/// what was not expected.
pub(in crate::report) fn worst<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let worst = verdicts.max_by_key(|verdict| (verdict.is_worse_than_expected(), verdict.outcome));
    match worst {
        None => String::new(),
        Some(verdict) if verdict.is_worse_than_expected() => "OVER".to_owned(),
        Some(verdict) if verdict.outcome == Outcome::Over => "over (known)".to_owned(),
        Some(verdict) => verdict.outcome.name().to_owned(),
    }
}

/// The metric and its scenario, which some metrics have in their names.
pub(in crate::report) fn judged(verdict: &Verdict) -> String {
    let metric = verdict.metric.name();
    match verdict.scenario {
        Some(scenario) if metric.starts_with(scenario.name()) => metric.to_owned(),
        Some(scenario) => format!("{scenario} {metric}"),
        None => format!("run {metric}"),
    }
}

/// What it was compared with, such as ` over the floor`.
pub(in crate::report) fn relation(verdict: &Verdict) -> String {
    match verdict.relative {
        Relative::Nothing => String::new(),
        relative => format!(" {}", relative.name()),
    }
}
