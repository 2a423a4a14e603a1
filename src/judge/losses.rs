//! How updates fared, and where the lost ones were lost, by what is known.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::protocol::Protocol;
use crate::record::{Load, ServerCounters};
use crate::scenario::least_update_bytes;

/// How updates fared.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct UpdateCounts {
    /// Made by the server, the first of each PV included.
    pub expected: u64,
    /// Arrived.
    pub received: u64,
    /// Frames that arrived once more right after themselves.
    pub repeated: u64,
    /// Did not arrive.
    pub lost: u64,
    /// Of those, made after the last that arrived.
    pub late: u64,
    /// What the server counted.
    pub server: ServerCounters,
    /// What the library counted, by its own names.
    pub library: BTreeMap<String, u64>,
}

/// The lost updates of an approach, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LossCauses {
    /// The server replaced them in its queues: the client did not read in time.
    pub replaced_at_server: u64,
    /// The client's library counted them as dropped.
    pub counted_by_library: u64,
    /// They had not arrived when the time was over.
    pub late: u64,
    /// Their bytes arrived at the client's process, which lost them.
    pub lost_in_client: u64,
    /// Frames that the server did not send: an array that waits in a queue takes the place
    /// of those after it, which Base does not count.
    pub not_sent: u64,
    /// Neither a count nor the bytes explain them.
    pub unexplained: u64,
}

/// What is known of the lost updates: counts of server and library first, then the bytes
/// that arrived beyond those of the updates that did.
pub(super) fn causes(
    updates: &UpdateCounts,
    (protocol, load): (Protocol, &Load),
    received_bytes: Option<u64>,
    least_bytes: Option<u64>,
) -> LossCauses {
    let mut left = updates.lost;
    let mut take = |most: u64| {
        let taken = most.min(left);
        left -= taken;
        taken
    };
    let replaced_at_server = take(updates.server.merged());
    let counted_by_library = take(updates.library.values().sum());
    let late = take(updates.late);
    // Bytes of the client's circuits are known, so what came beside the updates that
    // arrived is room for those that it lost itself.
    let spare = received_bytes.zip(least_bytes).map(|(all, least)| all.saturating_sub(least));
    let lost_in_client =
        take(spare.map_or(0, |spare| spare / least_update_bytes(protocol, load.pixels)));
    let may_queue_once = load.pixels.is_some();
    let not_sent = take(if may_queue_once { u64::MAX } else { 0 });
    LossCauses {
        replaced_at_server,
        counted_by_library,
        late,
        lost_in_client,
        not_sent,
        unexplained: left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Pixels;

    fn load(pixels: Option<Pixels>) -> Load {
        let mut load: Load = serde_json::from_str(r#"{"rate_hz":10.0,"seconds":1.0}"#).unwrap();
        load.pixels = pixels;
        load
    }

    fn lost(lost: u64, merged: u64) -> UpdateCounts {
        let server = ServerCounters { merged_updates: Some(merged), ..ServerCounters::default() };
        UpdateCounts { lost, server, ..UpdateCounts::default() }
    }

    #[test]
    fn a_client_that_received_the_bytes_lost_the_updates_itself() {
        let causes =
            causes(&lost(490, 0), (Protocol::Ca, &load(None)), Some(1_019_700), Some(1_000_000));
        assert_eq!((causes.lost_in_client, causes.not_sent, causes.unexplained), (490, 0, 0));
    }

    #[test]
    fn no_array_explains_the_loss_of_scalars() {
        let causes =
            causes(&lost(490, 90), (Protocol::Ca, &load(None)), Some(1_000_000), Some(1_000_000));
        assert_eq!((causes.replaced_at_server, causes.not_sent, causes.unexplained), (90, 0, 400));
    }

    #[test]
    fn frames_whose_bytes_did_not_come_were_not_sent() {
        let frames = load(Some(Pixels { width: 680, height: 480 }));
        let causes =
            causes(&lost(3, 0), (Protocol::Ca, &frames), Some(653_000_000), Some(653_000_000));
        assert_eq!((causes.lost_in_client, causes.not_sent), (0, 3));
    }

    #[test]
    fn no_update_is_counted_twice() {
        let counts = UpdateCounts { late: 9, ..lost(10, 8) };
        let causes = causes(&counts, (Protocol::Ca, &load(None)), None, None);
        assert_eq!((causes.replaced_at_server, causes.late, causes.unexplained), (8, 2, 0));
    }
}
