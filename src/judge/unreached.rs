//! Limits that apply from more PVs on than a run has: nothing is judged by them.

use schemars::JsonSchema;
use serde::Serialize;

use super::limits::{Limit, Limits};
use crate::metric::{Metric, Timed};
use crate::record::{Record, RunRecords};

/// A limit that applies to more PVs only.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Unreached {
    /// What it limits.
    pub metric: Metric,
    /// The file and the line of the limit.
    pub limit: String,
    /// The count of PVs from which on it applies.
    pub least_pvs: usize,
    /// The most PVs of which the run has this figure.
    pub most_pvs: usize,
}

/// In the order of the file; none of figures that the run does not have at all.
pub(super) fn unreached(run: &RunRecords, limits: &Limits) -> Vec<Unreached> {
    let of = |limit: &Limit| {
        let own = run.records.iter().filter(|record| is_limited(limit, record));
        let most_pvs = own.map(|record| record.pvs).max()?;
        (most_pvs < limit.least_pvs).then(|| Unreached {
            metric: limit.measure,
            limit: format!("{}:{}", limits.file, limit.line),
            least_pvs: limit.least_pvs,
            most_pvs,
        })
    };
    limits.limits.iter().filter_map(of).collect()
}

/// Whether the limit would apply to a record with enough PVs.
fn is_limited(limit: &Limit, record: &Record) -> bool {
    let figure = match limit.measure {
        Metric::ConnectSlope => Timed::CONNECT_BULK.of(record),
        metric => metric.of(record),
    };
    figure.is_some() && limit.is_for(record.scenario, &record.server, &record.approach)
}
