//! Other hosts that take part: the file that lists them, the agent on each, and servers that
//! run there.
//!
//! Invariant: only addresses of the file are used, and only by the commands that it gives. The
//! clients run on the host of this process.

mod agent;
mod check;
mod connection;
mod file;
mod launch;
mod network;
mod orders;
mod remote_sampler;
mod remote_server;
mod used;

pub use agent::serve;
pub use check::{HostChecked, check_host};
pub use connection::{Agent, HostError};
pub use file::{Host, Hosts, HostsError, Launcher, Role};
pub use launch::enter_namespaces_for;
pub use network::NetworkFloor;
pub use orders::Hello;
pub use used::{ServerHost, server_host};
