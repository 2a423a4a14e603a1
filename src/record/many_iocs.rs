//! What is recorded of a worker that connects the PVs of many IOCs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Many IOCs. The record's `pvs` are spread evenly over them.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(deny_unknown_fields)]
pub struct ManyIocsShape {
    /// How many IOCs.
    pub iocs: usize,
    /// Whether clients get the PVs in the order of the IOCs; else they are shuffled, so
    /// that the neighbours of a PV do not show where it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_order: bool,
}

/// What connecting to many IOCs took beside time. Memory is resident memory, of
/// processes with their descendants; what processes share counts in each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyIocsUse {
    /// What the client held before it created a PV, and with all connected; none
    /// where it could not be read.
    pub client_bytes: Option<(u64, u64)>,
    /// What all IOCs held together before the client connected, and with it
    /// connected; none where it could not be read.
    pub servers_bytes: Option<(u64, u64)>,
    /// Whether this was the first client of the IOCs. Later ones are served from memory
    /// that the first ones gave back, so only with the first it grows as it must.
    pub is_first_client: bool,
    /// How many searches the client sent.
    pub searches: Option<Searches>,
}

/// Searches that a client sent until all PVs were connected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Searches {
    /// Search messages to all IOCs together, each repeat counted.
    pub sent: f64,
    /// How they were counted.
    pub counted: SearchesCounted,
    /// Datagrams that were not counted, because they came too fast: there were so
    /// many more.
    pub dropped_datagrams: u64,
}

/// How searches were counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SearchesCounted {
    /// By the client itself.
    ByClient,
    /// At one address more, to which the client sent what it sent to each IOC.
    AtAddress,
    /// From the bytes that its circuits carried.
    FromBytes,
}
