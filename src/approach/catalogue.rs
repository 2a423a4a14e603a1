//! Which approaches there are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Missing, PythonSite, UserFileError, user_file};
use crate::embedded;
use crate::process::Command;
use crate::record::ApproachFacts;

/// How an approach's worker is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Inside this program: `epics-gauge worker NAME`.
    Native,
    /// A worker of this crate for a Python library of `vendor/python.lock`.
    Python,
    /// The user's own command, from a file.
    User {
        /// Program and arguments; `{python}`, `{site}` and `{folder}` are
        /// filled in.
        command: Vec<String>,
        /// Additional environment, filled in as well.
        environment: BTreeMap<String, String>,
        /// Relative programs are relative to this folder.
        folder: PathBuf,
    },
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
    /// Whether it is the floor.
    pub floor: bool,
    /// Rank by simplicity, 1 the simplest.
    pub simplicity: Option<u32>,
    /// Why it has this rank.
    pub simplicity_reason: String,
}

/// The order by simplicity follows the write-ups: more script and less native
/// code first; then how little a user writes for a connection and a get.
const BUILT_IN: [(&str, Kind, &str, Option<u32>, &str); 8] = [
    (
        "wire",
        Kind::Native,
        "the least work the protocol allows: the floor",
        None,
        "the floor is a yardstick, not a library",
    ),
    (
        "libca",
        Kind::Native,
        "EPICS Base's C client library, preemptive callbacks",
        Some(7),
        "C callbacks on library threads, memory and lifetimes by hand",
    ),
    (
        "epics-ca",
        Kind::Native,
        "Rust crate epics-ca over libca, driven by tokio",
        Some(6),
        "compiled and native, but safe types and async instead of callbacks",
    ),
    (
        "pyca",
        Kind::Python,
        "SLAC's C++ extension over libca, used directly",
        Some(5),
        "script over a C++ extension of its own; callbacks and events by hand",
    ),
    (
        "psp",
        Kind::Python,
        "SLAC's Pv class over pyca",
        Some(4),
        "script with a plain Pv class, over a C++ extension of its own",
    ),
    (
        "pyepics",
        Kind::Python,
        "PV objects over libca through ctypes",
        Some(3),
        "script with plain PV objects; native code is libca alone, through ctypes",
    ),
    (
        "caproto",
        Kind::Python,
        "the protocol in pure Python, threading client",
        Some(1),
        "script all the way down: no native code at all",
    ),
    (
        "aioca",
        Kind::Python,
        "asyncio over libca through ctypes",
        Some(2),
        "script, one call each to connect, get and put; native code is libca alone",
    ),
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
            .into_iter()
            .map(|(name, kind, description, simplicity, reason)| Approach {
                name: name.to_owned(),
                description: description.to_owned(),
                kind,
                floor: name == "wire",
                simplicity,
                simplicity_reason: reason.to_owned(),
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
    /// Whether the Python packages must be installed for it.
    pub fn needs_python_site(&self) -> bool {
        match &self.kind {
            Kind::Native => false,
            Kind::Python => true,
            Kind::User { command, environment, .. } => {
                command.iter().chain(environment.values()).any(|word| word.contains("{site}"))
            }
        }
    }

    /// The command that starts its worker. `gauge` is the epics-gauge program;
    /// `site` the installed Python packages, or why there are none.
    ///
    /// # Errors
    /// [`Missing`] with the reason why it cannot run here.
    pub fn command(
        &self,
        gauge: &Path,
        site: &Result<PythonSite, Missing>,
    ) -> Result<Command, Missing> {
        match &self.kind {
            Kind::Native => Ok(Command::new(gauge).argument("worker").argument(&self.name)),
            Kind::Python => {
                let site = site.as_ref().map_err(Missing::clone)?;
                Ok(Command::new(site.python())
                    .arguments(["-I", "-S"])
                    .argument(embedded::tool("main.py")?)
                    .argument("--site")
                    .argument(site.folder())
                    .argument(&self.name))
            }
            Kind::User { command, environment, folder } => {
                user_command(command, environment, folder, site)
            }
        }
    }

    /// What the judge must know of it.
    pub fn facts(&self) -> ApproachFacts {
        ApproachFacts {
            name: self.name.clone(),
            floor: self.floor,
            simplicity: self.simplicity,
            simplicity_reason: self.simplicity_reason.clone(),
        }
    }
}

fn user_command(
    words: &[String],
    environment: &BTreeMap<String, String>,
    folder: &Path,
    site: &Result<PythonSite, Missing>,
) -> Result<Command, Missing> {
    let fill = |word: &String| fill_in(word, folder, site);
    let mut filled = words.iter().map(fill).collect::<Result<Vec<String>, Missing>>()?;
    let program = filled.remove(0);
    // A path is relative to the file; a bare name is looked up in PATH.
    let program = if program.contains('/') { folder.join(program) } else { PathBuf::from(program) };
    let environment = environment
        .iter()
        .map(|(name, value)| Ok((name.clone(), fill(value)?)))
        .collect::<Result<Vec<(String, String)>, Missing>>()?;
    Ok(Command::new(program).arguments(filled).environment(environment).folder(folder))
}

/// Replaces `{site}`, `{python}` and `{folder}`.
fn fill_in(
    word: &str,
    folder: &Path,
    site: &Result<PythonSite, Missing>,
) -> Result<String, Missing> {
    let mut filled = word.replace("{folder}", &folder.to_string_lossy());
    if filled.contains("{site}") {
        let site = site.as_ref().map_err(Missing::clone)?;
        filled = filled.replace("{site}", &site.folder().to_string_lossy());
    }
    if filled.contains("{python}") {
        filled = filled.replace("{python}", &super::python_program()?.to_string_lossy());
    }
    Ok(filled)
}
