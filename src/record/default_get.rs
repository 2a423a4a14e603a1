//! What the harness saw of a library's ordinary get, without asking the library.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The least that asks a server for a value: the header of a message of Channel Access, 16
/// bytes. A request of pvAccess takes 17.
const LEAST_REQUEST_BYTES: u64 = 16;

/// What an ordinary get asked the server for, and whether it answered from a cache.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DefaultGet {
    /// Values that the server no longer held when they were asked for: all values had
    /// changed before.
    pub outdated: usize,
    /// How long the server had held another value when the oldest of them was returned;
    /// 0 without any.
    pub oldest_ns: u64,
    /// Bytes that the client sent over TCP, from before the change of the values to the end
    /// of the stage; none where the system does not report it.
    #[serde(default)]
    pub sent_bytes: Option<u64>,
    /// Bytes that it received meanwhile: updates of monitors are among them.
    #[serde(default)]
    pub received_bytes: Option<u64>,
    /// Subscriptions to the PVs read that the server has after the stage; none where it
    /// does not count.
    #[serde(default)]
    pub monitors: Option<u64>,
}

impl DefaultGet {
    /// How many of the values of `pvs` PVs came from a cache: those that were outdated, or
    /// that the client cannot have asked for, because it sent too little for that.
    pub fn from_cache(&self, pvs: usize) -> usize {
        let asked = self.sent_bytes.map_or(u64::MAX, |bytes| bytes / LEAST_REQUEST_BYTES);
        let unasked = pvs.saturating_sub(usize::try_from(asked).unwrap_or(usize::MAX));
        self.outdated.max(unasked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_from_a_cache_when_it_is_outdated_or_cannot_have_been_asked_for() {
        let of = |outdated, sent_bytes| DefaultGet { outdated, sent_bytes, ..Default::default() };
        assert_eq!(of(0, Some(1600)).from_cache(100), 0);
        assert_eq!(of(0, Some(0)).from_cache(100), 100);
        assert_eq!(of(0, Some(32)).from_cache(100), 98);
        assert_eq!(of(7, Some(1600)).from_cache(100), 7);
        // Without a count of bytes only old values show it.
        assert_eq!((of(0, None).from_cache(100), of(7, None).from_cache(100)), (0, 7));
    }
}
