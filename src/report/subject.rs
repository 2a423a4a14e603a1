//! What a report is of.

use crate::judge::compared::ComparisonJudgement;
use crate::judge::history::History;
use crate::judge::{Calibrated, Judgement};
use crate::record::RunRecords;

/// What a report is of. `known` is how often the judge is wrong on the machine of the run.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A run that was held to limits.
    Run {
        /// Its records.
        run: &'a RunRecords,
        /// What the judge concludes from them.
        judgement: &'a Judgement,
        /// By approach; empty when it was never measured.
        known: &'a [Calibrated],
        /// The delay, in seconds, that an application does not accept while it connects.
        budget_s: f64,
    },
    /// A comparison of two sides.
    Comparison {
        /// Its records.
        run: &'a RunRecords,
        /// What the judge concludes from them.
        judgement: &'a ComparisonJudgement,
        /// By approach; empty when it was never measured.
        known: &'a [Calibrated],
    },
    /// How often the judge is wrong on one machine.
    Calibration(&'a Calibrated),
    /// Several runs, in the order of time.
    History(&'a History),
}
