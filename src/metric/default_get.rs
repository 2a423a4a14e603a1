//! What ordinary gets asked servers for.

use super::{Metric, Timed};
use crate::named::named;
use crate::record::Record;
use crate::scenario::reads_by_default;

named! {
    /// What was seen of an ordinary get beside its time.
    pub enum Seen {
        /// Bytes that the client sent for each PV.
        BytesSent = "bytes sent",
        /// Bytes that it received for each PV.
        BytesReceived = "bytes received",
        /// Monitors open at the server for each PV, after it.
        MonitorsOpen = "monitors open",
        /// The part of the values that came from a cache.
        FromCache = "from cache",
        /// By how much the oldest of them was out of date.
        Outdated = "outdated by",
    }
}

/// The stages that are ordinary gets.
pub(super) fn stages() -> impl Iterator<Item = Timed> {
    Timed::all().into_iter().filter(|timed| reads_by_default(timed.stage))
}

/// The figure of one worker.
pub(super) fn of(metric: Metric, record: &Record) -> Option<f64> {
    let Metric::DefaultGet(timed, seen) = metric else { return None };
    let (get, pvs) = timed.default_get_of(record)?;
    let per_pv = |count: u64| count as f64 / pvs as f64;
    match seen {
        Seen::BytesSent => get.sent_bytes.map(per_pv),
        Seen::BytesReceived => get.received_bytes.map(per_pv),
        Seen::MonitorsOpen => get.monitors.map(per_pv),
        Seen::FromCache => Some(100.0 * get.from_cache(pvs) as f64 / pvs as f64),
        Seen::Outdated => Some(get.oldest_ns as f64 / 1e9),
    }
}
