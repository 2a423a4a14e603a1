//! Proof that a server serves where it says, and that this is where it was to.

use super::messages::Ready;
use crate::ioc::{IocError, identity};
use crate::process::{Deadline, Ports};
use crate::protocol::Protocol;

/// Proves that what says it is `ready` serves all `protocols` on `ports`.
pub(super) fn prove(
    ready: &Ready,
    protocols: &[Protocol],
    ports: &Ports,
    identity: &str,
    deadline: &Deadline,
) -> Result<(), IocError> {
    for protocol in protocols {
        let port = match protocol {
            Protocol::Ca => ports.ca_server(),
            Protocol::Pva => ports.pva_server(),
        };
        let wrong = |reason: String| IocError::Ports { reason, port };
        match ready.ports.get(protocol) {
            Some(told) if *told == port => {}
            Some(told) => return Err(wrong(format!("it serves {protocol} on TCP port {told}"))),
            None => return Err(wrong(format!("it does not serve {protocol}"))),
        }
        match protocol {
            Protocol::Ca => identity::prove(port, &format!("epics-gauge:{identity}"), deadline),
            Protocol::Pva => identity::speaks_pv_access(port, deadline),
        }
        .map_err(wrong)?;
    }
    Ok(())
}
