//! Rows of how monitors recover from a fault.

use super::{Better, Row, counted, sampled};
use crate::metric::monitored::trusted;
use crate::metric::{Metric, Unit};
use crate::scenario::FigureGroup;

pub(super) fn rows() -> Vec<Row> {
    let count = |metric, name, of, about| counted(metric, name, FigureGroup::Recovery, of, about);
    vec![
        Row {
            better: Better::Neither,
            ..count(
                Metric::PvsWanted,
                "PVs wanted back",
                |_, record| Some(trusted(record)?.recovery?.wanted as f64),
                "PVs that were to send updates again",
            )
        },
        Row {
            better: Better::Higher,
            ..count(
                Metric::PvsRecovered,
                "PVs recovered",
                |_, record| Some(trusted(record)?.recovery?.recovered as f64),
                "PVs that did",
            )
        },
        Row {
            name_before: Some("PVs left behind"),
            ..count(
                Metric::PvsNotReconnected,
                "PVs not reconnected",
                |_, record| {
                    let recovery = trusted(record)?.recovery?;
                    Some(recovery.wanted.saturating_sub(recovery.recovered) as f64)
                },
                "PVs that stayed away after a fault",
            )
        },
        sampled(
            Metric::Recovery,
            "slowest recovery",
            Unit::Seconds,
            FigureGroup::Recovery,
            |_, record| trusted(record)?.recovery?.slowest_s,
            "from the end of a fault to the first update of the last PV that recovered",
        ),
    ]
}
