//! A server that its clients reach over a link.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::scanning::MixedRates;
use super::{Counted, IocError, Server};
use crate::link::LinkConditions;
use crate::lookup::Lookup;
use crate::process::Ports;
use crate::process::link::{Link, LinkPorts};

/// A link that a server is to have.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct WantedLink {
    /// What it does to packets.
    pub conditions: LinkConditions,
    /// Decides which of them are lost.
    pub seed: u64,
}

/// A server and its link.
pub(super) struct OverLink {
    // The link ends first: a server that is gone has nothing to carry.
    link: Link,
    server: Box<dyn Server>,
}

impl OverLink {
    /// Starts the link of a server that was started for one.
    pub(super) fn start(server: Box<dyn Server>, wanted: WantedLink) -> Result<OverLink, IocError> {
        let ports = server.ports().map(LinkPorts::of).ok_or_else(|| {
            IocError::InvalidRequest("several servers have no link to their clients".to_owned())
        })?;
        let gauge = std::env::current_exe()
            .map_err(|source| IocError::Files { action: "find this program".to_owned(), source })?;
        let link = Link::start(&gauge, wanted.conditions, wanted.seed, &ports)?;
        Ok(OverLink { link, server })
    }
}

impl Server for OverLink {
    fn link(&self) -> Option<&Link> {
        Some(&self.link)
    }

    fn pid(&self) -> u32 {
        self.server.pid()
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.server.versions()
    }

    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        self.server.environment_by(lookup)
    }

    fn ports(&self) -> Option<&Ports> {
        self.server.ports()
    }

    fn expected_value(&self, index: usize) -> f64 {
        self.server.expected_value(index)
    }

    fn tick(&mut self) -> Result<(), IocError> {
        self.server.tick()
    }

    fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError> {
        self.server.start_scanning(rate_hz)
    }

    fn start_mixed_scanning(&mut self, rates: MixedRates) -> Result<(), IocError> {
        self.server.start_mixed_scanning(rates)
    }

    fn stop_scanning(&mut self) -> Result<(), IocError> {
        self.server.stop_scanning()
    }

    fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        self.server.processed()
    }

    fn stored_value(&mut self, index: usize) -> Result<f64, IocError> {
        self.server.stored_value(index)
    }

    fn frame_count(&mut self) -> Result<u64, IocError> {
        self.server.frame_count()
    }

    fn counted(&mut self) -> Result<Counted, IocError> {
        self.server.counted()
    }

    fn subscriptions_to(&mut self, pvs: &[usize]) -> Result<Option<u64>, IocError> {
        self.server.subscriptions_to(pvs)
    }

    fn check(&mut self) -> Result<(), IocError> {
        self.server.check()
    }

    fn pause(&self) {
        self.server.pause();
    }

    fn resume(&self) {
        self.server.resume();
    }

    fn channels(&mut self) -> Result<Option<u64>, IocError> {
        self.server.channels()
    }

    fn crash(&mut self) {
        self.server.crash();
    }

    fn restart(&mut self, without: Option<usize>) -> Result<(), IocError> {
        self.server.restart(without)
    }

    fn stop(self: Box<Self>) {
        let OverLink { link, server } = *self;
        drop(link);
        server.stop();
    }
}
