//! Verdicts.

use crate::judge::{Outcome, Relative, Verdict};
use crate::metric::Unit;
use crate::units::{counted, signed};

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

/// What was judged, where, with which figure against which limit.
/// The blocks that the figure is of: fresh ones where there are any.
fn blocks_of(verdict: &Verdict) -> String {
    match verdict.fresh_blocks {
        0 => counted(verdict.blocks, "block"),
        fresh => counted(fresh, "fresh block"),
    }
}

pub(in crate::report) fn described(verdict: &Verdict) -> String {
    let written = |figure: f64| match verdict.unit {
        Unit::SecondsPerPv => format!("{} s per PV", signed(figure)),
        unit => unit.amount(figure),
    };
    let figure = match &verdict.figure {
        None => "not measured".to_owned(),
        Some(figure) if verdict.unit == Unit::Count => {
            format!("{} in {}", written(figure.median), blocks_of(verdict))
        }
        Some(figure) => {
            let (low, high) = (written(figure.low), written(figure.high));
            format!("{} ({low} .. {high})", written(figure.median))
        }
    };
    let what = match verdict.approach.as_str() {
        "" => judged(verdict),
        approach => {
            format!("{approach}, {} at {}", judged(verdict), verdict.place())
        }
    };
    format!(
        "{what}: {figure}{}, limit {} ({})",
        relation(verdict),
        verdict.unit.amount(verdict.limit),
        verdict.derivation
    )
}
