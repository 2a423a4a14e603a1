//! Which commit was measured.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many characters of a commit are shown.
const SHOWN: usize = 10;

/// The commit that was measured, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Revision {
    /// The commit: a hash of git, or how another system names it.
    pub commit: String,
    /// The branch; none when it is not known, or when HEAD was detached.
    #[serde(default)]
    pub branch: Option<String>,
    /// Whether files that git tracks had changes that the commit does not have; none when
    /// that is not known.
    #[serde(default)]
    pub dirty: Option<bool>,
}

impl Revision {
    /// The beginning of the commit, with a `+` when the work tree had other changes.
    pub fn short(&self) -> String {
        let beginning: String = self.commit.chars().take(SHOWN).collect();
        beginning + if self.dirty == Some(true) { "+" } else { "" }
    }
}

/// `0123456789 of main`, with a word on changes that no commit has.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.commit)?;
        if let Some(branch) = &self.branch {
            write!(f, " of {branch}")?;
        }
        match self.dirty {
            Some(true) => write!(f, ", with changes that are not committed"),
            _ => Ok(()),
        }
    }
}
