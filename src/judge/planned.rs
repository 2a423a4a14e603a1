//! What a gate measures.

use crate::protocol::Protocol;
use crate::record::ApproachFacts;
use crate::scenario::Configuration;

/// A configuration and the approaches that measure it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// What is measured.
    pub configuration: Configuration,
    /// The protocols that its server speaks.
    pub protocols: Vec<Protocol>,
    /// The approaches that are measured; when empty, all that speak a protocol of the
    /// server.
    pub approaches: Vec<String>,
}

impl Planned {
    /// Whether this approach is measured here.
    pub(super) fn takes(&self, facts: &ApproachFacts) -> bool {
        self.protocols.contains(&facts.protocol)
            && (self.approaches.is_empty() || self.approaches.contains(&facts.name))
    }
}
