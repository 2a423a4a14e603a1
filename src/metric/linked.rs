//! What a link saw: packets that it lost, and searches.

use super::Metric;
use crate::record::{LinkUse, Record};

/// What was seen at the link while a worker ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AtLink {
    /// Searches for each PV.
    SearchesPerPv,
    /// Searches for each PV beyond the first.
    RepeatsPerPv,
    /// Searches for the PV that was searched most often.
    MostOfOne,
    /// When the first search came.
    FirstSearch,
    /// When the last search came.
    LastSearch,
    /// Packets that were lost, both ways.
    PacketsLost,
}

impl AtLink {
    /// All, in the order of reports.
    pub const ALL: [AtLink; 6] = [
        AtLink::SearchesPerPv,
        AtLink::RepeatsPerPv,
        AtLink::MostOfOne,
        AtLink::FirstSearch,
        AtLink::LastSearch,
        AtLink::PacketsLost,
    ];

    /// The words in names of figures.
    pub fn name(self) -> &'static str {
        match self {
            AtLink::SearchesPerPv => "link searches per PV",
            AtLink::RepeatsPerPv => "link repeated searches per PV",
            AtLink::MostOfOne => "link searches of one PV",
            AtLink::FirstSearch => "link first search",
            AtLink::LastSearch => "link last search",
            AtLink::PacketsLost => "link packets lost",
        }
    }

    /// What it is, in one sentence.
    pub(super) fn about(self) -> &'static str {
        match self {
            AtLink::SearchesPerPv => "searches over UDP as they came to the link, repeats counted",
            AtLink::RepeatsPerPv => "of those, searches for a name that was searched before",
            AtLink::MostOfOne => "searches for the name that was searched most often",
            AtLink::FirstSearch => "from the start of create to the first search",
            AtLink::LastSearch => "from the start of create to the last search",
            AtLink::PacketsLost => {
                "packets that the link lost both ways, by chance or in a full queue"
            }
        }
    }

    fn of_use(self, link: &LinkUse, pvs: usize) -> Option<f64> {
        let searches = &link.searches;
        let per_pv = |count: u64| Some(count as f64 / pvs.max(1) as f64);
        let lost = [link.to_server, link.to_client].map(|way| way.lost + way.overflowed);
        match self {
            AtLink::SearchesPerPv => per_pv(searches.sent),
            AtLink::RepeatsPerPv => per_pv(searches.repeated()),
            AtLink::MostOfOne => Some(searches.most_of_one as f64),
            AtLink::FirstSearch => searches.first_s,
            AtLink::LastSearch => searches.last_s,
            AtLink::PacketsLost => Some(lost.iter().sum::<u64>() as f64),
        }
    }
}

/// The figure of one worker.
pub(super) fn of(metric: Metric, record: &Record) -> Option<f64> {
    let Metric::AtLink(seen) = metric else { return None };
    seen.of_use(record.link.as_deref()?, record.pvs)
}
