//! A server that its clients reach over a link, or through a gateway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::gateway::Gateway;
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

/// What stands between a server and its clients.
enum Between {
    Link(Link),
    Gateway(Gateway),
}

/// A server and what stands before it.
pub(super) struct Behind {
    // It ends first: a server that is gone has nothing to carry.
    between: Between,
    server: Box<dyn Server>,
}

impl Behind {
    /// Starts the link of a server that was started for one.
    pub(super) fn link(server: Box<dyn Server>, wanted: WantedLink) -> Result<Behind, IocError> {
        let ports = server.ports().map(LinkPorts::of).ok_or_else(|| {
            IocError::InvalidRequest("several servers have no link to their clients".to_owned())
        })?;
        let gauge = std::env::current_exe()
            .map_err(|source| IocError::Files { action: "find this program".to_owned(), source })?;
        let link = Link::start(&gauge, wanted.conditions, wanted.seed, &ports)?;
        Ok(Behind { between: Between::Link(link), server })
    }

    /// Puts a gateway before a server.
    pub(super) fn gateway(server: Box<dyn Server>, gateway: Gateway) -> Behind {
        Behind { between: Between::Gateway(gateway), server }
    }

    fn through(&self) -> Option<&Gateway> {
        match &self.between {
            Between::Link(_) => None,
            Between::Gateway(gateway) => Some(gateway),
        }
    }
}

impl Server for Behind {
    fn link(&self) -> Option<&Link> {
        match &self.between {
            Between::Link(link) => Some(link),
            Between::Gateway(_) => None,
        }
    }

    fn pid(&self) -> u32 {
        self.through().map_or_else(|| self.server.pid(), Gateway::pid)
    }

    fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = self.server.versions();
        versions
            .extend(self.through().map(|gateway| gateway.versions().clone()).unwrap_or_default());
        versions
    }

    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        match self.through() {
            Some(gateway) => gateway.environment_by(lookup),
            None => self.server.environment_by(lookup),
        }
    }

    fn ports(&self) -> Option<&Ports> {
        self.through().map_or_else(|| self.server.ports(), |gateway| Some(gateway.ports()))
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
        if let Between::Gateway(gateway) = &mut self.between {
            gateway.check()?;
        }
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
        let Behind { between, server } = *self;
        drop(between);
        server.stop();
    }
}
