//! From how many PVs on it matters that an approach connects slower than the fastest.

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use super::figures::Figures;
use crate::metric::Timed;
use crate::stats::Interval;
use crate::worker_protocol::Mode;

/// The delay that an application does not accept: the second of the write-ups.
pub const BUDGET_S: f64 = 1.0;

/// From how many PVs on one approach takes the budget longer than the fastest.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Matters {
    /// The server.
    pub server: String,
    /// The approach.
    pub approach: String,
    /// The approach that connects fastest, the floor apart.
    pub fastest: String,
    /// The count of PVs at which the difference per PV was measured: the most of the run.
    pub measured_pvs: usize,
    /// Seconds per PV over the fastest, within blocks.
    pub over_fastest_s: Interval,
    /// The count of PVs.
    pub crossing: Crossing,
}

/// The count of PVs at which a difference per PV adds up to the budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Crossing {
    /// At no count: the whole interval of the difference is at zero or below.
    Never,
    /// At this count, with the interval that follows from that of the difference.
    From {
        /// By the median of the difference.
        pvs: usize,
        /// By its upper end.
        low: usize,
        /// By its lower end.
        high: usize,
    },
    /// Not below this count, and perhaps never: the interval of the difference holds zero.
    NotBelow(usize),
    /// Nobody knows: there are too few blocks for an interval.
    Undecided,
}

impl Crossing {
    fn of(over_s: &Interval, budget_s: f64) -> Crossing {
        let pvs = |per_pv_s: f64| (budget_s / per_pv_s).ceil() as usize;
        match over_s {
            _ if over_s.confidence < CONFIDENCE_WANTED => Crossing::Undecided,
            _ if over_s.high <= 0.0 => Crossing::Never,
            _ if over_s.low <= 0.0 => Crossing::NotBelow(pvs(over_s.high)),
            _ => Crossing::From {
                pvs: pvs(over_s.median),
                low: pvs(over_s.high),
                high: pvs(over_s.low),
            },
        }
    }
}

/// One entry for each server and each of its approaches but the floor and the fastest, in
/// the order of their rows; none of those that failed.
pub fn matters(figures: &[Figures], budget_s: f64) -> Vec<Matters> {
    let is_connect =
        |one: &&Figures| one.metric == Timed::CONNECT_BULK && one.connected == Mode::Bulk;
    let connects: Vec<&Figures> = figures.iter().filter(is_connect).collect();
    let has_most = |one: &&&Figures| {
        connects.iter().all(|other| other.server != one.server || other.pvs <= one.pvs)
    };
    connects.iter().filter(has_most).flat_map(|one| of_one(one, budget_s)).collect()
}

fn of_one(figures: &Figures, budget_s: f64) -> Vec<Matters> {
    let Some(fastest) = &figures.fastest else { return Vec::new() };
    let others = figures.rows.iter().filter(|row| !row.floor && row.approach != *fastest);
    let matters = others.filter_map(|row| {
        let over_fastest_s = row.over_fastest_s?;
        Some(Matters {
            server: figures.server.clone(),
            approach: row.approach.clone(),
            fastest: fastest.clone(),
            measured_pvs: figures.pvs,
            over_fastest_s,
            crossing: Crossing::of(&over_fastest_s, budget_s),
        })
    });
    matters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(low: f64, median: f64, high: f64) -> Crossing {
        Crossing::of(&Interval { median, low, high, confidence: 0.94, samples: 5 }, 1.0)
    }

    #[test]
    fn the_ends_of_a_difference_become_those_of_the_count() {
        let from = Crossing::From { pvs: 10_000, low: 8_000, high: 12_500 };
        assert_eq!(of(8e-5, 1e-4, 1.25e-4), from);
    }

    #[test]
    fn an_interval_that_holds_zero_reports_neither_never_nor_from() {
        assert_eq!(of(-1e-5, 1e-6, 1e-5), Crossing::NotBelow(100_000));
        assert_eq!(of(-1e-5, -1e-6, 1e-5), Crossing::NotBelow(100_000));
        assert_eq!(of(0.0, 1e-6, 1e-5), Crossing::NotBelow(100_000));
    }

    #[test]
    fn never_needs_the_whole_interval_at_zero_or_below() {
        assert_eq!(of(-3e-5, -2e-5, 0.0), Crossing::Never);
        assert_eq!(of(-3e-5, -2e-5, -1e-5), Crossing::Never);
    }

    #[test]
    fn four_blocks_report_nothing() {
        let few = Interval { median: 1e-4, low: 9e-5, high: 1.1e-4, confidence: 0.875, samples: 4 };
        assert_eq!(Crossing::of(&few, 1.0), Crossing::Undecided);
    }

    #[test]
    fn twice_the_budget_is_used_up_by_twice_the_pvs() {
        let over = Interval { median: 1e-4, low: 1e-4, high: 1e-4, confidence: 0.94, samples: 5 };
        let from = Crossing::From { pvs: 20_000, low: 20_000, high: 20_000 };
        assert_eq!(Crossing::of(&over, 2.0), from);
    }
}
