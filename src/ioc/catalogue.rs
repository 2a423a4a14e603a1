//! The catalogue of servers: name, protocols, and starting one.

mod user_file;

use std::fmt;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::behind::{Behind, WantedLink};
use super::gateway::Gateway;
use super::other_soft_ioc::{OtherSoftIoc, OtherSoftIocError};
use super::protocol_server::{START_DEADLINE, ServerProgram};
use super::scanning::MixedRates;
use super::{IocError, Server, SoftIoc};
use crate::embedded;
use crate::manifest::{Feature, Holds, Placed, ServerManifest, Weakness};
use crate::process::{Command, Reach};
use crate::protocol::Protocol;
use crate::python_site::{
    Chosen, Missing, NoOrigin, Origin, PythonSite, UserCommand, UserFile, UserFileError,
};

/// One way to be an IOC.
#[derive(Debug, Clone)]
pub struct ServerKind {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub description: String,
    /// The protocols that it serves; approaches of these are measured with it.
    pub protocols: Vec<Protocol>,
    /// The package that it measures, as pip or cargo knows it.
    pub package: Option<String>,
    /// Whether the Python packages must be installed for it.
    pub needs_python_site: bool,
    /// Whether it makes frames.
    pub has_frames: bool,
    /// Whether it is measured when no server is named.
    pub is_usual: bool,
    /// Whether it is a softIoc of this crate, which has a shell and loads databases.
    pub has_shell: bool,
    /// Whether it forwards the PVs of another server. It keeps what one client made it open for
    /// the next, so each worker gets a fresh one.
    pub is_gateway: bool,
    /// Which records of conformance checks it holds.
    pub holds: Option<Holds>,
    /// What is known to be wrong with it.
    pub weaknesses: Vec<Weakness>,
    /// The package that was chosen instead of the pinned one.
    pub chosen: Option<Chosen>,
    /// What starts it.
    start: Start,
}

impl ServerKind {
    /// The name that it says hello with: without the version that was chosen.
    fn says_hello_as(&self) -> &str {
        self.name.split_once('@').map_or(&self.name, |(name, _)| name)
    }
}

/// Why a text does not name a server.
#[derive(Debug, thiserror::Error)]
pub enum UnknownServer {
    /// There is no such server.
    #[error("unknown server `{name}`; there are: {}", known.join(", "))]
    Unknown {
        /// The name, without version.
        name: String,
        /// The names of all servers.
        known: Vec<String>,
    },
    /// It is not a Python server of this crate.
    #[error(
        "the server {name} has no versions to choose: compare softIocs with --ioc-a and --ioc-b, \
         and make each version of a server of your own a [server.NAME] (docs/adding-a-server.md)"
    )]
    NoVersions {
        /// The server.
        name: String,
    },
    /// Not a version, and nothing else that can be installed.
    #[error(transparent)]
    Origin(#[from] NoOrigin),
}

/// What starts a server.
#[derive(Debug, Clone)]
enum Start {
    /// A softIoc of this crate.
    SoftIoc,
    /// A softIoc of the user's own.
    OtherSoftIoc(OtherSoftIoc),
    /// This program: `epics-gauge server NAME`.
    Native,
    /// Python of this crate, for a library of `vendor/python.lock`.
    Python,
    /// The user's own command, from a file.
    User(UserCommand),
    /// Python of this crate, for a gateway before this server.
    Gateway { upstream: String },
}

/// Records of the caller's own, beside or instead of `gauge:0`, `gauge:1`, …
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Database {
    /// The text of the database.
    pub text: String,
    /// The file with the rules of access security.
    pub access_rules: PathBuf,
}

