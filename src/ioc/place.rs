//! Where an IOC lives: ports and a folder of its own.

use tempfile::TempDir;

use super::shell::Shell;
use super::{IocError, identity};
use crate::process::{Deadline, Ports};

/// What an IOC keeps from start to start.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) folder: TempDir,
    pub(super) ports: Ports,
}

impl Place {
    pub(super) fn take() -> Result<Place, IocError> {
        let ports = Ports::reserve()
            .map_err(|source| IocError::Files { action: "reserve ports".to_owned(), source })?;
        let folder =
            tempfile::Builder::new().prefix("epics-gauge-ioc-").tempdir().map_err(|source| {
                IocError::Files {
                    action: format!("make a folder in {}", std::env::temp_dir().display()),
                    source,
                }
            })?;
        Ok(Place { folder, ports })
    }

    /// A text that no other IOC has.
    pub(super) fn identity(&self) -> String {
        format!("{}-{}", std::process::id(), self.ports.ca_server())
    }

    /// Proves that the IOC of this shell serves Channel Access here.
    pub(super) fn prove(&self, shell: &mut Shell, deadline: &Deadline) -> Result<(), IocError> {
        let port = self.ports.ca_server();
        has_port(shell, "RSRV_SERVER_PORT", port)?;
        identity::prove(port, &format!("epics-gauge:{}", self.identity()), deadline)
            .map_err(|reason| IocError::Ports { reason, port })
    }

    /// Proves that it serves pvAccess here, too.
    pub(super) fn prove_pv_access(
        &self,
        shell: &mut Shell,
        deadline: &Deadline,
    ) -> Result<(), IocError> {
        let port = self.ports.pva_server();
        has_port(shell, "PVXS_SERVER_PORT", port)?;
        identity::speaks_pv_access(port, deadline)
            .map_err(|reason| IocError::Ports { reason, port })
    }
}

/// A server whose port is taken serves elsewhere, and says so in a variable.
fn has_port(shell: &mut Shell, variable: &str, port: u16) -> Result<(), IocError> {
    let shown = shell.run(&format!("epicsEnvShow {variable}"))?;
    if shown.trim() == format!("{variable}={port}") {
        return Ok(());
    }
    let reason = format!("it serves TCP with `{}`", shown.trim());
    Err(IocError::Ports { reason, port })
}
