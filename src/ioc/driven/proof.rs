//! Proof that a server serves where it says, and that this is where it was to.

use super::messages::Ready;
use crate::ioc::{IocError, identity};
use crate::process::{Deadline, Ports};
use crate::provider::Provider;

/// Proves that what says it is `ready` serves all `providers` on `ports`.
pub(super) fn prove(
    ready: &Ready,
    providers: &[Provider],
    ports: &Ports,
    identity: &str,
    deadline: &Deadline,
) -> Result<(), IocError> {
    for provider in providers {
        let port = match provider {
            Provider::Ca => ports.ca_server(),
            Provider::Pva => ports.pva_server(),
        };
        let wrong = |reason: String| IocError::Ports { reason, port };
        match ready.ports.get(provider) {
            Some(told) if *told == port => {}
            Some(told) => return Err(wrong(format!("it serves {provider} on TCP port {told}"))),
            None => return Err(wrong(format!("it does not serve {provider}"))),
        }
        match provider {
            Provider::Ca => identity::prove(port, &format!("epics-gauge:{identity}"), deadline),
            Provider::Pva => identity::speaks_pv_access(port, deadline),
        }
        .map_err(wrong)?;
    }
    Ok(())
}
