//! What is known of the judge on one machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Calibration, Rate};
use crate::judge::Change;
use crate::record::{Machine, Scenario};

/// How often the judge is wrong on one machine, by metric, as it is kept in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Calibrated {
    /// Version of epics-gauge.
    pub version: String,
    /// The machine.
    pub machine: Machine,
    /// When, UTC, RFC 3339.
    pub date: String,
    /// What was measured.
    #[serde(default)]
    pub scenario: Scenario,
    /// The approach that was compared with itself.
    pub approach: String,
    /// The server.
    pub server: String,
    /// How many PVs each worker connected.
    pub pvs: usize,
    /// Whether each side ran from a folder of its own, as two builds do: a command of the
    /// user's own and a chosen version are not copied. None of older calibrations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sides_apart: Option<bool>,
    /// Each metric by itself, as a comparison of that metric alone.
    pub metrics: Vec<Calibration>,
    /// Whole comparisons that were run, not drawn, of the first metric.
    pub whole: Vec<WholeRuns>,
}

/// Whole comparisons of one slowdown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WholeRuns {
    /// By how much B was slowed on purpose, in words.
    pub label: String,
    /// What each run came to.
    pub outcomes: Vec<Change>,
    /// How long each took, in seconds.
    pub seconds: Vec<f64>,
}

impl WholeRuns {
    /// How often a run came to this.
    pub fn rate(&self, outcome: Change) -> Rate {
        let hits = self.outcomes.iter().filter(|one| **one == outcome).count();
        Rate::new(hits, self.outcomes.len())
    }
}
