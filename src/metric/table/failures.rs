//! Rows of workers that failed.

use super::{Pooled, Row, counted};
use crate::metric::Metric;
use crate::record::{FailureKind, Record};
use crate::scenario::is_answer;

pub(super) fn rows() -> Vec<Row> {
    let row = |metric, name, of, about| Row {
        pooled: Pooled::Sum,
        ..counted(metric, name, None, of, about)
    };
    vec![
        row(
            Metric::ValuesWrong,
            "values wrong",
            |_, record| Some(f64::from(u8::from(is_wrong(record)))),
            "workers that brought a value or an update that the server never made so",
        ),
        row(
            Metric::WorkersFailed,
            "workers failed",
            |_, record| Some(f64::from(u8::from(has_failed(record)))),
            "workers that failed in another way",
        ),
    ]
}

/// Whether the worker brought what the server never made so.
pub fn is_wrong(record: &Record) -> bool {
    let is_wrong = |kind| matches!(kind, FailureKind::WrongValue | FailureKind::WrongUpdate);
    record.failure.as_ref().is_some_and(|failure| is_wrong(failure.kind))
}

/// Whether the worker failed in another way, which is not an answer.
pub fn has_failed(record: &Record) -> bool {
    record.failure.is_some() && !is_wrong(record) && !is_answer(record)
}
