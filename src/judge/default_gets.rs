//! What ordinary gets request, over the blocks.

use schemars::JsonSchema;
use serde::Serialize;

use crate::metric::{Metric, Seen, Timed};
use crate::record::Record;
use crate::scenario::reads_by_default;
use crate::stats::median;

/// What was seen of an approach's ordinary get; medians over the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct DefaultGets {
    /// Bytes per PV that the client sent; none where the system does not report it.
    pub sent_bytes: Option<f64>,
    /// Bytes per PV that it received.
    pub received_bytes: Option<f64>,
    /// Monitors per PV that are open afterwards; none where the server does not count.
    pub monitors: Option<f64>,
    /// The part of the values that came from a cache, in %.
    pub from_cache_percent: f64,
    /// By how much a value was out of date at most, in any block, in seconds.
    pub outdated_s: f64,
}

/// None where `metric` is no ordinary get.
pub(super) fn default_gets(records: &[&&Record], metric: Timed) -> Option<DefaultGets> {
    if !reads_by_default(metric.stage) {
        return None;
    }
    let figures = |seen: Seen| -> Vec<f64> {
        let figure = Metric::DefaultGet(metric, seen);
        records.iter().filter_map(|record| figure.of(record)).collect()
    };
    let middle =
        |seen: Seen| Some(figures(seen)).filter(|all| !all.is_empty()).map(|all| median(&all));
    Some(DefaultGets {
        sent_bytes: middle(Seen::BytesSent),
        received_bytes: middle(Seen::BytesReceived),
        monitors: middle(Seen::MonitorsOpen),
        from_cache_percent: middle(Seen::FromCache)?,
        outdated_s: figures(Seen::Outdated).into_iter().fold(0.0, f64::max),
    })
}
