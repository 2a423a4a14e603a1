//! Updates that a pvAccess server replaced in the queues of its monitors: pure.
//!
//! pvxs counts them, but shows the count nowhere. It does show the bytes that it sent for
//! each PV, and while only monitors are open these are updates of one size.

use std::collections::BTreeMap;

/// One PV during a monitor run.
pub(super) struct Made {
    pub(super) pv: String,
    /// Updates that the record made.
    pub(super) updates: u64,
}

/// How many updates of `made`, for each of so many `monitors`, were not sent as messages of
/// `update_bytes`. A message with a change of alarm is a little longer, which is less than an
/// update and so counts for nothing as long as it happens once.
pub(super) fn not_sent(
    made: impl Iterator<Item = Made>,
    monitors: usize,
    sent_bytes: &BTreeMap<String, u64>,
    update_bytes: u64,
) -> u64 {
    let of_pv = |made: Made| {
        let sent = sent_bytes.get(&made.pv).copied().unwrap_or(0) / update_bytes;
        (made.updates * monitors as u64).saturating_sub(sent)
    };
    made.map(of_pv).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(updates: u64, monitors: usize, bytes: u64) -> u64 {
        let made = Made { pv: "gauge:0".to_owned(), updates };
        let sent = BTreeMap::from([("gauge:0".to_owned(), bytes), ("gauge:1".to_owned(), 9_999)]);
        not_sent(std::iter::once(made), monitors, &sent, 41)
    }

    #[test]
    fn what_the_bytes_do_not_hold_was_not_sent() {
        assert_eq!([of(10, 1, 410), of(10, 1, 4 * 41), of(10, 2, 5 * 41)], [0, 6, 15]);
        // One of them changed the alarm; and more than was made was sent.
        assert_eq!([of(10, 1, 4 * 41 + 10), of(1, 1, 5 * 41)], [6, 0]);
    }

    #[test]
    fn a_pv_for_which_nothing_was_sent_lost_all() {
        let made = Made { pv: "gauge:7".to_owned(), updates: 3 };
        assert_eq!(not_sent(std::iter::once(made), 1, &BTreeMap::new(), 41), 3);
    }
}
