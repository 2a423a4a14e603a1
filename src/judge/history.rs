//! What became of each figure from run to run, machines apart; no I/O.
//!
//! Runs are not paired: between two of them the conditions may have changed. What the last
//! run changed is pointed out where its interval does not touch that of the run before, and
//! of many figures some of those are chance. A change of level needs several runs, and has a
//! stated rate of false alarms: see [`crate::stats::change_points()`]. For certainty two
//! versions are measured alternately: see [`crate::judge::compare`].

mod changes;
mod points;
mod run_figures;

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use crate::metric::{Better, Metric, Unit};
use crate::record::Machine;
use crate::scenario::Configuration;
use crate::stats::Interval;
pub use changes::LevelChange;
pub use run_figures::{
    HISTORY_FORMAT, HistoryRun, RunFigure, RunFigures, VersionsOf, history_line, is_history_file,
    parse_history,
};

/// The history of several runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct History {
    /// Each machine, in the order of its first run.
    pub machines: Vec<MachineHistory>,
}

/// The runs of one machine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MachineHistory {
    /// The machine, as in its last run. Runs are of the same machine if processor, cores and
    /// system are the same.
    pub machine: Machine,
    /// Its runs, in the order of time.
    pub runs: Vec<HistoryRun>,
    /// Versions of approaches and servers, where they changed.
    pub versions: Vec<VersionsFrom>,
    /// Each figure.
    pub series: Vec<Series>,
}

/// The versions that an approach or a server reported, from one run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VersionsFrom {
    /// The approach, or the server.
    pub of: String,
    /// The run, by its index.
    pub run: usize,
    /// Such as `pyepics 3.5.7`.
    pub versions: Vec<String>,
}

/// One figure of one approach in one configuration, from run to run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Series {
    /// The configuration; of a slope that with the most PVs.
    pub configuration: Configuration,
    /// The metric, such as `connect bulk`.
    pub metric: Metric,
    /// What it is counted in.
    pub unit: Unit,
    /// How it is to be read.
    pub nature: Nature,
    /// The approach.
    pub approach: String,
    /// One point for each run that has it, in the order of time.
    pub points: Vec<Point>,
    /// How the last differs from the one before; none when that is not sure, or when
    /// there is none before.
    pub last_change: Option<LastChange>,
    /// Where its level changed, in the order of time.
    pub changes: Vec<LevelChange>,
}

impl Series {
    /// The worsening that is found with one of the last `recent` runs of its machine and
    /// still holds; none when its level got better, or worsened earlier.
    pub fn recent_worsening(
        &self,
        machine: &MachineHistory,
        recent: usize,
    ) -> Option<&LevelChange> {
        let newest = machine.runs.len().saturating_sub(recent);
        self.changes.last().filter(|change| change.is_worse && change.found_run >= newest)
    }
}

/// How a figure is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nature {
    /// Median over blocks, with its interval; less is better.
    Measured,
    /// A sum over blocks that should be 0. Only some where there were none, or none
    /// where there were some, is pointed out.
    Losses,
    /// Found by a search: from the most without loss to the least with one; more is
    /// better.
    Searched,
}

impl Nature {
    /// That of a metric.
    pub fn of(metric: Metric) -> Nature {
        match metric {
            Metric::WorkersFailed | Metric::UpdatesLost => Nature::Losses,
            Metric::Capacity => Nature::Searched,
            _ => Nature::Measured,
        }
    }
}

/// A figure in one run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// The run, by its index.
    pub run: usize,
    /// The figure.
    pub figure: Interval,
    /// Whether a search ended before it found the upper end.
    pub open_above: bool,
}

/// How the last of a series differs from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct LastChange {
    /// The last over the one before; none when that was 0.
    pub ratio: Option<f64>,
    /// Whether the user loses by it.
    pub is_worse: bool,
}

/// Why runs have no history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoHistory {
    /// A comparison measured two sides, and says itself what is different.
    #[error("{0} is a comparison, not a run: report it by itself")]
    IsComparison(String),
    /// A calibration slowed its workers on purpose.
    #[error("{0} is a calibration, not a run: report it by itself")]
    IsCalibration(String),
    /// Nothing was measured.
    #[error("{0} holds no record")]
    IsEmpty(String),
    /// One run was given twice.
    #[error("{0} and {1} are the same run")]
    IsTwice(String, String),
}

