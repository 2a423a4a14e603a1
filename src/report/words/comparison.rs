//! What a comparison found of a metric.

use super::amounts::signed_percent;
use crate::judge::compared::ComparisonJudgement;
use crate::judge::{Change, MetricChange};
use crate::units::{counted, percent};

/// The answer in one sentence.
pub(in crate::report) fn sentence(
    judgement: &ComparisonJudgement,
    change: &MetricChange,
) -> String {
    let request = &judgement.request;
    let interval = match &change.ratio {
        None => "no pair was whole".to_owned(),
        Some(ratio) => format!(
            "{} ({} to {}) over {}",
            signed_percent(ratio.median),
            signed_percent(ratio.low),
            signed_percent(ratio.high),
            counted(change.pairs, "pair")
        ),
    };
    let tolerance = percent(100.0 * request.tolerance);
    match change.outcome {
        Change::Regressed => {
            format!("{}: {} is worse than {} by {interval}", change.metric, request.b, request.a)
        }
        Change::Improved => {
            format!("{}: {} is better than {} by {interval}", change.metric, request.b, request.a)
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
