//! The names of scenarios.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked of a server and an approach; `crate::scenario` defines each.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Connect, get, get again and put.
    #[default]
    Connect,
    /// A monitor on a camera's frames at a rate.
    Waveform,
    /// Monitors on many scalars at a rate.
    Scalars,
    /// The most scalars that an approach takes without loss, by search.
    Capacity,
    /// Servers against clients: count of PVs x rate x monitors.
    Scale,
    /// Monitors through a stalled client, a restarted IOC and a PV that disappears.
    Disturbed,
    /// A million PVs on a hundred IOCs.
    Fleet,
}

impl Scenario {
    /// All of them, in the order of reports.
    pub const ALL: [Scenario; 7] = [
        Scenario::Connect,
        Scenario::Waveform,
        Scenario::Scalars,
        Scenario::Capacity,
        Scenario::Scale,
        Scenario::Disturbed,
        Scenario::Fleet,
    ];

    /// The name in files, tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Scenario::Connect => "connect",
            Scenario::Waveform => "waveform",
            Scenario::Scalars => "scalars",
            Scenario::Capacity => "capacity",
            Scenario::Scale => "scale",
            Scenario::Disturbed => "disturbed",
            Scenario::Fleet => "fleet",
        }
    }

    /// The names of all scenarios, in the order of reports.
    pub fn names() -> Vec<&'static str> {
        Scenario::ALL.iter().map(|scenario| scenario.name()).collect()
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no scenario of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scenario `{0}`; there are: {all}", all = Scenario::names().join(", "))]
pub struct UnknownScenario(pub String);

impl FromStr for Scenario {
    type Err = UnknownScenario;

    fn from_str(text: &str) -> Result<Scenario, UnknownScenario> {
        let is_meant = |scenario: &Scenario| scenario.name() == text;
        Scenario::ALL.into_iter().find(is_meant).ok_or_else(|| UnknownScenario(text.to_owned()))
    }
}
