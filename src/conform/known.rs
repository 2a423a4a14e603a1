//! Failures of releases that are known, with their reasons.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::check::CheckError;
use super::matrix::Field;
use super::sources::KNOWN;

/// The known failures.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    #[serde(default)]
    known: Vec<KnownFailure>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownFailure {
    /// The checks.
    checks: Vec<String>,
    /// The approaches, without versions; all when absent: then the server is at fault.
    #[serde(default)]
    approaches: Vec<String>,
    /// The servers, without versions; all when absent.
    #[serde(default)]
    servers: Vec<String>,
    /// Releases that it was seen with, by package; any release when absent.
    #[serde(default)]
    versions: BTreeMap<String, Vec<String>>,
    /// Why it fails, with the upstream report where there is one.
    reason: String,
}

impl Known {
    /// Those of this build.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub fn built_in() -> Result<Known, CheckError> {
        toml::from_str(KNOWN).map_err(|error| CheckError {
            file: "known.toml".to_owned(),
            reason: error.to_string(),
        })
    }

    /// Writes into a field why its failure is no news.
    pub(super) fn note(
        &self,
        check: &str,
        approach: &str,
        server: &str,
        versions: &BTreeMap<String, String>,
        field: &mut Field,
    ) {
        let without_version = |name: &str| name.split('@').next().unwrap_or(name).to_owned();
        let (approach, server) = (without_version(approach), without_version(server));
        let is_meant = |known: &&KnownFailure| {
            known.checks.iter().any(|one| one == check)
                && (known.approaches.is_empty() || known.approaches.contains(&approach))
                && (known.servers.is_empty() || known.servers.contains(&server))
                && known.versions.iter().all(|(package, releases)| {
                    versions.get(package).is_some_and(|version| releases.contains(version))
                })
        };
        field.known = self.known.iter().find(is_meant).map(|known| known.reason.clone());
    }

    /// The names that it has of checks and approaches.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = (&String, &String)> {
        self.known.iter().flat_map(|known| {
            known
                .checks
                .iter()
                .flat_map(|check| known.approaches.iter().map(move |approach| (check, approach)))
        })
    }
}
