//! Proof that a server serves on the ports that it reports, and that they are the ones it was given.

use super::messages::Ready;
use crate::ioc::{IocError, identity};
use crate::process::{Deadline, Ports};
use crate::protocol::Protocol;

/// Proves that what reports `ready` serves all `protocols` on `ports`.
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
            Some(reported) if *reported == port => {}
            Some(reported) => {
                return Err(wrong(format!("it serves {protocol} on TCP port {reported}")));
            }
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
