//! What a search has done.

/// What a search has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SearchStatistics {
    /// Datagrams sent, each to one server.
    pub datagrams: u64,
    /// Searches in those datagrams, end marks included.
    pub searches: u64,
    /// PVs that were put into a datagram once more because no answer came.
    pub resends: u64,
    /// PVs that a server said it does not have, by its answer to an end mark.
    pub misses: u64,
    /// Datagrams found lost because later ones were answered.
    pub overtaken: u64,
    /// Datagrams found lost because their time was over.
    pub timeouts: u64,
    /// Answers for a PV that had been answered before.
    pub duplicates: u64,
    /// The most datagrams that were unanswered at once; one to several servers
    /// counts once.
    pub largest_window: u64,
}
