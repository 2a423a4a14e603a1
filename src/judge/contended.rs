//! Machines that others kept busy: what monitors show there tells of them, not of the
//! approach.

use super::verdict::{Outcome, Verdict, blocks};
use crate::metric::Metric;
use crate::record::{MachineUse, Record};
use crate::scenario::Configuration;

/// With more time than this at rest the scheduler had a core for whoever asked for one.
const LEAST_IDLE_PERCENT: f64 = 10.0;

/// A run alone may keep every core busy itself; below this share nobody took much of
/// what it needed.
const MOST_FOR_OTHERS_PERCENT: f64 = 10.0;

/// Whether others kept the machine so busy that updates may have been lost for that, or
/// piled up in memory.
pub fn is_contended(machine: &MachineUse) -> bool {
    machine.idle_percent < LEAST_IDLE_PERCENT && machine.others_percent > MOST_FOR_OTHERS_PERCENT
}

/// Takes back what would be red in a configuration with monitors when most of the blocks that say
/// so were contended: then nobody knows. Those are the fresh blocks where any confirmed it,
/// else the first ones alone.
pub(super) fn withdraw(verdict: &mut Verdict, measure: Metric, records: &[&Record]) {
    if !verdict.is_worse_than_expected() || verdict.load.is_none() || measure.is_of_failures() {
        return;
    }
    let cell = verdict.configuration();
    let is_of_verdict = |record: &&&Record| {
        record.approach == verdict.approach
            && Some(Configuration::of(record)) == cell
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
