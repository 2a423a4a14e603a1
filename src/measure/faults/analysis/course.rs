//! What happened to the server, and when, as far as a worker could see it.

use crate::scenario::PROCESSED_FACTOR;

/// A stopped server may still send what it had begun.
const STOPPING_NS: u64 = 50_000_000;

/// So many periods an update may be old when it arrives as the newest.
const NEWEST_WITHIN: f64 = 2.0;

pub(super) const SECOND_NS: f64 = 1e9;

/// What happened.
#[derive(Debug, Clone, Default)]
pub(in crate::measure::faults) struct Course {
    pub(in crate::measure::faults) pvs: usize,
    /// The PV that does not come back.
    pub(in crate::measure::faults) missing: Option<usize>,
    pub(in crate::measure::faults) rate_hz: f64,
    pub(in crate::measure::faults) start_ns: u64,
    pub(in crate::measure::faults) end_ns: u64,
    pub(in crate::measure::faults) absences: Vec<Absence>,
    pub(in crate::measure::faults) instances: Vec<Instance>,
    pub(in crate::measure::faults) get_timeout_s: f64,
}

/// A time in which the server could not answer.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::measure::faults) struct Absence {
    pub(in crate::measure::faults) from_ns: u64,
    /// From here on it may have answered.
    pub(in crate::measure::faults) until_ns: u64,
    /// From here on it certainly did.
    pub(in crate::measure::faults) served_ns: u64,
    /// Whether its circuits were closed, which clients notice at once.
    pub(in crate::measure::faults) is_kill: bool,
}

/// One life of the server.
#[derive(Debug, Clone, Default)]
pub(in crate::measure::faults) struct Instance {
    /// What arrived earlier is of the one before.
    pub(in crate::measure::faults) from_ns: u64,
    /// The number of each PV's last update.
    pub(in crate::measure::faults) last: Vec<u64>,
    /// When the updates stopped.
    pub(in crate::measure::faults) scanned_until_ns: u64,
}

/// One update of a PV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Update {
    pub(super) at_ns: u64,
    pub(super) instance: usize,
    /// None of a value that no PV of this name ever has.
    pub(super) number: Option<u64>,
}

/// The number of the update with this value. A record that was never processed holds 0
/// whatever its index.
pub(super) fn number_of(pv: usize, value: f64) -> Option<u64> {
    let number = ((value - pv as f64) / PROCESSED_FACTOR).round();
    let is_exact = value == 0.0 || number * PROCESSED_FACTOR + pv as f64 == value;
    (is_exact && number >= 0.0).then_some(number as u64)
}

impl Course {
    pub(super) fn instance_at(&self, at_ns: u64) -> usize {
        self.instances.iter().rposition(|instance| instance.from_ns <= at_ns).unwrap_or(0)
    }

    pub(super) fn seconds(&self, at_ns: u64) -> f64 {
        (at_ns as f64 - self.start_ns as f64) / SECOND_NS
    }

    /// The absence within which `at_ns` lies: certainly no answer was made then.
    pub(super) fn absence_at(&self, at_ns: u64) -> Option<&Absence> {
        self.absences
            .iter()
            .find(|absence| (absence.from_ns + STOPPING_NS..absence.until_ns).contains(&at_ns))
    }

    /// The PVs that are to come back.
    pub(super) fn wanted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.pvs).filter(|pv| Some(*pv) != self.missing)
    }

    /// Whether an update of the last instance was the newest when it arrived: the server
    /// makes them at its rate up to the last.
    pub(super) fn is_newest(&self, pv: usize, update: &Update) -> bool {
        let Some((at, last)) = self.instances.len().checked_sub(1).zip(self.instances.last())
        else {
            return false;
        };
        let (Some(number), Some(last_number)) = (update.number, last.last.get(pv)) else {
            return false;
        };
        let before_end_s =
            (last.scanned_until_ns as f64 - update.at_ns as f64).max(0.0) / SECOND_NS;
        let made = *last_number as f64 - (before_end_s * self.rate_hz).ceil();
        update.instance == at && number as f64 + NEWEST_WITHIN >= made
    }
}
