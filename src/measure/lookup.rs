//! The environment by which a worker finds PVs.

use std::io;
use std::net::{Ipv4Addr, UdpSocket};

use super::PlannedConfiguration;
use super::stop::{Stop, failed};
use crate::approach::{Approach, Kind};
use crate::ioc::{IocError, Server};
use crate::lookup::Lookup;
use crate::protocol::Protocol;
use crate::record::FailureKind;

/// The variable with the addresses of UDP searches over Channel Access.
const ADDRESSES: &str = "EPICS_CA_ADDR_LIST";

/// Fails when the approach cannot find PVs by this configuration's lookup.
pub(super) fn check(approach: &Approach, planned: &PlannedConfiguration) -> Result<(), Stop> {
    if approach.knows(planned.lookup) {
        return Ok(());
    }
    let variable = match approach.protocol {
        Protocol::Ca => "EPICS_CA_NAME_SERVERS",
        Protocol::Pva => "EPICS_PVA_NAME_SERVERS",
    };
    let (name, lookup) = (&approach.name, planned.lookup);
    let message = format!("{name} finds no PVs by {lookup} ({variable}), so it was not tried");
    Err(failed(FailureKind::Unable, None, message))
}

/// Whether the approach may broadcast with an empty address list, because nobody has checked.
pub(super) fn wants_an_address(approach: &Approach, lookup: Lookup) -> bool {
    lookup == Lookup::NameServer && matches!(approach.kind, Kind::User { .. })
}

/// The environment of a worker.
pub(super) struct Environment {
    pub(super) variables: Vec<(String, String)>,
    /// Never answers; it keeps other programs from its port.
    _silent: Option<UdpSocket>,
}

impl Environment {
    /// The environment in which a worker of the approach finds `ioc` by this configuration's
    /// lookup.
    pub(super) fn of(
        approach: &Approach,
        ioc: &dyn Server,
        planned: &PlannedConfiguration,
    ) -> Result<Environment, Stop> {
        let mut variables = ioc.environment_by(planned.lookup);
        let silent = wants_an_address(approach, planned.lookup).then(|| silence(&mut variables));
        approach.settings.apply(&mut variables);
        let silent = silent.transpose().map_err(|source| {
            let action = "reserve a port where no search is answered".to_owned();
            Stop::from(IocError::Files { action, source })
        })?;
        Ok(Environment { variables, _silent: silent })
    }
}

/// Sends UDP searches to a socket that never answers.
fn silence(variables: &mut [(String, String)]) -> io::Result<UdpSocket> {
    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = silent.local_addr()?.to_string();
    for (_, value) in variables.iter_mut().filter(|(name, _)| name == ADDRESSES) {
        value.clone_from(&address);
    }
    Ok(silent)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approach::Catalogue;
    use crate::record::{Failure, Scenario};
    use crate::worker_protocol::Mode;

    fn refusal(approach: &str, lookup: Lookup) -> Option<Failure> {
        let planned =
            PlannedConfiguration::new(Scenario::Connect, 10, Mode::Bulk, None, 1).by(lookup);
        match check(Catalogue::built_in().get(approach).unwrap(), &planned) {
            Ok(()) => None,
            Err(Stop::Failed(failure)) => Some(failure),
            Err(Stop::Interrupted) => panic!("nobody interrupts"),
        }
    }

    #[test]
    fn who_knows_no_name_server_is_unable_by_it_only() {
        for (approach, variable) in
            [("caproto", "EPICS_CA_NAME_SERVERS"), ("pvapy", "EPICS_PVA_NAME_SERVERS")]
        {
            assert_eq!(refusal(approach, Lookup::Udp), None);
            let failure = refusal(approach, Lookup::NameServer).unwrap();
            assert_eq!(failure.kind, FailureKind::Unable);
            assert!(failure.message.contains(variable), "{}", failure.message);
        }
        assert_eq!(refusal("libca", Lookup::NameServer), None);
    }

    #[test]
    fn what_would_broadcast_perhaps_searches_where_nobody_answers() {
        let list = |value: &str| vec![(ADDRESSES.to_owned(), value.to_owned())];
        let mut variables = list("");
        let silent = silence(&mut variables).unwrap();
        assert_eq!(variables, list(&silent.local_addr().unwrap().to_string()));
    }
}
