//! Rows of what client and server use: CPU time, memory and bytes.

use super::{Pooled, Row, sampled};
use crate::metric::monitored::{mean_cpu_percent, memory_of_run, trusted};
use crate::metric::{Metric, Party, Unit};
use crate::record::Record;
use crate::scenario::FigureGroup;
use crate::stats::{CONFIDENCE_WANTED, growth};

/// What nobody notices of memory, and of its growth in a minute.
const NEGLIGIBLE_BYTES: f64 = 1_048_576.0;

pub(super) fn rows() -> Vec<Row> {
    Party::ALL.into_iter().flat_map(of_one_side).collect()
}

fn of_one_side(party: Party) -> Vec<Row> {
    let row = |metric, what: &str, unit, group, about| {
        sampled(metric, &format!("{}{what}", party.name()), unit, Some(group), of_side, about)
    };
    let growth = match party {
        Party::Client => "growth".to_owned(),
        Party::Server => "server growth".to_owned(),
    };
    vec![
        row(
            Metric::CpuUse(party),
            " cpu",
            Unit::PercentOfACore,
            FigureGroup::Loads,
            "CPU time over wall time while monitors run",
        ),
        Row {
            pooled: Pooled::Peak,
            negligible: NEGLIGIBLE_BYTES,
            ..row(
                Metric::Memory(party),
                " memory",
                Unit::Bytes,
                FigureGroup::Loads,
                "the most resident memory less what was held after the warm-up",
            )
        },
        row(
            Metric::MemoryPeak(party),
            " memory peak",
            Unit::Bytes,
            FigureGroup::Loads,
            "the most resident memory, descendants included",
        ),
        row(
            Metric::MemoryAtStart(party),
            " memory at start",
            Unit::Bytes,
            FigureGroup::Loads,
            "resident memory after the warm-up",
        ),
        row(
            Metric::MemoryAtEnd(party),
            " memory at end",
            Unit::Bytes,
            FigureGroup::Loads,
            "resident memory when the server stops making updates",
        ),
        Row {
            pooled: Pooled::Growth,
            negligible: NEGLIGIBLE_BYTES,
            name: growth,
            ..row(
                Metric::Growth(party),
                "",
                Unit::BytesPerMinute,
                FigureGroup::TimeSeries,
                "how fast resident memory grows after the warm-up",
            )
        },
        row(
            Metric::BytesSent(party),
            " network sent",
            Unit::Bytes,
            FigureGroup::Loads,
            "bytes sent over the TCP connections, from sampling",
        ),
        row(
            Metric::BytesReceived(party),
            " network received",
            Unit::Bytes,
            FigureGroup::Loads,
            "bytes received over the TCP connections, from sampling",
        ),
    ]
}

fn of_side(metric: Metric, record: &Record) -> Option<f64> {
    let monitored = trusted(record)?;
    let held = |party: Party| memory_of_run(monitored, party.usage(monitored));
    let most = |party: Party| {
        // The samples have its descendants too, its own peak is exact.
        let sampled = held(party).iter().map(|(_, bytes)| *bytes).max()?;
        Some(sampled.max(party.usage(monitored).peak_rss_bytes))
    };
    match metric {
        Metric::CpuUse(party) => mean_cpu_percent(monitored, party.usage(monitored)),
        Metric::Memory(party) => Some(most(party)?.saturating_sub(held(party).first()?.1) as f64),
        Metric::MemoryPeak(party) => most(party).map(|bytes| bytes as f64),
        Metric::MemoryAtStart(party) => held(party).first().map(|(_, bytes)| *bytes as f64),
        Metric::MemoryAtEnd(party) => held(party).last().map(|(_, bytes)| *bytes as f64),
        Metric::Growth(party) => Some(growth(&held(party), CONFIDENCE_WANTED)?.median),
        Metric::BytesSent(party) => {
            let samples = &party.usage(monitored).network;
            Some(samples.last()?.sent_bytes.checked_sub(samples.first()?.sent_bytes)? as f64)
        }
        Metric::BytesReceived(party) => {
            let samples = &party.usage(monitored).network;
            let (first, last) = (samples.first()?, samples.last()?);
            Some(last.received_bytes.checked_sub(first.received_bytes)? as f64)
        }
        _ => None,
    }
}
