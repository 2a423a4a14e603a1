//! Whether a host can take part.

use serde::Serialize;

use super::connection::{Agent, HostError};
use super::file::Host;
use super::network::NetworkFloor;
use super::orders::Hello;
use crate::process::HostClocks;

/// What a host answered.
#[derive(Debug, Clone, Serialize)]
pub struct HostChecked {
    /// Its version and cores.
    #[serde(flatten)]
    pub hello: Hello,
    /// Its clocks against those of this host.
    pub clocks: HostClocks,
    /// The network from this host to it.
    pub network: NetworkFloor,
    /// Whether it is a part of this machine.
    pub is_on_this_machine: bool,
}

/// Starts the agent of a host, asks it, and ends it; blocks.
///
/// # Errors
/// Why it did not answer, or why its answer is of no use.
pub fn check_host(host: &Host) -> Result<HostChecked, HostError> {
    let agent = Agent::start(host)?;
    Ok(HostChecked {
        hello: agent.hello().clone(),
        clocks: agent.clocks()?,
        network: agent.network(host.address)?,
        is_on_this_machine: agent.is_on_this_machine(),
    })
}
