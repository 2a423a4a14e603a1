//! The catalogue of servers: name, protocols, and starting one.

mod user_file;

pub use user_file::ServerFileError;

use std::collections::BTreeMap;
use std::path::Path;

use super::driven::{Driven, START_DEADLINE};
use super::other_soft_ioc::{OtherSoftIoc, OtherSoftIocError};
use super::{IocError, Server, SoftIoc};
use crate::embedded;
use crate::process::Command;
use crate::protocol::Protocol;
use crate::python_site::{Missing, PythonSite, UserCommand};

/// One way to be an IOC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerKind {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub description: String,
    /// The protocols that it serves; approaches of these are measured with it.
    pub protocols: Vec<Protocol>,
    /// Whether the Python packages must be installed for it.
    pub needs_python_site: bool,
    /// Whether it makes frames.
    pub has_frames: bool,
}

/// What a server is to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wanted {
    /// How many PVs `gauge:0`, `gauge:1`, …
    pub pvs: usize,
    /// The rate at which [`Server::start_scanning`] will be asked to update them.
    pub rate_hz: Option<f64>,
    /// The size of the frames of `gauge:frame`, if it is to be there.
    pub frame: Option<(u32, u32)>,
    /// The array limit of server and clients, when the user set it.
    pub max_array_bytes: Option<u64>,
    /// The processor cores on which the server may run; all when empty.
    pub cores: Vec<usize>,
}

/// The servers known to one invocation, ready to be started.
#[derive(Debug, Clone)]
pub struct Servers {
    kinds: Vec<ServerKind>,
    /// What starts the user's own, by their names.
    commands: BTreeMap<String, UserCommand>,
    /// The user's own softIocs, by their names.
    soft_iocs: BTreeMap<String, OtherSoftIoc>,
    site: Result<PythonSite, Missing>,
    /// The epics-gauge program, for the servers inside it; this process's own if none.
    #[cfg(feature = "pure-rust")]
    program: Option<std::path::PathBuf>,
}

impl Servers {
    /// The servers of this crate. `site` holds the Python packages, or why there
    /// are none.
    pub fn built_in(site: Result<PythonSite, Missing>) -> Servers {
        Servers {
            kinds: built_in(),
            commands: BTreeMap::new(),
            soft_iocs: BTreeMap::new(),
            site,
            #[cfg(feature = "pure-rust")]
            program: None,
        }
    }

    /// The same with the servers inside this epics-gauge program.
    #[cfg(feature = "pure-rust")]
    #[must_use]
    pub fn with_program(self, program: &Path) -> Servers {
        Servers { program: Some(program.to_owned()), ..self }
    }

    /// The same with these Python packages.
    #[must_use]
    pub fn with_site(self, site: Result<PythonSite, Missing>) -> Servers {
        Servers { site, ..self }
    }

    /// Adds the servers of a user's file (`docs/adding-a-server.md`).
    ///
    /// # Errors
    /// When it cannot be read, is not of the format, or names a server that there
    /// is already.
    pub fn add_file(&mut self, file: &Path) -> Result<(), ServerFileError> {
        for (kind, command) in user_file::read(file)? {
            if self.get(&kind.name).is_some() {
                return Err(ServerFileError::Taken { file: file.to_owned(), name: kind.name });
            }
            self.commands.insert(kind.name.clone(), command);
            self.kinds.push(kind);
        }
        Ok(())
    }

    /// Adds the softIoc `program`, of whatever EPICS Base, as the server `name`: it
    /// serves the same records as `softioc`, without frames, which take device support
    /// of this crate. Blocks while the program is tried, for some 20 s at most.
    ///
    /// # Errors
    /// When it cannot be executed or does not start as a softIoc does, and when there
    /// is a server of this name already.
    pub fn add_soft_ioc(&mut self, name: &str, program: &Path) -> Result<(), OtherSoftIocError> {
        if self.get(name).is_some() {
            return Err(OtherSoftIocError::Taken(name.to_owned()));
        }
        let (soft_ioc, base) = OtherSoftIoc::tried(program)?;
        self.kinds.push(ServerKind {
            name: name.to_owned(),
            description: format!("the softIoc {}, of EPICS Base {base}", program.display()),
            protocols: vec![Protocol::Ca],
            needs_python_site: false,
            has_frames: false,
        });
        self.soft_iocs.insert(name.to_owned(), soft_ioc);
        Ok(())
    }

