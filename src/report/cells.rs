//! How figures and verdicts are written in a table's cells.

use crate::judge::{Outcome, Verdict};
use crate::stats::{Interval, Percentiles};
use crate::units::{scientific, signed};

/// A percentile, with its name.
pub(super) type Percentile = (&'static str, fn(&Percentiles) -> u64);

/// The server, where it is not the usual one.
pub(super) fn place(server: &str) -> String {
    if server == "softioc" { String::new() } else { format!(" on {server}") }
}

/// The word for the worst of an approach's verdicts in one row; capitals are for
/// what was not expected.
pub(super) fn worst<'a>(verdicts: impl Iterator<Item = &'a Verdict>) -> String {
    let worst = verdicts.max_by_key(|verdict| (verdict.is_worse_than_expected(), verdict.outcome));
    match worst {
        None => String::new(),
        Some(verdict) if verdict.is_worse_than_expected() => "OVER".to_owned(),
        Some(verdict) if verdict.outcome == Outcome::Over => "over (known)".to_owned(),
        Some(verdict) => verdict.outcome.name().to_owned(),
    }
}

pub(super) fn range(interval: &Interval) -> String {
    format!("{} .. {}", scientific(interval.low), scientific(interval.high))
}

pub(super) fn difference(interval: Option<&Interval>) -> String {
    interval.map_or(String::new(), |interval| signed(interval.median))
}
