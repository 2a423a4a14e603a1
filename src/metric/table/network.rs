//! Rows of the bytes on a client's circuits.

use super::{Better, Row, counted, sampled};
use crate::metric::monitored::trusted;
use crate::metric::{Metric, Unit};
use crate::record::{Network, Record};
use crate::scenario::FigureGroup;

pub(super) fn rows() -> Vec<Row> {
    let bytes = |metric, name, of, about| {
        sampled(metric, name, Unit::Bytes, FigureGroup::Updates, of, about)
    };
    vec![
        bytes(
            Metric::ClientBytesReceived,
            "client bytes received",
            |_, record| Some(network(record)?.received_bytes as f64),
            "bytes over the client's circuits, from the first update to the last",
        ),
        bytes(
            Metric::ClientBytesSent,
            "client bytes sent",
            |_, record| Some(network(record)?.sent_bytes as f64),
            "bytes that the client sent meanwhile",
        ),
        Row {
            better: Better::Neither,
            ..bytes(
                Metric::LeastBytes,
                "least bytes",
                |_, record| Some(network(record)?.least_bytes? as f64),
                "the least bytes that the updates received can take",
            )
        },
        counted(
            Metric::BytesOverLeast,
            "bytes over least",
            FigureGroup::TimeSeries,
            bytes_over_least,
            "whole bytes per update more than the protocol needs",
        ),
    ]
}

fn network(record: &Record) -> Option<&Network> {
    trusted(record)?.network.as_ref()
}

fn bytes_over_least(_: Metric, record: &Record) -> Option<f64> {
    let (network, received) = (network(record)?, trusted(record)?.received);
    let over = network.received_bytes.saturating_sub(network.least_bytes?);
    Some((over / received.max(1)) as f64)
}