    /// All of them, in the order of reports, the user's own last.
    pub fn all(&self) -> &[ServerKind] {
        &self.kinds
    }

    /// The server called `name`.
    pub fn get(&self, name: &str) -> Option<&ServerKind> {
        self.kinds.iter().find(|kind| kind.name == name)
    }

    /// Starts the server `name`; blocks until it serves.
    ///
    /// # Errors
    /// [`IocError::Missing`] when it cannot run here; else why it does not serve.
    pub fn start(&self, name: &str, wanted: &Wanted) -> Result<Box<dyn Server>, IocError> {
        if let Some(other) = self.soft_iocs.get(name) {
            return Ok(Box::new(other.given_to(soft_ioc(wanted)).start()?));
        }
        match name {
            "softioc" => Ok(Box::new(soft_ioc(wanted).start()?)),
            "softioc-pva" => Ok(Box::new(soft_ioc(wanted).pv_access().start()?)),
            _ => Ok(Box::new(self.driven(name, wanted)?.start()?)),
        }
    }

    /// A server that speaks the server protocol.
    fn driven(&self, name: &str, wanted: &Wanted) -> Result<Driven, Missing> {
        let kind = self.get(name).ok_or_else(|| Missing(format!("there is no server `{name}`")))?;
        let command = match self.commands.get(name) {
            Some(command) => command.command(&self.site)?,
            #[cfg(feature = "pure-rust")]
            None if name == PURE_RUST => self.native_command(name)?,
            None => self.python_command(name)?,
        };
        Ok(Driven {
            name: kind.name.clone(),
            protocols: kind.protocols.clone(),
            command,
            wanted: wanted.clone(),
            start_deadline: START_DEADLINE,
        })
    }

    #[cfg(feature = "pure-rust")]
    fn native_command(&self, name: &str) -> Result<Command, Missing> {
        let own = || std::env::current_exe().map_err(|error| Missing(error.to_string()));
        let program = self.program.clone().map_or_else(own, Ok)?;
        Ok(Command::new(program).argument("server").argument(name))
    }

    fn python_command(&self, name: &str) -> Result<Command, Missing> {
        let site = self.site.as_ref().map_err(Missing::clone)?;
        Ok(Command::new(site.python())
            .arguments(["-I", "-S"])
            .argument(embedded::tool("server_main.py")?)
            .argument("--site")
            .argument(site.folder())
            .argument(name))
    }
}

/// The server inside this program.
const PURE_RUST: &str = "epics-base-rs";

fn soft_ioc(wanted: &Wanted) -> super::Builder {
    let mut builder = SoftIoc::builder().cores(&wanted.cores);
    if let Some(rate_hz) = wanted.rate_hz {
        builder = builder.may_scan_at(rate_hz);
    }
    builder = match wanted.frame {
        Some((width, height)) => builder.frames(width, height),
        None => builder.pvs(wanted.pvs),
    };
    match wanted.max_array_bytes {
        Some(bytes) => builder.max_array_bytes(bytes),
        None => builder,
    }
}

fn built_in() -> Vec<ServerKind> {
    use Protocol::{Ca, Pva};
    let kind = |name: &str, protocols: &[Protocol], description: &str| ServerKind {
        name: name.to_owned(),
        description: description.to_owned(),
        protocols: protocols.to_vec(),
        needs_python_site: !name.starts_with("softioc") && name != PURE_RUST,
        has_frames: name.starts_with("softioc"),
    };
    vec![
        kind("softioc", &[Ca], "calc records in EPICS Base's softIoc"),
        kind("softioc-pva", &[Pva], "the same records over pvAccess, with pvxs in the IOC"),
        kind("python-softioc", &[Ca, Pva], "pythonSoftIOC, records that Python sets from asyncio"),
        kind("python-softioc-calc", &[Ca, Pva], "pythonSoftIOC, calc records that the IOC scans"),
        kind("p4p-server", &[Pva], "p4p's server, PVs that a Python thread posts to"),
        kind("caproto-ioc", &[Ca], "caproto's asyncio server, the protocol in pure Python"),
        #[cfg(feature = "pure-rust")]
        kind(PURE_RUST, &[Ca], "simple PVs in pure Rust, set by a tokio task"),
    ]
}
