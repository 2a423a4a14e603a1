//! From records to verdicts; no I/O, no clock.

mod advice;
mod figures;
mod limits;
mod scaling;
mod verdict;

pub use advice::{Advice, Slower};
pub use figures::{Figures, Metric, Row, figures};
pub use limits::{BUDGET, Budget, LIMITS, Limit, Measure, Relative, expectation};
pub use scaling::{Scaling, scaling};
pub use verdict::{Outcome, Verdict};

use serde::Serialize;

use crate::record::{FailureKind, RunRecords};

/// A verdict needs an interval that covers the true median with at least this
/// probability. Five blocks give 93.75 %, four 87.5 %.
pub const CONFIDENCE_WANTED: f64 = 0.9;

/// Everything that can be said of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Judgement {
    /// The figures, one entry for each cell and metric.
    pub figures: Vec<Figures>,
    /// How connecting grows with the count of PVs.
    pub scaling: Vec<Scaling>,
    /// A verdict for each limit, cell and approach.
    pub verdicts: Vec<Verdict>,
    /// Which approach to take.
    pub advice: Advice,
    /// Workers that failed.
    pub failures: Vec<FailedWorkers>,
}

/// Failures of one approach, of one kind.
#[derive(Debug, Clone, Serialize)]
pub struct FailedWorkers {
    /// The approach.
    pub approach: String,
    /// What kind of failure.
    pub kind: FailureKind,
    /// How many workers failed so.
    pub count: usize,
    /// The cells in which they did, such as `1000 PVs bulk`.
    pub cells: Vec<String>,
    /// The story of the first, several lines perhaps.
    pub first: String,
}

/// Judges a run.
pub fn judge(run: &RunRecords) -> Judgement {
    let figures = figures(run);
    let scaling = scaling(run);
    let verdicts = verdict::verdicts(run, &figures, &scaling);
    let advice = advice::advice(run, &verdicts);
    Judgement { figures, scaling, verdicts, advice, failures: failures(run) }
}

fn failures(run: &RunRecords) -> Vec<FailedWorkers> {
    let mut failures: Vec<FailedWorkers> = Vec::new();
    for record in &run.records {
        let Some(failure) = &record.failure else { continue };
        let known = failures
            .iter_mut()
            .find(|known| known.approach == record.approach && known.kind == failure.kind);
        let cell = format!("{} PVs {}", record.pvs, record.mode);
        match known {
            Some(known) => {
                known.count += 1;
                if !known.cells.contains(&cell) {
                    known.cells.push(cell);
                }
            }
            None => failures.push(FailedWorkers {
                approach: record.approach.clone(),
                kind: failure.kind,
                count: 1,
                cells: vec![cell],
                first: failure.message.clone(),
            }),
        }
    }
    failures
}
