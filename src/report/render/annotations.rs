//! A comparison for the annotations of a pull request.

use crate::judge::Change;
use crate::judge::compared::ComparisonJudgement;
use crate::report::words::sentence;

/// One workflow command for each metric that changed or is undecided, as GitHub
/// Actions reads them on stdout.
pub fn annotations(judgement: &ComparisonJudgement) -> String {
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
