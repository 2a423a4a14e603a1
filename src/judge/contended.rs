//! Contended machines: where other programs take the cores, losses and memory of monitors show
//! those programs, not the approach.

use super::verdict::{Outcome, Verdict, blocks};
use crate::metric::Metric;
use crate::record::{MachineUse, Record};
use crate::scenario::Configuration;

/// With more idle time than this the scheduler had a free core for every process.
const LEAST_IDLE_PERCENT: f64 = 10.0;

/// A run by itself may use every core. Below this share, other programs took little of what it
/// needed.
const MOST_FOR_OTHERS_PERCENT: f64 = 10.0;

/// Whether other programs used so much CPU that updates may have been lost, or queued in memory,
/// because of that.
pub fn is_contended(machine: &MachineUse) -> bool {
    machine.idle_percent < LEAST_IDLE_PERCENT && machine.others_percent > MOST_FOR_OTHERS_PERCENT
}

/// Withdraws a red verdict on monitors if most of its blocks were contended. Its blocks are the
/// fresh ones if there are any, otherwise the first ones.
pub(super) fn withdraw(verdict: &mut Verdict, measure: Metric, records: &[&Record]) {
    if !verdict.is_worse_than_expected() || verdict.load.is_none() || measure.is_of_failures() {
        return;
    }
    let configuration = verdict.configuration();
    let is_of_verdict = |record: &&&Record| {
        record.approach == verdict.approach
            && Some(Configuration::of(record)) == configuration
            && record.confirms == (verdict.fresh_blocks > 0)
    };
    let used: Vec<&MachineUse> = records
        .iter()
        .filter(is_of_verdict)
        .filter_map(|record| record.monitored.as_ref()?.machine.as_ref())
        .collect();
    let contended: Vec<f64> =
        used.iter().filter(|machine| is_contended(machine)).map(|one| one.others_percent).collect();
    if 2 * contended.len() <= used.len() {
        return;
    }
    let most = contended.iter().copied().fold(0.0, f64::max);
    verdict.outcome = Outcome::Undecided;
    verdict.more_blocks = None;
    verdict.reason = Some(format!(
        "over its limit, but other programs used up to {most:.0} % of all cores' time in {} of {} \
         and left next to none at rest: measure again on a machine with a core to spare",
        contended.len(),
        blocks(used.len(), "")
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_crowded_by_others_that_leave_nothing_at_rest() {
        let contended = |idle_percent, others_percent| {
            is_contended(&MachineUse { idle_percent, others_percent })
        };
        assert!(contended(9.9, 10.1));
        assert!(!contended(10.0, 50.0), "just enough at rest");
        assert!(!contended(0.0, 10.0), "the run itself");
    }
}
