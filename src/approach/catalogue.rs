//! Which approaches there are.

use std::path::Path;

use super::{Settings, name_without_version, user_file};
use crate::embedded;
use crate::lookup::Lookup;
use crate::manifest::{ApproachManifest, Capabilities, Feature, Over, Placed, Weakness, in_order};
use crate::process::Command;
use crate::protocol::Protocol;
use crate::python_site::{Chosen, Missing, PythonSite, UserCommand, UserFile, UserFileError};
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
    /// The package that it measures, as pip or cargo knows it.
    pub package: Option<String>,
    /// What its worker needs beside that package although that does not require it.
    pub beside: Vec<String>,
    /// The package that was chosen instead of the pinned one.
    pub chosen: Option<Chosen>,
    /// What its users tune, where that was asked for.
    pub settings: Settings,
    /// The name that its worker says hello with, when that is not its own.
    pub hello: Option<String>,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// Whether it is the floor of its protocol.
    pub floor: bool,
    /// Whether it is measured when no approach is named.
    pub is_usual: bool,
    /// Rank by simplicity, 1 the simplest.
    pub simplicity: Option<u32>,
    /// Why it has this rank.
    pub simplicity_reason: String,
    /// The library's ordinary get, as a program writes it.
    pub default_get: Option<String>,
    /// The library below it that speaks the protocol, if it does not itself.
    pub over: Option<Over>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// What is known to be wrong with it.
    pub weaknesses: Vec<Weakness>,
    /// Why this build does not have it.
    pub(super) missing: Option<String>,
}

/// All approaches known to one invocation.
#[derive(Debug, Clone)]
pub struct Catalogue {
    approaches: Vec<Approach>,
}

impl Catalogue {
    /// The approaches of this crate: those whose manifests are embedded, without
    /// those that this build leaves out.
    pub fn built_in() -> Catalogue {
        let manifests = in_order(embedded::approaches());
        Catalogue { approaches: manifests.into_iter().filter_map(Approach::built_in).collect() }
    }

    /// Adds the approaches of a user's file (`docs/adding-an-approach.md`).
    ///
    /// # Errors
    /// When it cannot be read, is not of the format, or names an approach that
    /// there is already.
    pub fn add_file(&mut self, file: &Path) -> Result<(), UserFileError> {
        let added = user_file::File::read(file, |name| self.get(name).is_some())?;
        self.approaches.extend(added);
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
    /// None when this build leaves it out.
    fn built_in(placed: Placed<ApproachManifest>) -> Option<Approach> {
        let Placed { name, is_python, manifest } = placed;
        let missing = match manifest.feature {
            Some(Feature::PureRust) if !cfg!(feature = "pure-rust") => return None,
            Some(Feature::Pvaccess) => crate::PV_ACCESS.err().map(str::to_owned),
            _ => None,
        };
        Some(Approach {
            name,
            description: manifest.description,
            kind: if is_python { Kind::Python } else { Kind::Native },
            package: manifest.package,
            beside: manifest.beside,
            chosen: None,
            settings: Settings::default(),
            hello: None,
            protocol: manifest.protocol,
            floor: manifest.floor,
            is_usual: manifest.usual,
            simplicity: manifest.simplicity.rank,
            simplicity_reason: manifest.simplicity.reason,
            default_get: manifest.default_get,
            over: manifest.over,
            capabilities: manifest.capabilities,
            weaknesses: manifest.weaknesses,
            missing,
        })
    }

    /// The name that its worker says hello with: the one that the user's file gives,
    /// else that of the approach without the chosen version.
    pub fn says_hello_as(&self) -> &str {
        self.hello.as_deref().unwrap_or_else(|| name_without_version(&self.name))
    }

    /// Whether it finds PVs by this lookup.
    pub fn knows(&self, lookup: Lookup) -> bool {
        match lookup {
            Lookup::Udp => true,
            Lookup::NameServer => self.capabilities.name_servers,
        }
    }

    /// Whether the Python packages must be installed for it.
    pub fn needs_python_site(&self) -> bool {
        match &self.kind {
            Kind::Native => false,
            Kind::Python => self.chosen.is_none(),
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
        if let Some(missing) = &self.missing {
            return Err(Missing(missing.clone()));
        }
        match &self.kind {
            Kind::Native => {
                Ok(Command::new(gauge).argument("worker").argument(self.says_hello_as()))
            }
            Kind::Python => {
                let main = embedded::tool("main.py")?;
                let worker = match &self.chosen {
                    Some(chosen) => chosen.installed(|_| ())?.command(&main),
                    None => {
                        let site = site.as_ref().map_err(Missing::clone)?;
                        if let Some(package) = &self.package {
                            site.require(package)?;
                        }
                        site.command(&main)
                    }
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
            default_get: self.default_get.clone(),
        }
    }
}
