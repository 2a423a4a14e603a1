//! Which approaches failed: no other approach is compared with them.

use std::collections::BTreeSet;

use crate::metric::{has_failed, is_wrong};
use crate::record::{Record, Scenario};
use crate::worker_protocol::Mode;

/// The approaches of a run that are no reference: not the floor of others, not the
/// fastest, and not worth choosing.
///
/// One that brought a wrong value anywhere cannot be trusted with any figure. One that
/// failed in another way has no figure where it failed.
#[derive(Debug, Clone, Default)]
pub(super) struct FailedApproaches {
    wrong: BTreeSet<String>,
    failed: BTreeSet<(Scenario, String, usize, Mode, String)>,
}

impl FailedApproaches {
    /// Those of all records, of fresh blocks too.
    pub(super) fn of(records: &[Record]) -> FailedApproaches {
        let mut all = FailedApproaches::default();
        for record in records {
            if is_wrong(record) {
                all.wrong.insert(record.approach.clone());
            } else if has_failed(record) {
                all.failed.insert(place(record));
            }
        }
        all
    }

    /// Whether the approach of this record failed where the record was made, or brought a
    /// wrong value anywhere.
    pub(super) fn holds(&self, record: &Record) -> bool {
        self.is_wrong(&record.approach) || self.failed.contains(&place(record))
    }

    /// Whether the approach brought a wrong value.
    fn is_wrong(&self, approach: &str) -> bool {
        self.wrong.contains(approach)
    }
}

fn place(record: &Record) -> (Scenario, String, usize, Mode, String) {
    let Record { scenario, server, pvs, mode, approach, .. } = record;
    (*scenario, server.clone(), *pvs, *mode, approach.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Failure, FailureKind};

    fn record(approach: &str, pvs: usize, kind: Option<FailureKind>) -> Record {
        let failure = kind.map(|kind| Failure { kind, stage: None, message: String::new() });
        Record { approach: approach.to_owned(), pvs, failure, ..Record::default() }
    }

    #[test]
    fn a_wrong_value_counts_everywhere_and_a_crash_where_it_was() {
        let records = [
            record("liar", 10, Some(FailureKind::WrongValue)),
            record("crashing", 10, Some(FailureKind::Crashed)),
            record("unable", 10, Some(FailureKind::Unable)),
        ];
        let failed = FailedApproaches::of(&records);
        let holds = |approach, pvs| failed.holds(&record(approach, pvs, None));
        assert!(holds("liar", 10) && holds("liar", 1000));
        assert!(holds("crashing", 10) && !holds("crashing", 1000));
        assert!(!holds("unable", 10) && !holds("honest", 10));
    }
}
