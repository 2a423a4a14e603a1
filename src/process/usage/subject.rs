//! One subject of the sampler: a process, and the one that replaces it.

use super::{NetworkSample, SubjectUsage, Tree, UsageSample, clock};
use crate::process::network::{Listing, NetworkCounter};

/// What a sample takes in. The more, the more it costs.
pub(super) enum Extent<'a> {
    /// CPU time and memory of the known processes.
    Little,
    /// New descendants, peak memory and known connections too; the machine's
    /// connections are listed when there are unknown ones.
    Look(&'a mut Listing),
    /// All, nothing taken as known.
    Everything(&'a mut Listing),
}

/// One look at a process and its descendants.
pub(super) struct Reading {
    pub(super) cpu_ns: u64,
    pub(super) rss_bytes: u64,
}

pub(super) struct Subject {
    /// None once it has ended.
    tree: Option<Tree>,
    network: NetworkCounter,
    /// CPU time of the processes that were replaced.
    replaced_cpu_ns: u64,
    usage: SubjectUsage,
}

impl Subject {
    pub(super) fn new(label: String, tree: Result<Tree, String>) -> Subject {
        let usage = SubjectUsage {
            label,
            samples: Vec::new(),
            peak_rss_bytes: None,
            network: Vec::new(),
            network_missing: None,
            ended: None,
        };
        let network = NetworkCounter::new();
        let mut subject = Subject { tree: None, network, replaced_cpu_ns: 0, usage };
        subject.follow(tree);
        subject
    }

    pub(super) fn replace(&mut self, tree: Result<Tree, String>) {
        let mut listing = Listing::default();
        self.sample(Extent::Everything(&mut listing));
        self.replaced_cpu_ns = self.last_cpu_ns();
        self.follow(tree);
        self.sample(Extent::Everything(&mut listing));
    }

    pub(super) fn sample(&mut self, extent: Extent<'_>) {
        let Some(tree) = &mut self.tree else { return };
        if !matches!(extent, Extent::Little) {
            tree.look();
        }
        let at_ns = clock::monotonic_ns();
        let Some(reading) = tree.read() else {
            self.usage.ended = Some(format!("process {} ended", tree.pid()));
            self.tree = None;
            return;
        };
        let peak = tree.peak_rss_bytes();
        self.usage.peak_rss_bytes = self.usage.peak_rss_bytes.max(peak);
        let cpu_ns = self.replaced_cpu_ns + reading.cpu_ns;
        self.usage.samples.push(UsageSample {
            at_ns,
            // A child that ends is known to a hundredth of a second only.
            cpu_ns: cpu_ns.max(self.last_cpu_ns()),
            rss_bytes: reading.rss_bytes,
        });
        match extent {
            Extent::Little => {}
            Extent::Look(listing) => self.count_network(listing, false),
            Extent::Everything(listing) => self.count_network(listing, true),
        }
    }

    pub(super) fn into_usage(self) -> SubjectUsage {
        self.usage
    }

    fn follow(&mut self, tree: Result<Tree, String>) {
        match tree {
            Ok(tree) => {
                self.tree = Some(tree);
                self.usage.ended = None;
            }
            Err(reason) => {
                self.tree = None;
                self.usage.ended = Some(reason);
            }
        }
    }

    pub(super) fn last_sample(&self) -> Option<&UsageSample> {
        self.usage.samples.last()
    }

    fn last_cpu_ns(&self) -> u64 {
        self.last_sample().map_or(0, |sample| sample.cpu_ns)
    }

    fn count_network(&mut self, listing: &mut Listing, anew: bool) {
        // What failed once would fail each time.
        let Some(tree) = &self.tree else { return };
        if self.usage.network_missing.is_some() {
            return;
        }
        match self.network.read_with(&tree.pids(), listing, anew) {
            Ok(bytes) => self.usage.network.push(NetworkSample {
                at_ns: clock::monotonic_ns(),
                received_bytes: bytes.received_bytes,
                sent_bytes: bytes.sent_bytes,
            }),
            Err(error) => self.usage.network_missing = Some(error.to_string()),
        }
    }
}
