//! Rows of what servers count themselves.

use super::{Better, Row, counted};
use crate::metric::Metric;
use crate::metric::monitored::trusted;
use crate::record::{Record, ServerCounters};
use crate::scenario::FigureGroup;

pub(super) fn rows() -> Vec<Row> {
    let count = |metric, name, of, about| counted(metric, name, FigureGroup::Updates, of, about);
    vec![
        Row {
            better: Better::Neither,
            ..count(
                Metric::ServerSubscriptions,
                "server subscriptions",
                |_, record| of_counter(record, |server| server.subscriptions),
                "subscriptions to the scenario's PVs, as the server counts them",
            )
        },
        Row {
            group: Some(FigureGroup::Loads),
            ..count(
                Metric::Subscriptions,
                "subscriptions",
                |_, record| {
                    let asked = (record.pvs * record.load?.monitors) as f64;
                    let counted = of_counter(record, |server| server.subscriptions)?;
                    Some((counted - asked).abs())
                },
                "how far the server's count of subscriptions is from what was asked for",
            )
        },
        count(
            Metric::ScanOverruns,
            "server scan overruns",
            |_, record| of_counter(record, |server| server.scan_overruns),
            "scans that took longer than their period",
        ),
        count(
            Metric::MergedUpdates,
            "server merged updates",
            |_, record| of_counter(record, |server| server.merged_updates),
            "updates that the server replaced or dropped in its queues",
        ),
        count(
            Metric::CallbackOverflows,
            "server callback overflows",
            |_, record| of_counter(record, |server| server.callback_overflows),
            "requests that found a callback queue full",
        ),
    ]
}

fn of_counter(record: &Record, counter: fn(&ServerCounters) -> Option<u64>) -> Option<f64> {
    counter(&trusted(record)?.server_counters).map(|count| count as f64)
}
