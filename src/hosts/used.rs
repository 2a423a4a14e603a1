//! The host on which the servers of a run are started.

use std::path::PathBuf;
use std::sync::Arc;

use super::connection::{Agent, HostError};
use super::file::{Hosts, Role};
use super::network::NetworkFloor;
use super::orders::Order;
use super::remote_server::RemoteServer;
use crate::ioc::{HostAddresses, IocError, Server, StartsServers, Wanted};
use crate::process::HostClocks;
use crate::record::{HostClock, NetworkBetween, ServerHostFacts};

/// Ports are chosen at random there, so a few tries find some that are free here too.
const TRIES: usize = 5;

/// Starts servers on another host, for clients on this one.
#[derive(Debug)]
pub struct ServerHost {
    agent: Arc<Agent>,
    addresses: HostAddresses,
    servers_file: Option<PathBuf>,
}

/// Starts the agent on the file's server host; `servers_file` is a file of servers there.
///
/// # Errors
/// When the file has no such host, and when it cannot take part.
pub fn server_host(hosts: &Hosts, servers_file: Option<PathBuf>) -> Result<ServerHost, HostError> {
    let in_file =
        |name: &str, reason: String| HostError::Unusable { host: name.to_owned(), reason };
    let server =
        hosts.only(Role::Server, "server").map_err(|error| in_file("server", error.to_string()))?;
    let client =
        hosts.only(Role::Client, "client").map_err(|error| in_file("client", error.to_string()))?;
    let addresses = HostAddresses { server: server.address, clients: client.address };
    let agent = Arc::new(Agent::start(server)?);
    Ok(ServerHost { agent, addresses, servers_file })
}

impl ServerHost {
    /// What the record of a run has of it; reads its clocks and measures the network, which
    /// blocks for about half a second.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn facts(&self) -> Result<ServerHostFacts, HostError> {
        let hello = self.agent.hello();
        let NetworkFloor { round_trip_ns, bytes_per_s } =
            self.agent.network(self.addresses.server)?;
        Ok(ServerHostFacts {
            name: self.agent.name().to_owned(),
            host_name: hello.host_name.clone(),
            address: self.addresses.server.to_string(),
            clients_address: self.addresses.clients.to_string(),
            cores: hello.cores,
            is_on_this_machine: self.agent.is_on_this_machine(),
            clock: self.clock()?,
            network: NetworkBetween { round_trip_ns, bytes_per_s },
        })
    }

    /// Its clock of the time of day, as a record has it.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn clock(&self) -> Result<HostClock, HostError> {
        let HostClocks { day, round_trip_ns, .. } = self.agent.clocks()?;
        Ok(HostClock { offset_ns: day.offset_ns, bound_ns: day.bound_ns, round_trip_ns })
    }
}

impl StartsServers for ServerHost {
    fn start(&self, name: &str, wanted: &Wanted) -> Result<Box<dyn Server>, IocError> {
        let mut wanted = Wanted { hosts: Some(self.addresses), ..wanted.clone() };
        if !self.agent.is_on_this_machine() {
            // These are cores of this machine.
            wanted.cores.clear();
        }
        for _ in 0..TRIES {
            let order = Order::Start {
                name: name.to_owned(),
                wanted: Box::new(wanted.clone()),
                servers_file: self.servers_file.clone(),
            };
            let started = RemoteServer::start(&self.agent, order, &wanted, self.addresses)?;
            if let Some(server) = started {
                return Ok(Box::new(server));
            }
        }
        Err(IocError::NoPorts {
            reason: format!(
                "{TRIES} times the host `{}` chose ports that are taken on this one",
                self.agent.name()
            ),
        })
    }
}
