//! What two sides took in pairs: the figures that are compared.

use std::collections::BTreeMap;

use super::Pairs;
use crate::metric::{Better, Metric, Party, Percentile, Timed};
use crate::record::Record;
use crate::worker_protocol::{Mode, Stage};

/// What is compared in scenarios without monitors, when the user names nothing.
pub const OF_CONNECT: [Metric; 1] = [Metric::Time(Timed::CONNECT_BULK)];

/// What a calibration measures without monitors: the CPU time, which is quieter for some
/// libraries, beside the time; and a bulk get.
pub const CALIBRATED: [Metric; 3] = [
    Metric::Time(Timed::CONNECT_BULK),
    Metric::Cpu(Timed::CONNECT_BULK),
    Metric::Time(Timed { stage: Stage::Get, mode: Mode::Bulk }),
];

/// What it measures with monitors.
pub const CALIBRATED_OF_MONITORS: [Metric; 4] = [
    Metric::CpuUse(Party::Client),
    Metric::CpuUse(Party::Server),
    Metric::Latency(Percentile::P99),
    Metric::MemoryPeak(Party::Client),
];

/// What is compared in scenarios with monitors, when the user names nothing.
pub const OF_MONITORS: [Metric; 3] =
    [Metric::CpuUse(Party::Client), Metric::MemoryPeak(Party::Client), Metric::UpdatesLost];

/// What is compared where PVs go away and come back, when the user names nothing.
pub const OF_OUTAGES: [Metric; 1] = [Metric::Recovery];

/// Whether it is known as soon as all PVs are connected in bulk.
pub fn is_of_connecting(metric: Metric) -> bool {
    match metric {
        Metric::Time(timed) | Metric::Cpu(timed) => {
            timed == Timed::CONNECT_BULK || !timed.is_per_pv()
        }
        _ => false,
    }
}

/// The figures of one metric on both sides, in whole pairs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SideFigures {
    /// Of side A, pair by pair.
    pub a: Vec<f64>,
    /// Of side B.
    pub b: Vec<f64>,
}

/// The figures of the pairs among `records` that are complete: of those screened,
/// or of those measured afresh.
pub fn side_figures<'a>(
    records: impl IntoIterator<Item = &'a Record>,
    metric: Metric,
    confirms: bool,
) -> SideFigures {
    let mut pairs: BTreeMap<usize, [Option<f64>; 2]> = BTreeMap::new();
    for record in records {
        let counts = record.confirms == confirms && record.failure.is_none();
        if let (true, Some(side)) = (counts, record.side) {
            pairs.entry(record.block).or_default()[side as usize] = metric.of(record);
        }
    }
    let mut figures = SideFigures::default();
    for pair in pairs.into_values() {
        if let [Some(a), Some(b)] = pair {
            figures.a.push(a);
            figures.b.push(b);
        }
    }
    figures
}

/// The family of comparisons among `records`: for each metric the logarithms of B
/// over A in pairs, of A over B where more is better. What is negligible is added to both
/// sides; a pair that is then not positive has no ratio and is left out.
pub fn family(records: &[Record], metrics: &[Metric]) -> Vec<Pairs> {
    let ratios = |metric: Metric, confirms| {
        let SideFigures { a, b } = side_figures(records, metric, confirms);
        let worse = match metric.row().better {
            Better::Higher => -1.0,
            Better::Lower | Better::Neither => 1.0,
        };
        let weighed = |figure: f64| figure.max(0.0) + metric.row().negligible;
        let pairs = a.into_iter().zip(b).map(|(a, b)| (weighed(a), weighed(b)));
        let positive = pairs.filter(|(a, b)| *a > 0.0 && *b > 0.0);
        positive.map(|(a, b)| worse * (b / a).ln()).collect()
    };
    metrics
        .iter()
        .map(|metric| Pairs {
            metric: *metric,
            screened: ratios(*metric, false),
            fresh: ratios(*metric, true),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_when_all_are_connected_in_bulk_is_of_connecting() {
        let timed = |stage, mode| Timed { stage, mode };
        let before = [timed(Stage::Import, Mode::Bulk), timed(Stage::Context, Mode::Bulk)];
        for of in [Timed::CONNECT_BULK, before[0], before[1]] {
            assert!(is_of_connecting(Metric::Time(of)) && is_of_connecting(Metric::Cpu(of)));
        }
        for of in [timed(Stage::Get, Mode::Bulk), timed(Stage::Connect, Mode::Serial)] {
            assert!(!is_of_connecting(Metric::Time(of)) && !is_of_connecting(Metric::Cpu(of)));
        }
        assert!(!is_of_connecting(Metric::CpuUse(Party::Client)));
    }
}
