//! What became of each figure from run to run, machines apart; no I/O.
//!
//! Runs are not paired: between two of them the conditions may have changed, so
//! that only intervals that do not touch are pointed out, and of many figures some of
//! those are chance. For certainty two versions are measured alternately: see
//! [`crate::judge::compare`].

mod points;

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use crate::metric::{Metric, Unit};
use crate::record::{Machine, RunRecords};
use crate::scenario::Configuration;
use crate::stats::Interval;

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

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HistoryRun {
    /// What the user calls it: a folder or a file.
    pub name: String,
    /// When it was started, UTC, RFC 3339.
    pub started_utc: String,
    /// Version of epics-gauge.
    pub version: String,
    /// The EPICS Base of this build.
    pub base: String,
    /// The kernel that it ran on.
    pub kernel: String,
    /// Whether it came to its end.
    pub complete: bool,
}

/// What an approach or a server said that it is made of, from one run on.
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
    pub cell: Configuration,
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

/// The history of runs, each with the name that the user gives it, in any order.
/// Blocks that were measured to confirm a suspicion are left out: they were chosen
/// by what had been seen.
///
/// # Errors
/// When one is no run, is empty, or is there twice.
pub fn history(runs: &[(String, RunRecords)]) -> Result<History, NoHistory> {
    check(runs)?;
    let mut in_order: Vec<&(String, RunRecords)> = runs.iter().collect();
    // RFC 3339 in UTC sorts as text.
    in_order.sort_by(|(_, a), (_, b)| a.run.started_utc.cmp(&b.run.started_utc));
    let mut by_machine: Vec<Vec<&(String, RunRecords)>> = Vec::new();
    for named in in_order {
        let known = by_machine
            .iter_mut()
            .find(|others| is_same(&others[0].1.run.machine, &named.1.run.machine));
        match known {
            Some(others) => others.push(named),
            None => by_machine.push(vec![named]),
        }
    }
    Ok(History { machines: by_machine.iter().map(|runs| of_machine(runs)).collect() })
}

fn check(runs: &[(String, RunRecords)]) -> Result<(), NoHistory> {
    for (at, (name, run)) in runs.iter().enumerate() {
        if run.run.comparison.is_some() || run.records.iter().any(|record| record.side.is_some()) {
            let is_slowed = run.records.iter().any(|record| record.handicap.is_some());
            return Err(match is_slowed {
                true => NoHistory::IsCalibration(name.clone()),
                false => NoHistory::IsComparison(name.clone()),
            });
        }
        if run.records.is_empty() {
            return Err(NoHistory::IsEmpty(name.clone()));
        }
        let is_same = |other: &&(String, RunRecords)| other.1.run == run.run;
        if let Some((other, _)) = runs[..at].iter().find(is_same) {
            return Err(NoHistory::IsTwice(other.clone(), name.clone()));
        }
    }
    Ok(())
}

fn is_same(one: &Machine, other: &Machine) -> bool {
    (&one.model, one.cores, &one.system) == (&other.model, other.cores, &other.system)
}

fn of_machine(named: &[&(String, RunRecords)]) -> MachineHistory {
    let runs = named.iter().map(|(name, run)| HistoryRun {
        name: name.clone(),
        started_utc: run.run.started_utc.clone(),
        version: run.run.version.clone(),
        base: run.run.base.clone(),
        kernel: run.run.machine.kernel.clone(),
        complete: run.end.as_ref().is_some_and(|end| !end.interrupted),
    });
    let last = named[named.len() - 1];
    let records: Vec<&RunRecords> = named.iter().map(|(_, run)| run).collect();
    let mut series = points::series(&records);
    for one in &mut series {
        one.last_change = last_change(one);
    }
    MachineHistory {
        machine: last.1.run.machine.clone(),
        runs: runs.collect(),
        versions: points::versions(&records),
        series,
    }
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
        is_worse: is_higher == (series.nature != Nature::Searched),
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
