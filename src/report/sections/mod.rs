//! Sections of reports: which tables, sentences and figures there are, in which order.

mod calibration;
mod comment;
mod comparison;
mod history;
mod run;

pub(super) use comment::comment;

use super::document::{Detail, Document};
use super::subject::Subject;

/// The report before it has a format.
pub(super) fn document(subject: &Subject<'_>, detail: Detail) -> Document {
    match *subject {
        Subject::Run { run, judgement, known, budget_s } => {
            run::document(run, judgement, known, budget_s, detail)
        }
        Subject::Comparison { judgement, known, .. } => {
            comparison::document(judgement, known, detail)
        }
        Subject::Calibration(calibrated) => calibration::document(calibrated),
        Subject::History(history) => history::document(history),
    }
}
