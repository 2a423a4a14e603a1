//! What a search has done.

/// What a search has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::worker) struct SearchStatistics {
    /// Datagrams sent, each to one server.
    pub(in crate::worker) datagrams: u64,
    /// Searches in those datagrams, end marks included.
    pub(in crate::worker) searches: u64,
    /// PVs that were put into a datagram once more because no answer came.
    pub(in crate::worker) resends: u64,
    /// PVs that a server reported missing, by its answer to an end mark.
    pub(in crate::worker) misses: u64,
    /// Datagrams found lost because later ones were answered.
    pub(in crate::worker) overtaken: u64,
    /// Datagrams found lost because their time was over.
    pub(in crate::worker) timeouts: u64,
    /// Answers for a PV that had been answered before.
    pub(in crate::worker) duplicates: u64,
    /// The most datagrams that were unanswered at once; one to several servers
    /// counts once.
    pub(in crate::worker) largest_window: u64,
}
