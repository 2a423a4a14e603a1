//! A server that runs on another host, asked through its agent.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::connection::{ANSWER_DEADLINE, Agent};
use super::orders::{Call, Facts, Heard, Order, Started};
use super::remote_sampler::RemoteSampler;
use crate::ioc::{Counted, HostAddresses, IocError, MixedRates, Server, ServerSampler, Wanted};
use crate::lookup::Lookup;
use crate::process::{HostClocks, Repeater};

/// How long a server may take to start, with whatever is installed for it.
const START_DEADLINE: Duration = Duration::from_secs(600);

/// A server on another host. Dropping it stops it.
#[derive(Debug)]
pub(super) struct RemoteServer {
    agent: Arc<Agent>,
    server: u64,
    facts: Facts,
    addresses: HostAddresses,
    pvs: usize,
    /// Fetched when they are first asked for, until something may change them.
    expected: OnceCell<Vec<f64>>,
    /// Where clients on this host hear the server.
    hearing: Hearing,
}

/// What this host has for clients of a server, on ports that the server's host has chosen.
#[derive(Debug, Default)]
struct Hearing {
    _repeater: Option<Repeater>,
}

impl Hearing {
    /// Holds the port of the repeater; none where another program has a port that clients need.
    fn of(heard: Option<Heard>, addresses: HostAddresses) -> Option<Hearing> {
        let Some(heard) = heard else { return Some(Hearing::default()) };
        if addresses.server == addresses.clients {
            // One host under two names: the server's ports are those of its clients.
            return Some(Hearing::default());
        }
        UdpSocket::bind((addresses.clients, heard.pva_beacons)).ok()?;
        let both = [Ipv4Addr::LOCALHOST, addresses.clients];
        let repeater = Repeater::at(&both, heard.ca_repeater).ok()?;
        Some(Hearing { _repeater: Some(repeater) })
    }
}

impl RemoteServer {
    /// Starts a server there; none if this host cannot hear it, because a port is taken.
    pub(super) fn start(
        agent: &Arc<Agent>,
        order: Order,
        wanted: &Wanted,
        addresses: HostAddresses,
    ) -> Result<Option<RemoteServer>, IocError> {
        let Started { server, facts } = agent.ask(order, START_DEADLINE)?;
        let hearing = Hearing::of(facts.heard, addresses);
        let mut started = RemoteServer {
            agent: Arc::clone(agent),
            server,
            facts,
            addresses,
            pvs: wanted.pvs,
            expected: OnceCell::new(),
            hearing: Hearing::default(),
        };
        Ok(hearing.map(|hearing| {
            started.hearing = hearing;
            started
        }))
    }

    fn call<A: DeserializeOwned>(&self, call: Call) -> Result<A, IocError> {
        let order = Order::Server { server: self.server, call };
        Ok(self.agent.ask(order, ANSWER_DEADLINE)?)
    }

    /// A call after which values are others.
    fn change<A: DeserializeOwned>(&mut self, call: Call) -> Result<A, IocError> {
        self.expected = OnceCell::new();
        self.call(call)
    }

    /// A call after which the server is a new process, perhaps elsewhere.
    fn begin_anew(&mut self, call: Call) -> Result<(), IocError> {
        let order = Order::Server { server: self.server, call };
        self.expected = OnceCell::new();
        self.agent.ask::<()>(order, START_DEADLINE)?;
        let facts: Facts = self.call(Call::Facts)?;
        if facts.heard != self.facts.heard {
            self.hearing = Hearing::default();
            self.hearing = Hearing::of(facts.heard, self.addresses).ok_or_else(|| {
                IocError::InvalidRequest(
                    "the server moved to ports that another program of the clients' host has; \
                     try again"
                        .to_owned(),
                )
            })?;
        }
        self.facts = facts;
        Ok(())
    }
}

impl Server for RemoteServer {
    fn pid(&self) -> u32 {
        self.facts.pid
    }

    fn versions(&self) -> BTreeMap<String, String> {
        self.facts.versions.clone()
    }

    fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        let [by_udp, by_name_server] = &self.facts.environments;
        match lookup {
            Lookup::Udp => by_udp.clone(),
            Lookup::NameServer => by_name_server.clone(),
        }
    }

    fn expected_value(&self, index: usize) -> f64 {
        let fetched = || self.call(Call::ExpectedValues { pvs: self.pvs }).unwrap_or_default();
        // A host that has failed has no values: then nothing is right.
        self.expected.get_or_init(fetched).get(index).copied().unwrap_or(f64::NAN)
    }

    fn tick(&mut self) -> Result<(), IocError> {
        self.change(Call::Tick)
    }

    fn start_scanning(&mut self, rate_hz: f64) -> Result<(), IocError> {
        self.change(Call::StartScanning(rate_hz))
    }

    fn start_mixed_scanning(&mut self, rates: MixedRates) -> Result<(), IocError> {
        self.change(Call::StartMixedScanning(rates))
    }

    fn stop_scanning(&mut self) -> Result<(), IocError> {
        self.change(Call::StopScanning)
    }

    fn processed(&mut self) -> Result<Vec<u64>, IocError> {
        self.call(Call::Processed)
    }

    fn stored_value(&mut self, index: usize) -> Result<f64, IocError> {
        self.call(Call::StoredValue(index))
    }

    fn frame_count(&mut self) -> Result<u64, IocError> {
        self.call(Call::FrameCount)
    }

    fn counted(&mut self) -> Result<Counted, IocError> {
        self.call(Call::Counted)
    }

    fn subscriptions_to(&mut self, pvs: &[usize]) -> Result<Option<u64>, IocError> {
        self.call(Call::SubscriptionsTo(pvs.to_vec()))
    }

    fn command(&mut self, command: &str) -> Result<String, IocError> {
        self.change(Call::Command(command.to_owned()))
    }

    fn check(&mut self) -> Result<(), IocError> {
        self.call(Call::Check)
    }

    fn pause(&self) {
        // Whoever needs it paused sees a host that has failed at the next question.
        let _ = self.call::<()>(Call::Pause);
    }

    fn resume(&self) {
        let _ = self.call::<()>(Call::Resume);
    }

    fn channels(&mut self) -> Result<Option<u64>, IocError> {
        self.call(Call::Channels)
    }

    fn crash(&mut self) {
        let _ = self.change::<()>(Call::Crash);
    }

    fn restart(&mut self, without: Option<usize>) -> Result<(), IocError> {
        self.begin_anew(Call::Restart(without))
    }

    fn reserve_spare_ports(&mut self) -> Result<(), IocError> {
        self.call::<()>(Call::ReserveSparePorts)?;
        self.facts = self.call(Call::Facts)?;
        Ok(())
    }

    fn move_to_spare_ports(&mut self) -> Result<(), IocError> {
        self.begin_anew(Call::MoveToSparePorts)
    }

    fn restart_retyped(&mut self, pv: usize) -> Result<(), IocError> {
        self.begin_anew(Call::RestartRetyped(pv))
    }

    fn stop(self: Box<Self>) {
        // Dropping it does that.
    }

    fn sampler(&self, period: Duration) -> Result<Option<Box<dyn ServerSampler>>, IocError> {
        let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
        let clock = self.agent.clocks()?.monotonic;
        let order = Order::Sample { pid: self.facts.pid, period_ms };
        let number = self.agent.ask(order, ANSWER_DEADLINE)?;
        let agent = Arc::clone(&self.agent);
        Ok(Some(Box::new(RemoteSampler { agent, number, clock })))
    }

    fn clocks(&self) -> Result<Option<HostClocks>, IocError> {
        // Namespaces of one machine share its clocks.
        match self.agent.is_on_this_machine() {
            true => Ok(None),
            false => Ok(Some(self.agent.clocks()?)),
        }
    }
}

impl Drop for RemoteServer {
    fn drop(&mut self) {
        let order = Order::Server { server: self.server, call: Call::Stop };
        // An agent that has failed has ended its servers.
        let _ = self.agent.ask::<()>(order, ANSWER_DEADLINE);
    }
}
