//! The two protocols of EPICS.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which protocol a client speaks, or a server serves.
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
pub enum Protocol {
    /// Channel Access.
    #[default]
    Ca,
    /// pvAccess.
    Pva,
}

impl Protocol {
    /// The name in files, tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Ca => "ca",
            Protocol::Pva => "pva",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
