//! Rows of a client of many IOCs.

use super::{Row, sampled};
use crate::metric::{Metric, Unit};
use crate::record::{ManyIocsUse, Record};
use crate::scenario::FigureGroup;

pub(super) fn rows() -> Vec<Row> {
    vec![
        sampled(
            Metric::ClientMemoryPerPv,
            "client memory per PV",
            Unit::BytesPerPv,
            FigureGroup::ManyIocs,
            |_, record| grown(record, |used| used.client_bytes),
            "resident memory that the client took for each PV",
        ),
        sampled(
            Metric::ServersMemoryPerPv,
            "servers memory per PV",
            Unit::BytesPerPv,
            FigureGroup::ManyIocs,
            // Later clients are served from memory that the first one made the IOCs take.
            |_, record| grown(record, |used| used.servers_bytes.filter(|_| used.is_first_client)),
            "resident memory that all IOCs together took for each PV",
        ),
        sampled(
            Metric::SearchesPerPv,
            "searches per PV",
            Unit::CountPerPv,
            FigureGroup::ManyIocs,
            |_, record| {
                let searches = record.many_iocs_use.as_ref()?.searches?;
                Some(searches.sent / record.pvs.max(1) as f64)
            },
            "searches that the client sent, repeats counted",
        ),
    ]
}

fn grown(record: &Record, held: fn(&ManyIocsUse) -> Option<(u64, u64)>) -> Option<f64> {
    let (before, after) = held(record.many_iocs_use.as_deref()?)?;
    Some(after.saturating_sub(before) as f64 / record.pvs.max(1) as f64)
}
