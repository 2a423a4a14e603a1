//! Rows of updates: how many arrived, and how late.

use super::{Better, Pooled, Row, counted, sampled};
use crate::metric::monitored::trusted;
use crate::metric::{Metric, Percentile, Unit};
use crate::record::Record;
use crate::scenario::FigureGroup;
use crate::stats::percentiles;

pub(super) fn rows() -> Vec<Row> {
    let count = |metric, name, of, about| counted(metric, name, FigureGroup::Updates, of, about);
    let mut rows = vec![
        Row {
            better: Better::Higher,
            ..sampled(
                Metric::UpdatesMade,
                "updates made",
                Unit::Hertz,
                FigureGroup::Updates,
                |_, record| Some(trusted(record)?.made_hz),
                "updates of one PV per second that the server made",
            )
        },
        Row {
            better: Better::Neither,
            ..count(
                Metric::UpdatesExpected,
                "updates expected",
                |_, record| Some(trusted(record)?.expected as f64),
                "updates that were to arrive, the first of each subscription included",
            )
        },
        Row {
            better: Better::Higher,
            ..count(
                Metric::UpdatesReceived,
                "updates received",
                |_, record| Some(trusted(record)?.received as f64),
                "different updates that arrived",
            )
        },
        Row {
            pooled: Pooled::Sum,
            group: Some(FigureGroup::Loads),
            ..count(
                Metric::UpdatesLost,
                "updates lost",
                |_, record| Some(trusted(record)?.lost() as f64),
                "updates that the server made and that did not arrive",
            )
        },
        count(
            Metric::UpdatesLate,
            "updates late",
            |_, record| Some(trusted(record)?.late as f64),
            "of the lost, those made after the last that arrived",
        ),
        count(
            Metric::UpdatesRepeated,
            "updates repeated",
            |_, record| Some(trusted(record)?.repeated as f64),
            "frames that arrived once more right after themselves",
        ),
    ];
    rows.extend(Percentile::ALL.into_iter().map(|point| {
        let name = format!("latency {}", point.name());
        let about = "of the time from the server's time stamp to the callback";
        sampled(Metric::Latency(point), &name, Unit::Seconds, FigureGroup::Updates, latency, about)
    }));
    rows
}

fn latency(metric: Metric, record: &Record) -> Option<f64> {
    let Metric::Latency(point) = metric else { return None };
    Some(point.seconds_of(&percentiles(&trusted(record)?.latencies)?))
}
