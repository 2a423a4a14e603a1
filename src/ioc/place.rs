//! Where an IOC lives: ports and a folder of its own.

use std::net::{Ipv4Addr, SocketAddrV4};

use tempfile::TempDir;

use super::shell::Shell;
use super::{IocError, identity};
use crate::process::{Deadline, Ports};

/// What an IOC keeps from start to start.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) ports: Ports,
    /// Those to move to, where that is known before.
    pub(super) spare: Option<Ports>,
    /// The address on which the IOC serves.
    address: Ipv4Addr,
}

impl Place {
    /// A place that serves on `address` of this host.
    pub(super) fn take(address: Ipv4Addr) -> Result<Place, IocError> {
        let ports = reserved_ports()?;
        let folder =
            tempfile::Builder::new().prefix("epics-gauge-ioc-").tempdir().map_err(|source| {
                IocError::Files {
                    action: format!("make a folder in {}", std::env::temp_dir().display()),
                    source,
                }
            })?;
        Ok(Place { folder, ports, spare: None, address })
    }

    /// Moves to other ports, which are free, and keeps the folder.
    pub(super) fn move_to_other_ports(&mut self) -> Result<(), IocError> {
        // Those of before are given back afterwards, so that these are others.
        self.ports = match self.spare.take() {
            Some(spare) => spare,
            None => reserved_ports()?,
        };
        Ok(())
    }

    /// Reserves the ports to move to.
    #[cfg(feature = "cli")]
    pub(super) fn reserve_spare_ports(&mut self) -> Result<(), IocError> {
        self.spare = Some(reserved_ports()?);
        Ok(())
    }

    /// This port at the address on which the IOC serves.
    pub(super) fn at(&self, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(self.address, port)
    }

    /// A text that no other IOC has.
    pub(super) fn identity(&self) -> String {
        format!("{}-{}", std::process::id(), self.ports.ca_server())
    }

    /// Proves that an IOC that holds the record of this place serves Channel Access here.
    pub(super) fn prove(&self, deadline: &Deadline) -> Result<(), IocError> {
        let port = self.ports.ca_server();
        identity::prove(self.at(port), &format!("epics-gauge:{}", self.identity()), deadline)
            .map_err(|reason| IocError::Ports { reason, port })
    }

    /// Proves it for an IOC whose records are not known: by its own word, and by the
    /// protocol. Returns whether it serves at all: an IOC that is not initialized does not.
    pub(super) fn prove_by_report(
        &self,
        shell: &mut Shell,
        deadline: &Deadline,
    ) -> Result<bool, IocError> {
        const REPORTED: &str = "CAS-TCP server on ";
        let port = self.ports.ca_server();
        let report = shell.run("casr 2")?;
        let reported = report.lines().find_map(|line| line.trim().strip_prefix(REPORTED));
        let Some(reported) = reported.and_then(|rest| rest.split_whitespace().next()) else {
            return Ok(false);
        };
        // The name of this host may stand before the port.
        if !reported.ends_with(&format!(":{port}")) {
            return Err(IocError::Ports { reason: format!("it serves TCP on {reported}"), port });
        }
        identity::speaks_channel_access(self.at(port), deadline)
            .map_err(|reason| IocError::Ports { reason, port })?;
        Ok(true)
    }

    /// Proves that it serves pvAccess here, too.
    pub(super) fn prove_pv_access(
        &self,
        shell: &mut Shell,
        deadline: &Deadline,
    ) -> Result<(), IocError> {
        let port = self.ports.pva_server();
        // A pvxs whose port is taken serves elsewhere, and says so in a variable; other
        // servers say nothing there.
        const VARIABLE: &str = "PVXS_SERVER_PORT";
        let shown = shell.run(&format!("epicsEnvShow {VARIABLE}"))?;
        if let Some(reported) = shown.trim().strip_prefix(&format!("{VARIABLE}="))
            && reported != port.to_string()
        {
            return Err(IocError::Ports {
                reason: format!("it serves pvAccess on {reported}"),
                port,
            });
        }
        identity::speaks_pv_access(self.at(port), deadline)
            .map_err(|reason| IocError::Ports { reason, port })
    }
}

fn reserved_ports() -> Result<Ports, IocError> {
    Ports::reserve().map_err(|error| IocError::NoPorts { reason: error.to_string() })
}
