//! Which approaches there are.

use std::path::Path;

use super::{ChosenVersion, UserFileError, name_without_version, user_file};
use crate::embedded;
use crate::process::Command;
use crate::protocol::Protocol;
use crate::python_site::{Missing, PythonSite, UserCommand};
use crate::record::ApproachFacts;

/// How an approach's worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Inside this program: `epics-gauge worker NAME`.
    Native,
    /// A worker of this crate for a Python library of `vendor/python.lock`.
    Python,
    /// The user's own command, from a file.
    User(UserCommand),
}

/// One way to be a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approach {
    /// Its name.
    pub name: String,
    /// What it is, in one line.
    pub description: String,
    /// How its worker is started.
    pub kind: Kind,
    /// The version of its library that was chosen instead of the pinned one.
    pub version: Option<ChosenVersion>,
    /// The name that its worker says hello with, when that is not its own.
    pub hello: Option<String>,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Whether it is the floor of its protocol.
    pub floor: bool,
    /// Rank by simplicity, 1 the simplest.
    pub simplicity: Option<u32>,
    /// Why it has this rank.
    pub simplicity_reason: String,
}

/// An approach of this crate, as the table below writes it.
struct BuiltIn {
    name: &'static str,
    kind: Kind,
    protocol: Protocol,
    description: &'static str,
    simplicity: Option<u32>,
    simplicity_reason: &'static str,
}

/// The floor of each protocol.
const FLOORS: [&str; 2] = ["wire", "pvxs"];

/// The order by simplicity follows the write-ups: more script and less native
/// code first; then how little a user writes for a connection and a get.
const BUILT_IN: &[BuiltIn] = &[
    BuiltIn {
        name: "wire",
        kind: Kind::Native,
        protocol: Protocol::Ca,
        description: "the least work the protocol allows: the floor",
        simplicity: None,
        simplicity_reason: "the floor is a yardstick, not a library",
    },
    BuiltIn {
        name: "libca",
        kind: Kind::Native,
        protocol: Protocol::Ca,
        description: "EPICS Base's C client library, preemptive callbacks",
        simplicity: Some(8),
        simplicity_reason: "C callbacks on library threads, memory and lifetimes by hand",
    },
    BuiltIn {
        name: "epics-ca",
        kind: Kind::Native,
        protocol: Protocol::Ca,
        description: "Rust crate epics-ca over libca, driven by tokio",
        simplicity: Some(7),
        simplicity_reason: "compiled and native, but safe types and async instead of callbacks",
    },
    BuiltIn {
        name: "pyca",
        kind: Kind::Python,
        protocol: Protocol::Ca,
        description: "SLAC's C++ extension over libca, used directly",
        simplicity: Some(6),
        simplicity_reason: "script over a C++ extension of its own; callbacks and events by hand",
    },
    BuiltIn {
        name: "psp",
        kind: Kind::Python,
        protocol: Protocol::Ca,
        description: "SLAC's Pv class over pyca",
        simplicity: Some(5),
        simplicity_reason: "script with a plain Pv class, over a C++ extension of its own",
    },
    BuiltIn {
        name: "pyepics",
        kind: Kind::Python,
        protocol: Protocol::Ca,
        description: "PV objects over libca through ctypes",
        simplicity: Some(3),
        simplicity_reason: "script with plain PV objects; native code is libca alone, through ctypes",
    },
    BuiltIn {
        name: "caproto",
        kind: Kind::Python,
        protocol: Protocol::Ca,
        description: "the protocol in pure Python, threading client",
        simplicity: Some(1),
        simplicity_reason: "script all the way down: no native code at all",
    },
    BuiltIn {
        name: "aioca",
        kind: Kind::Python,
        protocol: Protocol::Ca,
        description: "asyncio over libca through ctypes",
        simplicity: Some(2),
        simplicity_reason: "script, one call each to connect, get and put; native code is libca alone",
    },
    BuiltIn {
        name: "pvxs",
        kind: Kind::Native,
        protocol: Protocol::Pva,
        description: "pvAccess in C++, used directly: the floor of pvAccess",
        simplicity: None,
        simplicity_reason: "the floor is a yardstick, not a library",
    },
    BuiltIn {
        name: "p4p",
        kind: Kind::Python,
        protocol: Protocol::Pva,
        description: "pvAccess over pvxs, client for threads",
        simplicity: Some(4),
        simplicity_reason: "script, one call each to get, put and monitor, over a C++ extension",
    },
    BuiltIn {
        name: "p4p-asyncio",
        kind: Kind::Python,
        protocol: Protocol::Pva,
        description: "pvAccess over pvxs, client for asyncio",
        simplicity: Some(4),
        simplicity_reason: "the same calls as coroutines",
    },
    #[cfg(feature = "pure-rust")]
    BuiltIn {
        name: "epics-ca-rs",
        kind: Kind::Native,
        protocol: Protocol::Ca,
        description: "Channel Access in pure Rust, driven by tokio",
        simplicity: Some(7),
        simplicity_reason: "compiled and native, async, but Rust down to the socket",
    },
    #[cfg(feature = "pure-rust")]
    BuiltIn {
        name: "epics-pva-rs",
        kind: Kind::Native,
        protocol: Protocol::Pva,
        description: "pvAccess in pure Rust, told the server's address: it searches for nothing",
        simplicity: Some(7),
        simplicity_reason: "compiled and native, async, but Rust down to the socket",
    },
];

