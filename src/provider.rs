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
pub enum Provider {
    /// Channel Access.
    #[default]
    Ca,
    /// pvAccess.
    Pva,
}

impl Provider {
    /// The name in files, tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Provider::Ca => "ca",
            Provider::Pva => "pva",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
