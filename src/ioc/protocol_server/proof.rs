//! Proof that a server serves on the ports that it reports, and that they are the ones it was given.

use super::messages::Ready;
use crate::ioc::{IocError, Place, identity};
use crate::process::Deadline;
use crate::protocol::Protocol;

/// Proves that what reports `ready` serves all `protocols` at its place.
pub(super) fn prove(
    ready: &Ready,
    protocols: &[Protocol],
    place: &Place,
    deadline: &Deadline,
) -> Result<(), IocError> {
    let identity = place.identity();
    for protocol in protocols {
        let port = match protocol {
            Protocol::Ca => place.ports.ca_server(),
            Protocol::Pva => place.ports.pva_server(),
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
            Protocol::Ca => {
                identity::prove(place.at(port), &format!("epics-gauge:{identity}"), deadline)
            }
            Protocol::Pva => identity::speaks_pv_access(place.at(port), deadline),
        }
        .map_err(wrong)?;
    }
    Ok(())
}