/// What a server is to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// How many PVs `gauge:0`, `gauge:1`, …
    pub pvs: usize,
    /// The rate at which [`Server::start_scanning`] will be asked to update them.
    pub rate_hz: Option<f64>,
    /// The size of the frames of `gauge:frame`, if it is to be there.
    pub frame: Option<(u32, u32)>,
    /// The rates at which [`Server::start_mixed_scanning`] will be asked to update PVs and
    /// frames; then there are both.
    pub mixed: Option<MixedRates>,
    /// The array limit of server and clients, when the user set it.
    pub max_array_bytes: Option<u64>,
    /// Whether there are `gauge:slow`, which takes 1 s to complete a put to its field A, and
    /// `gauge:refusing`, which takes no put: of softIocs only.
    pub put_records: bool,
    /// Records of the caller's own: only for servers that [`ServerKind::holds`] some.
    pub database: Option<Database>,
    /// The processor cores on which the server may run; all when empty.
    pub cores: Vec<usize>,
    /// The link between it and its clients, if there is to be one.
    pub link: Option<WantedLink>,
    /// Where it serves, and where its clients are, when that is not loopback.
    pub hosts: Option<HostAddresses>,
}

/// The addresses of two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostAddresses {
    /// The server serves on this one alone.
    pub server: Ipv4Addr,
    /// Its clients search from this one, and it sends its beacons there.
    pub clients: Ipv4Addr,
}

/// Starts servers somewhere else.
pub trait StartsServers: fmt::Debug + Send + Sync {
    /// Starts the server `name` there; blocks until it serves.
    ///
    /// # Errors
    /// Why it does not.
    fn start(&self, name: &str, wanted: &Wanted) -> Result<Box<dyn Server>, IocError>;
}

impl Wanted {
    /// Which way its clients come.
    pub(super) fn reach(&self) -> Reach {
        match (self.hosts, self.link) {
            (Some(HostAddresses { server, clients }), _) => Reach::Hosts { server, clients },
            (None, Some(_)) => Reach::OverLink,
            (None, None) => Reach::Direct,
        }
    }
}

/// The servers known to one invocation, ready to be started.
#[derive(Debug, Clone)]
pub struct Servers {
    kinds: Vec<ServerKind>,
    site: Result<PythonSite, Missing>,
    /// The epics-gauge program, for the servers inside it; this process's own if none.
    program: Option<std::path::PathBuf>,
    /// What starts them, when that is not this process.
    elsewhere: Option<Arc<dyn StartsServers>>,
}

impl Servers {
    /// The servers of this crate. `site` holds the Python packages, or why there
    /// are none.
    pub fn built_in(site: Result<PythonSite, Missing>) -> Servers {
        Servers { kinds: built_in(), site, program: None, elsewhere: None }
    }

    /// The same with the servers inside this epics-gauge program.
    #[must_use]
    pub fn with_program(self, program: &Path) -> Servers {
        Servers { program: Some(program.to_owned()), ..self }
    }

