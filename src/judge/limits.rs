//! The limits, each derived from what users bear.

use serde::Serialize;

use super::Metric;
use crate::protocol::{Content, Mode, Stage};

/// What a high-level application does, and what delay its users bear.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Budget {
    /// PVs that it connects.
    pub pvs: usize,
    /// The part of them that it reads.
    pub read_fraction: f64,
    /// The delay that is not acceptable any more, in all.
    pub delay_s: f64,
}

/// The write-ups' budget: 10 000 PVs, 1 % of them read, one second.
pub const BUDGET: Budget = Budget { pvs: 10_000, read_fraction: 0.01, delay_s: 1.0 };

impl Budget {
    /// What connecting may cost more per PV: 1 s / 10 000 = 1e-4 s.
    pub fn connect_s_per_pv(&self) -> f64 {
        self.delay_s / self.pvs as f64
    }

    /// What a get may cost more: 1 s / (10 000 x 1 %) = 1e-2 s.
    pub fn get_s_per_pv(&self) -> f64 {
        self.delay_s / (self.pvs as f64 * self.read_fraction)
    }
}

/// What a limit is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Relative {
    /// By itself.
    Nothing,
    /// Over the least work that the protocol allows.
    Floor,
    /// Over the fastest approach of the same run.
    Fastest,
}

impl Relative {
    /// The words in tables.
    pub fn name(self) -> &'static str {
        match self {
            Relative::Nothing => "by itself",
            Relative::Floor => "over the floor",
            Relative::Fastest => "over the fastest",
        }
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A figure of each cell with at least this many PVs.
    Figure(Metric, usize),
    /// The slope of connect over the count of PVs, in runs that reach this many.
    ConnectSlope(usize),
}

/// The most that a figure may be over something.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    /// What is limited.
    pub measure: Measure,
    /// The most, from the budget.
    pub per_pv: fn(&Budget) -> f64,
    /// How the most is derived, for reports.
    pub derivation: &'static str,
}

const CONNECT_DERIVATION: &str = "1 s / 10 000 PVs";
const GET_DERIVATION: &str = "1 s / (10 000 PVs x 1 % read)";

const fn get_limit(stage: Stage, mode: Mode) -> Limit {
    Limit {
        measure: Measure::Figure(Metric { stage, mode }, 1),
        per_pv: Budget::get_s_per_pv,
        derivation: GET_DERIVATION,
    }
}

/// All limits; each holds both over the floor and over the fastest.
///
/// Connecting is judged where the budget is, at 10 000 PVs, and by its slope:
/// with few PVs libca's first search timer (up to 32 ms, whatever the library)
/// outweighs everything else.
pub const LIMITS: [Limit; 6] = [
    Limit {
        measure: Measure::Figure(Metric { stage: Stage::Connect, mode: Mode::Bulk }, 10_000),
        per_pv: Budget::connect_s_per_pv,
        derivation: CONNECT_DERIVATION,
    },
    Limit {
        measure: Measure::ConnectSlope(1_000),
        per_pv: Budget::connect_s_per_pv,
        derivation: CONNECT_DERIVATION,
    },
    get_limit(Stage::Get, Mode::Serial),
    get_limit(Stage::GetAgain, Mode::Serial),
    get_limit(Stage::Get, Mode::Bulk),
    get_limit(Stage::GetAgain, Mode::Bulk),
];

/// The most that memory may grow while monitors watch: 1 MB per minute is
/// 1.4 GB a day, which an application that runs for a day may notice.
pub const LEAK_BYTES_PER_MINUTE: f64 = 1e6;

/// How [`LEAK_BYTES_PER_MINUTE`] is derived.
pub const LEAK_DERIVATION: &str = "1.4 GB a day";

/// The most PVs that may stay away after a disturbance.
pub const PVS_LEFT_BEHIND: f64 = 0.0;

/// Shorter watches often cannot tell a leak from memory that settles; where they
/// cannot, nothing is said.
pub const LEAK_WATCH_S: f64 = 30.0;

/// Approaches known to break a limit of connecting, with the reason.
const EXPECTED_OVER_IN_CONNECT: [(&str, &str); 2] = [
    ("pyepics", "each PV object does its own bookkeeping in Python callbacks while connecting"),
    (
        "caproto",
        "it parses in Python, loses search replies at its socket and retries seconds later",
    ),
];

/// Approaches known to leak frames, with the reason. Read in the library's source
/// of version 3.3.3 (`getfunctions.hh`), and seen: the memory grows by the bytes
/// of every frame.
const EXPECTED_TO_LEAK_FRAMES: [(&str, &str); 2] = [
    ("pyca", "it takes two references to each numpy array and releases one: no frame is freed"),
    ("psp", "pyca below it takes two references to each numpy array and releases one"),
];

/// Why this approach is expected to leak; none when it is not, as with scalars.
pub fn expected_leak(approach: &str, content: Content) -> Option<&'static str> {
    EXPECTED_TO_LEAK_FRAMES
        .iter()
        .find(|(name, _)| content == Content::Frames && *name == approach)
        .map(|(_, reason)| *reason)
}

/// Why this approach is expected to be over this limit; none when it is
/// expected to be within.
pub fn expectation(approach: &str, measure: Measure) -> Option<&'static str> {
    let connects = match measure {
        Measure::ConnectSlope(_) => true,
        Measure::Figure(metric, _) => metric.stage == Stage::Connect,
    };
    EXPECTED_OVER_IN_CONNECT
        .iter()
        .find(|(name, _)| connects && *name == approach)
        .map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_gives_the_thresholds_of_the_write_ups() {
        assert_eq!(BUDGET.connect_s_per_pv(), 1e-4);
        assert_eq!(BUDGET.get_s_per_pv(), 1e-2);
    }
}