/// All approaches known to one invocation.
#[derive(Debug, Clone)]
pub struct Catalogue {
    approaches: Vec<Approach>,
}

impl Catalogue {
    /// The approaches of this crate.
    pub fn built_in() -> Catalogue {
        let approaches = BUILT_IN
            .iter()
            .map(|one| Approach {
                name: one.name.to_owned(),
                description: one.description.to_owned(),
                kind: one.kind.clone(),
                version: None,
                hello: None,
                protocol: one.protocol,
                floor: FLOORS.contains(&one.name),
                simplicity: one.simplicity,
                simplicity_reason: one.simplicity_reason.to_owned(),
            })
            .collect();
        Catalogue { approaches }
    }

    /// Adds the approaches of a user's file (`docs/adding-an-approach.md`).
    ///
    /// # Errors
    /// When it cannot be read, is not of the format, or names an approach that
    /// there is already.
    pub fn add_file(&mut self, file: &Path) -> Result<(), UserFileError> {
        for approach in user_file::read(file)? {
            if self.get(&approach.name).is_some() {
                return Err(UserFileError::Taken { file: file.to_owned(), name: approach.name });
            }
            self.approaches.push(approach);
        }
        Ok(())
    }

    /// All of them, the floor first, the user's own last.
    pub fn all(&self) -> &[Approach] {
        &self.approaches
    }

    /// The approach called `name`.
    pub fn get(&self, name: &str) -> Option<&Approach> {
        self.approaches.iter().find(|approach| approach.name == name)
    }
}

impl Approach {
    /// The name that its worker says hello with: the one that the user's file gives,
    /// else that of the approach without the chosen version.
    pub fn says_hello_as(&self) -> &str {
        self.hello.as_deref().unwrap_or_else(|| name_without_version(&self.name))
    }

    /// Whether the Python packages must be installed for it.
    pub fn needs_python_site(&self) -> bool {
        match &self.kind {
            Kind::Native => false,
            Kind::Python => true,
            Kind::User(command) => command.needs_python_site(),
        }
    }

    /// The command that starts its worker. `gauge` is the epics-gauge program;
    /// `site` the installed Python packages, or why there are none. Blocks while pip
    /// installs a chosen version for the first time.
    ///
    /// # Errors
    /// [`Missing`] with the reason why it cannot run here.
    pub fn command(
        &self,
        gauge: &Path,
        site: &Result<PythonSite, Missing>,
    ) -> Result<Command, Missing> {
        match &self.kind {
            Kind::Native => {
                if self.name == "pvxs" {
                    crate::PV_ACCESS.map_err(|why| Missing(why.to_owned()))?;
                }
                Ok(Command::new(gauge).argument("worker").argument(&self.name))
            }
            Kind::Python => {
                let site = site.as_ref().map_err(Missing::clone)?;
                let worker = Command::new(site.python())
                    .arguments(["-I", "-S"])
                    .argument(embedded::tool("main.py")?)
                    .argument("--site")
                    .argument(site.folder());
                let worker = match &self.version {
                    None => worker,
                    Some(ChosenVersion { package, version }) => worker
                        .argument("--chosen")
                        .argument(site.with_version(package, version, |_| ())?)
                        .argument(package),
                };
                Ok(worker.argument(self.says_hello_as()))
            }
            Kind::User(command) => command.command(site),
        }
    }

    /// What the judge must know of it.
    pub fn facts(&self) -> ApproachFacts {
        ApproachFacts {
            name: self.name.clone(),
            protocol: self.protocol,
            floor: self.floor,
            simplicity: self.simplicity,
            simplicity_reason: self.simplicity_reason.clone(),
        }
    }
}