/// The history of runs, in any order.
///
/// # Errors
/// When one is there twice.
pub fn history(runs: &[RunFigures]) -> Result<History, NoHistory> {
    for (at, run) in runs.iter().enumerate() {
        if let Some(other) = runs[..at].iter().find(|other| other.is_same_run(run)) {
            return Err(NoHistory::IsTwice(other.run.name.clone(), run.run.name.clone()));
        }
    }
    let mut in_order: Vec<&RunFigures> = runs.iter().collect();
    // RFC 3339 in UTC sorts as text.
    in_order.sort_by(|a, b| a.run.started_utc.cmp(&b.run.started_utc));
    let mut by_machine: Vec<Vec<&RunFigures>> = Vec::new();
    for run in in_order {
        match by_machine.iter_mut().find(|others| others[0].is_of_same_machine(run)) {
            Some(others) => others.push(run),
            None => by_machine.push(vec![run]),
        }
    }
    Ok(History { machines: by_machine.iter().map(|runs| of_machine(runs)).collect() })
}

fn of_machine(runs: &[&RunFigures]) -> MachineHistory {
    let mut series = series(runs);
    for one in &mut series {
        one.last_change = last_change(one);
        one.changes = changes::changes(one.metric, &one.points);
    }
    MachineHistory {
        machine: runs[runs.len() - 1].machine.clone(),
        runs: runs.iter().map(|run| run.run.clone()).collect(),
        versions: versions(runs),
        series,
    }
}

/// All series, in the order of scenarios, servers, configurations and metrics, then of the
/// catalogue. Of losses and failures only those that have some.
fn series(runs: &[&RunFigures]) -> Vec<Series> {
    let mut all: Vec<(RunFigure, Vec<Point>)> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        for own in &run.figures {
            let is_same = |(other, _): &&mut (RunFigure, Vec<Point>)| {
                other.metric == own.metric
                    && other.approach == own.approach
                    && other.configuration == own.configuration
            };
            let point = Point { run: index, figure: own.figure, open_above: own.open_above };
            match all.iter_mut().find(is_same) {
                Some((_, points)) => points.push(point),
                None => all.push((own.clone(), vec![point])),
            }
        }
    }
    let is_shown = |(own, points): &(RunFigure, Vec<Point>)| {
        Nature::of(own.metric) != Nature::Losses
            || points.iter().any(|point| point.figure.median > 0.0)
    };
    all.retain(is_shown);
    // What a later run has first is put where it belongs; else the order stays.
    all.sort_by_cached_key(|(own, _)| points::order(own));
    let series = |(own, points): (RunFigure, Vec<Point>)| Series {
        configuration: own.configuration,
        metric: own.metric,
        unit: own.metric.unit(),
        nature: Nature::of(own.metric),
        approach: own.approach,
        points,
        last_change: None,
        changes: Vec::new(),
    };
    all.into_iter().map(series).collect()
}

fn less_is_better(metric: Metric) -> bool {
    metric.row().better != Better::Higher
}

/// What approaches and servers say that they are made of, at first and where it changed.
fn versions(runs: &[&RunFigures]) -> Vec<VersionsFrom> {
    let mut all: Vec<VersionsFrom> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        for VersionsOf { of, versions } in run.versions.clone() {
            let last = all.iter().rev().find(|known| known.of == of);
            if last.is_none_or(|last| last.versions != versions) {
                all.push(VersionsFrom { of, run: index, versions });
            }
        }
    }
    all
}

/// The last against the one before, when it is clear that they differ.
fn last_change(series: &Series) -> Option<LastChange> {
    let [.., before, last] = &series.points[..] else { return None };
    let is_higher = lies_over(series.nature, last, before);
    if !is_higher && !lies_over(series.nature, before, last) {
        return None;
    }
    let (old, new) = (before.figure.median, last.figure.median);
    Some(LastChange {
        ratio: (old != 0.0).then(|| new / old),
        is_worse: is_higher == less_is_better(series.metric),
    })
}

/// Whether one figure is surely more than the other.
fn lies_over(nature: Nature, one: &Point, other: &Point) -> bool {
    let (above, below) = (&one.figure, &other.figure);
    match nature {
        Nature::Measured => {
            let is_sure = |figure: &Interval| figure.confidence >= CONFIDENCE_WANTED;
            is_sure(above) && is_sure(below) && above.low > below.high
        }
        Nature::Losses => above.median > 0.0 && below.median == 0.0,
        Nature::Searched => !other.open_above && above.low > below.high,
    }
}

#[cfg(test)]
mod tests;
