//! The figures of one run, by which a history remembers it: a line of a history file.

use serde::{Deserialize, Serialize};

use super::{NoHistory, points};
use crate::metric::Metric;
use crate::record::{Machine, Revision, RunRecords};
use crate::scenario::Configuration;
use crate::stats::Interval;

use schemars::JsonSchema;

/// The version of a line of a history file.
pub const HISTORY_FORMAT: u32 = 1;

/// The figures of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFigures {
    /// The run.
    pub run: HistoryRun,
    /// The machine that measured: [`Run::arrangement`](crate::record::Run::arrangement).
    pub machine: Machine,
    /// What approaches and servers say that they are made of, such as `pyepics 3.5.7`.
    pub versions: Vec<VersionsOf>,
    /// Its figures, in the order of scenarios, then of the catalogue.
    pub figures: Vec<RunFigure>,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryRun {
    /// What the user calls it: a folder or a file.
    pub name: String,
    /// When it was started, UTC, RFC 3339.
    pub started_utc: String,
    /// The seed of every random choice.
    pub seed: u64,
    /// Version of epics-gauge.
    pub version: String,
    /// The EPICS Base of this build.
    pub base: String,
    /// The kernel that it ran on.
    pub kernel: String,
    /// The commit that was measured; none when it is not known.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// Whether it came to its end.
    pub complete: bool,
}

/// What an approach or a server says that it is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VersionsOf {
    /// The approach, or the server.
    pub of: String,
    /// Such as `pyepics 3.5.7`.
    pub versions: Vec<String>,
}

/// One figure of one approach in one configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFigure {
    /// The configuration; of a slope that with the most PVs.
    #[serde(alias = "cell")]
    pub configuration: Configuration,
    /// The metric, such as `connect bulk`.
    pub metric: Metric,
    /// The approach.
    pub approach: String,
    /// The figure.
    pub figure: Interval,
    /// Whether a search ended before it found the upper end.
    pub open_above: bool,
}

impl RunFigures {
    /// Those of a run, with the name that the user gives it. Blocks that were measured to
    /// confirm a suspicion are left out: they were chosen by what had been seen.
    ///
    /// # Errors
    /// When it is no run, or is empty.
    pub fn of(name: &str, run: &RunRecords) -> Result<RunFigures, NoHistory> {
        if run.run.comparison.is_some() || run.records.iter().any(|record| record.side.is_some()) {
            let is_slowed = run.records.iter().any(|record| record.slowdown.is_some());
            return Err(match is_slowed {
                true => NoHistory::IsCalibration(name.to_owned()),
                false => NoHistory::IsComparison(name.to_owned()),
            });
        }
        if run.records.is_empty() {
            return Err(NoHistory::IsEmpty(name.to_owned()));
        }
        let header = &run.run;
        Ok(RunFigures {
            run: HistoryRun {
                name: name.to_owned(),
                started_utc: header.started_utc.clone(),
                seed: header.seed,
                version: header.version.clone(),
                base: header.base.clone(),
                kernel: header.machine.kernel.clone(),
                revision: header.revision.clone(),
                complete: run.end.as_ref().is_some_and(|end| !end.interrupted),
            },
            machine: header.arrangement(),
            versions: points::versions(run),
            figures: points::figures(run),
        })
    }

    /// Whether both are of one machine: processor, cores and system are the same.
    pub fn is_of_same_machine(&self, other: &RunFigures) -> bool {
        let (one, other) = (&self.machine, &other.machine);
        (&one.model, one.cores, &one.system) == (&other.model, other.cores, &other.system)
    }

    /// Whether both are of the same run.
    pub fn is_same_run(&self, other: &RunFigures) -> bool {
        let key = |one: &RunFigures| (one.run.started_utc.clone(), one.run.seed);
        key(self) == key(other) && self.machine == other.machine
    }
}

/// A line of a history file.
#[derive(Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
enum Line {
    /// One run.
    Figures {
        /// [`HISTORY_FORMAT`].
        format: u32,
        /// What is known of it.
        #[serde(flatten)]
        figures: Box<RunFigures>,
    },
}

/// The first field of every line of a history file, by which it is known.
const BEGINNING: &str = r#"{"line":"figures""#;

/// Whether this is the text of a history file, and not of a record file.
pub fn is_history_file(text: &str) -> bool {
    text.starts_with(BEGINNING)
}

/// The line of a run in a history file, with its end.
pub fn history_line(figures: &RunFigures) -> String {
    let line = Line::Figures { format: HISTORY_FORMAT, figures: Box::new(figures.clone()) };
    match serde_json::to_string(&line) {
        Ok(text) => text + "\n",
        Err(error) => unreachable!("plain fields are always JSON: {error}"),
    }
}

/// Reads a history file.
///
/// # Errors
/// The number of the first line that is not of the format, and what is wrong with it.
pub fn parse_history(text: &str) -> Result<Vec<RunFigures>, String> {
    if !text.is_empty() && !text.ends_with('\n') {
        let line = text.lines().count();
        return Err(format!("line {line}: it was cut off; remove it and append that run again"));
    }
    let lines = text.lines().enumerate();
    lines.map(|(at, line)| parsed(line).map_err(|why| format!("line {}: {why}", at + 1))).collect()
}

fn parsed(line: &str) -> Result<RunFigures, String> {
    #[derive(Deserialize)]
    struct First {
        format: u32,
    }
    let not_of_the_format = |error: serde_json::Error| error.to_string();
    let First { format } = serde_json::from_str(line).map_err(not_of_the_format)?;
    if format != HISTORY_FORMAT {
        return Err(format!(
            "it has format {format}, this build reads format {HISTORY_FORMAT} of history files"
        ));
    }
    let Line::Figures { figures, .. } = serde_json::from_str(line).map_err(not_of_the_format)?;
    Ok(*figures)
}
