//! The values that PVs had while a worker ran: no I/O, no clock.

use std::time::Duration;

/// The present and past values of some PVs.
#[derive(Debug, Default)]
pub(super) struct Past {
    present: Vec<f64>,
    /// The oldest first, each with the time when it was replaced.
    before: Vec<(Vec<f64>, Duration)>,
}

/// Whether and when a PV had a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The PV has it now.
    Present,
    /// The PV had it, last until this time.
    Outdated(Duration),
    /// The PV never had it.
    Never,
}

impl Past {
    /// The PVs have `values` from `at` on, always in the same order.
    pub(super) fn becomes(&mut self, values: Vec<f64>, at: Duration) {
        let replaced = std::mem::replace(&mut self.present, values);
        if !replaced.is_empty() {
            self.before.push((replaced, at));
        }
    }

    /// The present value of the PV at `position`.
    pub(super) fn present(&self, position: usize) -> Option<f64> {
        self.present.get(position).copied()
    }

    /// Whether and when the PV at `position` had this value.
    pub(super) fn origin(&self, position: usize, value: f64) -> Origin {
        if self.present(position) == Some(value) {
            return Origin::Present;
        }
        let held =
            self.before.iter().rev().find(|(values, _)| values.get(position) == Some(&value));
        held.map_or(Origin::Never, |(_, replaced)| Origin::Outdated(*replaced))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_value_is_the_present_one_an_older_one_or_was_never_there() {
        let mut past = Past::default();
        assert_eq!(past.origin(0, 1.0), Origin::Never);
        past.becomes(vec![1.0, 2.0], second(1));
        past.becomes(vec![3.0, 4.0], second(5));
        past.becomes(vec![5.0, 6.0], second(9));
        assert_eq!(past.origin(1, 6.0), Origin::Present);
        assert_eq!(past.origin(1, 4.0), Origin::Outdated(second(9)));
        assert_eq!(past.origin(0, 1.0), Origin::Outdated(second(5)));
        // That of another PV.
        assert_eq!(past.origin(0, 4.0), Origin::Never);
    }

    #[test]
    fn a_value_that_came_back_is_as_old_as_its_last_end() {
        let mut past = Past::default();
        for (value, at) in [(1.0, 1), (2.0, 2), (1.0, 3), (3.0, 4)] {
            past.becomes(vec![value], second(at));
        }
        assert_eq!(past.origin(0, 1.0), Origin::Outdated(second(4)));
    }
}
