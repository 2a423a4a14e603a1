//! A gateway: a program between a server and its clients, with ports of its own.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::{IocError, Place, Server, identity};
use crate::lookup::Lookup;
use crate::process::{
    ArrayLimit, Child, Command, Deadline, Event, Peers, Ports, ProcessError, Reach,
    client_environment, server_environment,
};

/// How long it may take until it serves.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// The file that it is started with.
const CONFIGURATION: &str = "gateway.json";

/// A running gateway. Dropping it kills it.
pub(super) struct Gateway {
    // Fields are dropped in this order: the process must be gone before its
    // folder and its ports are.
    process: Child,
    place: Place,
    reach: Reach,
    arrays: ArrayLimit,
    versions: BTreeMap<String, String>,
}

impl Gateway {
    /// Starts `command` with a configuration by which it finds `upstream` alone; blocks until
    /// it takes circuits.
    pub(super) fn start(
        command: Command,
        upstream: &dyn Server,
        reach: Reach,
        max_array_bytes: Option<u64>,
    ) -> Result<Gateway, IocError> {
        let arrays = max_array_bytes.map_or(ArrayLimit::RoomFor(0), ArrayLimit::Exactly);
        let place = Place::take(reach.served())?;
        let file = place.folder.path().join(CONFIGURATION);
        let towards_clients = server_environment(&place.ports, &Peers::default(), arrays, reach);
        let towards_server = upstream.environment_by(Lookup::Udp);
        fs::write(&file, configuration(&towards_clients, &towards_server)).map_err(|source| {
            IocError::Files { action: format!("write {}", file.display()), source }
        })?;
        let command = command
            .argument(&file)
            .folder(place.folder.path())
            .removed_with_harness(place.folder.path());
        let deadline = Deadline::after(START_DEADLINE);
        let mut process = command.start()?;
        let versions = printed_versions(&mut process, &deadline)?;
        let mut gateway = Gateway { process, place, reach, arrays, versions };
        let port = gateway.place.ports.pva_server();
        let proved = identity::speaks_pv_access(gateway.place.at(port), &deadline);
        gateway.check()?;
        proved.map_err(|reason| IocError::Ports { reason, port })?;
        Ok(gateway)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Versions of its library and of what is below it.
    pub(super) fn versions(&self) -> &BTreeMap<String, String> {
        &self.versions
    }

    pub(super) fn environment_by(&self, lookup: Lookup) -> Vec<(String, String)> {
        client_environment(&self.place.ports, lookup, self.arrays, self.reach)
    }

    pub(super) fn ports(&self) -> &Ports {
        &self.place.ports
    }

    /// Fails when it has died.
    pub(super) fn check(&mut self) -> Result<(), IocError> {
        let now = Deadline::after(Duration::ZERO);
        loop {
            match self.process.next_event(&now, "forward") {
                Ok(Event::Stdout(_) | Event::Stderr(_)) => {}
                Ok(Event::Ended(status)) => return Err(self.process.ended_early(status).into()),
                Err(ProcessError::TimedOut { .. }) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Its first line on stdout.
fn printed_versions(
    process: &mut Child,
    deadline: &Deadline,
) -> Result<BTreeMap<String, String>, IocError> {
    loop {
        match process.next_event(deadline, "report its versions")? {
            Event::Stdout(line) => {
                return serde_json::from_str(&line).map_err(|_| {
                    IocError::InvalidRequest(format!("the gateway reports no versions: {line}"))
                });
            }
            Event::Stderr(_) => {}
            Event::Ended(status) => return Err(process.ended_early(status).into()),
        }
    }
}

/// One client towards the server, and one server towards clients, each with our variables of
/// its side, which p4p's gateway passes on to pvxs.
fn configuration(
    towards_clients: &[(String, String)],
    towards_server: &[(String, String)],
) -> String {
    let mut server = serde_json::json!({
        "name": "towards-clients",
        "clients": ["towards-server"],
        "autoaddrlist": false,
    });
    let mut client = serde_json::json!({
        "name": "towards-server",
        "provider": "pva",
        "autoaddrlist": false,
    });
    for (side, variables, prefix) in
        [(&mut server, towards_clients, "EPICS_PVAS_"), (&mut client, towards_server, "EPICS_PVA_")]
    {
        for (name, value) in variables.iter().filter(|(name, _)| name.starts_with(prefix)) {
            side[name.as_str()] = value.as_str().into();
        }
    }
    serde_json::json!({ "version": 2, "clients": [client], "servers": [server] }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_gets_the_variables_of_its_own_and_searches_nowhere_else() {
        let of = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let text = configuration(
            &of(&[("EPICS_PVAS_SERVER_PORT", "7"), ("EPICS_PVA_ADDR_LIST", "wrong")]),
            &of(&[("EPICS_PVA_ADDR_LIST", "127.0.0.1:9"), ("EPICS_CA_ADDR_LIST", "wrong")]),
        );
        assert!(!text.contains("wrong"), "{text}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["servers"][0]["EPICS_PVAS_SERVER_PORT"], "7");
        assert_eq!(read["clients"][0]["EPICS_PVA_ADDR_LIST"], "127.0.0.1:9");
        assert_eq!(read["clients"][0]["autoaddrlist"], false);
    }
}
