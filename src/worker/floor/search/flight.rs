//! A datagram on its way.

use std::time::Duration;

use crate::worker::floor::guide::Whom;

/// A datagram that was sent, or a free place for one.
#[derive(Debug)]
pub(super) struct Flight {
    /// Empty in a free place.
    pub(super) pvs: Vec<u32>,
    /// Who was asked.
    pub(super) whom: Whom,
    /// How many of its PVs are not answered.
    pub(super) unanswered: usize,
    /// Something in it was answered.
    pub(super) has_arrived: bool,
    /// The number under which its last search is answered, if that is an end mark.
    pub(super) end_mark: Option<u32>,
    /// Its number among all datagrams.
    pub(super) sequence: u64,
    /// When it was sent.
    pub(super) sent_at: Duration,
    /// When it counts as lost.
    pub(super) deadline: Duration,
    /// It is aside of the window.
    pub(super) is_doubtful: bool,
    /// None of its PVs was sent before, so its answer times a round trip.
    pub(super) is_first: bool,
}

impl Flight {
    /// Whether it is on its way.
    pub(super) fn is_used(&self) -> bool {
        !self.pvs.is_empty()
    }
}

impl Default for Flight {
    fn default() -> Flight {
        Flight {
            pvs: Vec::new(),
            whom: Whom::Everyone,
            unanswered: 0,
            has_arrived: false,
            end_mark: None,
            sequence: 0,
            sent_at: Duration::ZERO,
            deadline: Duration::ZERO,
            is_doubtful: false,
            is_first: false,
        }
    }
}
