//! What two sides took in pairs: the figures that are compared.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Metric;
use super::Pairs;
use super::monitors::mean_cpu_percent;
use crate::record::Record;
use crate::worker_protocol::{Mode, Stage};

const CONNECT_BULK: Metric = Metric { stage: Stage::Connect, mode: Mode::Bulk };

/// A figure that two sides are compared by; the less the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SideMetric {
    /// Seconds per PV.
    Time(Metric),
    /// CPU seconds of the worker per PV.
    Cpu(Metric),
    /// The client's CPU use while monitors watch.
    ClientCpu,
    /// The client's peak memory while monitors watch.
    ClientMemory,
    /// Updates that did not arrive, and one: a ratio needs something to divide by.
    UpdatesLost,
}

impl SideMetric {
    /// What is compared in scenarios without monitors, when the user names nothing.
    pub const OF_CONNECT: [SideMetric; 1] = [SideMetric::Time(CONNECT_BULK)];

    /// What is told of the judge: the CPU time, which is quieter for some libraries, beside
    /// the time.
    pub const CALIBRATED: [SideMetric; 2] =
        [SideMetric::Time(CONNECT_BULK), SideMetric::Cpu(CONNECT_BULK)];

    /// What is compared in scenarios with monitors.
    pub const OF_MONITORS: [SideMetric; 3] =
        [SideMetric::ClientCpu, SideMetric::ClientMemory, SideMetric::UpdatesLost];

    /// Every one, in the order of reports.
    pub fn all() -> Vec<SideMetric> {
        let timed = Metric::all().into_iter().filter(|metric| metric.is_per_pv());
        let mut all: Vec<SideMetric> =
            timed.flat_map(|metric| [SideMetric::Time(metric), SideMetric::Cpu(metric)]).collect();
        all.extend(SideMetric::OF_MONITORS);
        all
    }

    /// Whether it is a figure of monitors.
    pub fn is_of_monitors(self) -> bool {
        SideMetric::OF_MONITORS.contains(&self)
    }

    /// Whether it is known as soon as all PVs are connected in bulk.
    pub fn is_of_connecting(self) -> bool {
        match self {
            SideMetric::Time(metric) | SideMetric::Cpu(metric) => metric == CONNECT_BULK,
            _ => false,
        }
    }

    /// The unit of [`SideMetric::of`].
    pub fn unit(self) -> &'static str {
        match self {
            SideMetric::Time(_) => "s per PV",
            SideMetric::Cpu(_) => "CPU s per PV",
            SideMetric::ClientCpu => "% of a core",
            SideMetric::ClientMemory => "bytes",
            SideMetric::UpdatesLost => "and one",
        }
    }

    /// The figure of one worker, in [`SideMetric::unit`]; none when it did not get there.
    pub fn of(self, record: &Record) -> Option<f64> {
        match self {
            SideMetric::Time(metric) => metric.of(record),
            SideMetric::Cpu(metric) => metric.cpu_of(record),
            SideMetric::ClientCpu => {
                let monitored = record.monitored.as_deref()?;
                mean_cpu_percent(monitored, &monitored.client)
            }
            SideMetric::ClientMemory => {
                Some(record.monitored.as_deref()?.client.peak_rss_bytes as f64)
            }
            SideMetric::UpdatesLost => Some(1.0 + record.monitored.as_deref()?.lost() as f64),
        }
    }
}

impl fmt::Display for SideMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SideMetric::Time(metric) => f.pad(&metric.name()),
            SideMetric::Cpu(metric) => f.pad(&format!("{} cpu", metric.name())),
            SideMetric::ClientCpu => f.pad("client cpu"),
            SideMetric::ClientMemory => f.pad("client memory"),
            SideMetric::UpdatesLost => f.pad("updates lost"),
        }
    }
}

/// There is no metric of this name.
#[derive(Debug, thiserror::Error)]
#[error("unknown metric `{0}`; there are: {all}", all = names().join(", "))]
pub struct UnknownMetric(String);

impl FromStr for SideMetric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<SideMetric, UnknownMetric> {
        let is_meant = |metric: &SideMetric| metric.to_string() == text.trim();
        SideMetric::all().into_iter().find(is_meant).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

fn names() -> Vec<String> {
    SideMetric::all().iter().map(SideMetric::to_string).collect()
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
    metric: SideMetric,
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
/// over A in pairs. A figure of 0 has no ratio and its pair is left out.
pub fn family(records: &[Record], metrics: &[SideMetric]) -> Vec<Pairs> {
    let ratios = |metric, confirms| {
        let SideFigures { a, b } = side_figures(records, metric, confirms);
        let positive = a.into_iter().zip(b).filter(|(a, b)| *a > 0.0 && *b > 0.0);
        positive.map(|(a, b)| (b / a).ln()).collect()
    };
    metrics
        .iter()
        .map(|metric| Pairs {
            metric: metric.to_string(),
            screened: ratios(*metric, false),
            fresh: ratios(*metric, true),
        })
        .collect()
}