    /// The same, started somewhere else.
    #[must_use]
    pub fn started_by(self, elsewhere: Arc<dyn StartsServers>) -> Servers {
        Servers { elsewhere: Some(elsewhere), ..self }
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
    pub fn add_file(&mut self, file: &Path) -> Result<(), UserFileError> {
        let added = user_file::File::read(file, |name| self.get(name).is_some())?;
        self.kinds.extend(added);
        Ok(())
    }

    /// Adds the softIoc `program`, of whatever EPICS Base, as the server `name`: it
    /// serves the same records as `softioc`; over pvAccess too if the program has a server
    /// of it, and with frames if it has their device support. Blocks while the program is tried, for some 20 s at most.
    ///
    /// # Errors
    /// When it cannot be executed or does not start as a softIoc does, and when there
    /// is a server of this name already.
    pub fn add_soft_ioc(&mut self, name: &str, program: &Path) -> Result<(), OtherSoftIocError> {
        if self.get(name).is_some() {
            return Err(OtherSoftIocError::Taken(name.to_owned()));
        }
        let soft_ioc = OtherSoftIoc::tried(program)?;
        let base = &soft_ioc.base;
        let pv_access = soft_ioc.has_pv_access.then_some(Protocol::Pva);
        self.kinds.push(ServerKind {
            name: name.to_owned(),
            description: format!("the softIoc {}, of EPICS Base {base}", program.display()),
            protocols: std::iter::once(Protocol::Ca).chain(pv_access).collect(),
            package: None,
            needs_python_site: false,
            has_frames: soft_ioc.has_frames,
            is_usual: false,
            has_shell: false,
            is_gateway: false,
            holds: Some(Holds { database: true, ..Holds::default() }),
            weaknesses: Vec::new(),
            chosen: None,
            start: Start::OtherSoftIoc(soft_ioc),
        });
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

    /// The server that `text` names: `NAME`, or `NAME@` and an [`Origin`] for a Python server
    /// of this crate with that version of its library, which is added, and with `beside`
    /// installed too. Whether there is such a version shows when it starts.
    ///
    /// # Errors
    /// When there is no such server, or none with versions to choose.
    pub fn resolve(&mut self, text: &str, beside: &[String]) -> Result<ServerKind, UnknownServer> {
        if let Some(known) = self.get(text) {
            return Ok(known.clone());
        }
        let (name, origin) = text.split_once('@').map_or((text, None), |(a, b)| (a, Some(b)));
        let kind = self.get(name).cloned().ok_or_else(|| UnknownServer::Unknown {
            name: name.to_owned(),
            known: self.kinds.iter().map(|kind| kind.name.clone()).collect(),
        })?;
        let Some(origin) = origin else { return Ok(kind) };
        let (Start::Python | Start::Gateway { .. }, Some(package)) = (&kind.start, &kind.package)
        else {
            return Err(UnknownServer::NoVersions { name: name.to_owned() });
        };
        let origin = Origin::of(name, origin)?;
        let chosen = Chosen { package: package.clone(), origin, beside: beside.to_vec() };
        let made = ServerKind {
            name: text.to_owned(),
            description: format!("{}, {}", kind.description, chosen.origin),
            needs_python_site: false,
            chosen: Some(chosen),
            ..kind
        };
        self.kinds.push(made.clone());
        Ok(made)
    }

    /// Starts the server `name`; blocks until it serves.
    ///
    /// # Errors
    /// [`IocError::Missing`] when it cannot run here; else why it does not serve.
    pub fn start(&self, name: &str, wanted: &Wanted) -> Result<Box<dyn Server>, IocError> {
        if let Some(elsewhere) = &self.elsewhere {
            return elsewhere.start(name, wanted);
        }
        let server = self.start_alone(name, wanted)?;
        match wanted.link {
            Some(link) => Ok(Box::new(Behind::link(server, link)?)),
            None => Ok(server),
        }
    }

    fn start_alone(&self, name: &str, wanted: &Wanted) -> Result<Box<dyn Server>, IocError> {
        let kind = self.get(name).ok_or_else(|| Missing(format!("there is no server `{name}`")))?;
        let command = match &kind.start {
            Start::SoftIoc if kind.protocols.contains(&Protocol::Pva) => {
                return Ok(Box::new(soft_ioc(wanted).pv_access().start()?));
            }
            Start::SoftIoc => return Ok(Box::new(soft_ioc(wanted).start()?)),
            Start::OtherSoftIoc(other) => {
                return Ok(Box::new(other.given_to(soft_ioc(wanted)).start()?));
            }
            Start::Native => self.native_command(name)?,
            Start::Python => self.python_command(kind)?,
            Start::User(command) => command.command(&self.site)?,
            Start::Gateway { upstream } => return self.start_behind(kind, upstream, wanted),
        };
        let program = ServerProgram {
            name: kind.says_hello_as().to_owned(),
            protocols: kind.protocols.clone(),
            command,
            wanted: wanted.clone(),
            start_deadline: START_DEADLINE,
        };
        Ok(Box::new(program.start()?))
    }

    /// Starts the server behind a gateway on loopback, and the gateway where it is wanted.
    fn start_behind(
        &self,
        kind: &ServerKind,
        upstream: &str,
        wanted: &Wanted,
    ) -> Result<Box<dyn Server>, IocError> {
        let command = self.python_command(kind)?.cores(&wanted.cores);
        let behind = Wanted { hosts: None, link: None, ..wanted.clone() };
        let server = self.start_alone(upstream, &behind)?;
        let (reach, most) = (wanted.reach(), wanted.max_array_bytes);
        let gateway = Gateway::start(command, server.as_ref(), reach, most)?;
        Ok(Box::new(Behind::gateway(server, gateway)))
    }

    fn native_command(&self, name: &str) -> Result<Command, Missing> {
        let own = || std::env::current_exe().map_err(|error| Missing(error.to_string()));
        let program = self.program.clone().map_or_else(own, Ok)?;
        Ok(Command::new(program).argument("server").argument(name))
    }

    fn python_command(&self, kind: &ServerKind) -> Result<Command, Missing> {
        let main = embedded::tool("server_main.py")?;
        let command = match &kind.chosen {
            Some(chosen) => chosen.installed(|_| ())?.command(&main),
            None => self.site.as_ref().map_err(Missing::clone)?.command(&main),
        };
        Ok(command.argument(kind.says_hello_as()))
    }
}

/// What [`Wanted::put_records`] asks for.
const PUT_RECORDS: &str = r#"
record(calcout, "gauge:slow") { field(CALC, "A") field(OOPT, "Every Time") field(ODLY, "1") }
record(ao, "gauge:refusing") { field(DISP, "1") }
"#;

fn soft_ioc(wanted: &Wanted) -> super::Builder {
    let mut builder = SoftIoc::builder().cores(&wanted.cores).reach(wanted.reach());
    if let Some(rate_hz) = wanted.rate_hz {
        builder = builder.may_scan_at(rate_hz);
    }
    for rate_hz in wanted.mixed.map(MixedRates::all_hz).unwrap_or_default() {
        builder = builder.may_scan_at(rate_hz);
    }
    if wanted.put_records {
        builder = builder.db(PUT_RECORDS, &[]);
    }
    if let Some(database) = &wanted.database {
        builder = builder.db(&database.text, &[]).access_security(&database.access_rules, "");
    }
    builder = match wanted.frame {
        Some((width, height)) => builder.frames(width, height),
        None => builder.pvs(wanted.pvs),
    };
    if wanted.mixed.is_some() {
        builder = builder.pvs(wanted.pvs);
    }
    match wanted.max_array_bytes {
        Some(bytes) => builder.max_array_bytes(bytes),
        None => builder,
    }
}

/// The servers whose manifests are embedded, without those that this build leaves out.
fn built_in() -> Vec<ServerKind> {
    let mut manifests = embedded::servers();
    manifests.sort_by_key(|placed| placed.manifest.place);
    manifests.into_iter().filter_map(kind).collect()
}

fn kind(placed: Placed<ServerManifest>) -> Option<ServerKind> {
    let Placed { name, is_python, manifest } = placed;
    if manifest.feature == Some(Feature::PureRust) && !cfg!(feature = "pure-rust") {
        return None;
    }
    Some(ServerKind {
        name,
        description: manifest.description,
        protocols: manifest.protocols,
        package: manifest.package,
        needs_python_site: is_python,
        has_frames: manifest.soft_ioc || manifest.upstream.is_some(),
        is_usual: manifest.usual,
        has_shell: manifest.soft_ioc,
        is_gateway: manifest.upstream.is_some(),
        holds: manifest.conform,
        weaknesses: manifest.weaknesses,
        chosen: None,
        start: match (manifest.upstream, is_python, manifest.soft_ioc) {
            (Some(upstream), ..) => Start::Gateway { upstream },
            (None, true, _) => Start::Python,
            (None, false, true) => Start::SoftIoc,
            (None, false, false) => Start::Native,
        },
    })
}
