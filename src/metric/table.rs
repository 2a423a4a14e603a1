//! The table of figures: what a row holds; the rows are in the files of this folder.

mod default_gets;
mod failures;
mod faults;
mod links;
mod many_iocs;
mod network;
mod recovery;
mod servers;
mod stages;
mod updates;
mod usage;
mod whole;

use std::sync::LazyLock;

use super::{Metric, Unit};
use crate::record::{Record, Scenario};
use crate::scenario::{DEFINITIONS, FigureGroup};
pub use failures::{has_failed, is_wrong};

/// Everything that is known of one figure.
#[derive(Debug)]
pub struct Row {
    /// Which figure.
    pub metric: Metric,
    /// Its name in files, limits, tables and on the command line.
    pub name: String,
    /// A name that it had before, which files and commands may still have.
    pub name_before: Option<&'static str>,
    /// What it is counted in.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    /// Whether it is counted, so that one block decides, or else timed or sampled.
    pub exact: bool,
    /// How the figures of several blocks become one.
    pub pooled: Pooled,
    /// The scenarios that have it are those with this group; all of them when none.
    pub group: Option<FigureGroup>,
    /// How it is computed.
    pub source: Source,
    /// What is added to both sides before a ratio is taken: what does not matter to
    /// anybody, so that nothing against nearly nothing is no large change. 0 where every
    /// figure is far above it.
    pub negligible: f64,
    /// What it is, in one sentence.
    pub about: &'static str,
}

impl Row {
    /// Where it is measured, in the order of reports.
    pub fn scenarios(&self) -> Vec<Scenario> {
        let has = |groups: &[FigureGroup]| self.group.is_none_or(|group| groups.contains(&group));
        let measured = DEFINITIONS.iter().filter(|definition| has(definition.figures));
        measured.map(|definition| definition.scenario).collect()
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// The less the better.
    Lower,
    /// The more the better.
    Higher,
    /// Neither: it counts what was done.
    Neither,
}

/// How the figures of several blocks become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooled {
    /// The interval around their median.
    Median,
    /// Their sum.
    Sum,
    /// The greatest.
    Greatest,
    /// The greatest, until there are enough blocks for an interval around the median: a
    /// peak was counted, so one block can show that it was low.
    Peak,
    /// The growths of the blocks, or with few blocks the widest interval of one's samples.
    Growth,
}

/// What a figure is computed from.
#[derive(Debug, Clone, Copy)]
pub enum Source {
    /// The record of one worker.
    Record(fn(Metric, &Record) -> Option<f64>),
    /// The records of several counts of PVs, or of a search.
    Blocks,
    /// The end of a run.
    Run,
}

/// What nobody notices of the age of a value: an update takes as long to be on its way.
const NEGLIGIBLE_AGE_S: f64 = 1e-3;

/// All figures, in the order of reports.
pub fn rows() -> &'static [Row] {
    static ROWS: LazyLock<Vec<Row>> = LazyLock::new(all);
    &ROWS
}

fn all() -> Vec<Row> {
    let mut rows = stages::rows();
    rows.extend(usage::rows());
    rows.extend(failures::rows());
    rows.extend(updates::rows());
    rows.extend(network::rows());
    rows.extend(servers::rows());
    rows.extend(recovery::rows());
    rows.push(whole::capacity());
    rows.extend(many_iocs::rows());
    rows.extend(links::rows());
    rows.extend(faults::rows());
    rows.push(whole::run());
    rows
}

/// A row of what is timed or sampled.
fn sampled(
    metric: Metric,
    name: &str,
    unit: Unit,
    group: impl Into<Option<FigureGroup>>,
    of: fn(Metric, &Record) -> Option<f64>,
    about: &'static str,
) -> Row {
    Row {
        metric,
        name: name.to_owned(),
        name_before: None,
        unit,
        better: Better::Lower,
        exact: false,
        pooled: Pooled::Median,
        group: group.into(),
        source: Source::Record(of),
        negligible: 0.0,
        about,
    }
}

/// A row of what is counted.
fn counted(
    metric: Metric,
    name: &str,
    group: impl Into<Option<FigureGroup>>,
    of: fn(Metric, &Record) -> Option<f64>,
    about: &'static str,
) -> Row {
    Row {
        exact: true,
        pooled: Pooled::Greatest,
        negligible: 1.0,
        ..sampled(metric, name, Unit::Count, group, of, about)
    }
}

fn none(_: Metric, _: &Record) -> Option<f64> {
    None
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_that_reads_back() {
        let mut seen = HashSet::new();
        for row in rows() {
            assert!(seen.insert(&row.name), "{} twice", row.name);
            assert_eq!(row.name.parse(), Ok(row.metric));
            assert_eq!(row.metric.name(), row.name);
        }
    }

    #[test]
    fn the_name_that_a_figure_had_before_is_read() {
        assert_eq!("PVs left behind".parse(), Ok(Metric::PvsNotReconnected));
        for row in rows() {
            let before = row.name_before.into_iter();
            assert!(before.clone().all(|name| rows().iter().all(|other| other.name != name)));
            assert!(before.map(str::parse).all(|read| read == Ok(row.metric)), "{}", row.name);
        }
    }
}
