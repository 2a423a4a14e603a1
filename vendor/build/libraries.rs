//! The libraries of EPICS Base that are built, as one table. What belongs to
//! each is listed in the source archive itself (`setup.py.d`), and read there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::stop::{Outcome, cargo_variable, read};

pub(crate) struct Library {
    /// As in `lib<name>.a` and in the archive's lists.
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
    /// The stem of its generated `<stem>API.h`.
    pub(crate) api: &'static str,
    /// Listed by the archive though it is a program with a `main` of its own.
    not_its_own: &'static [&'static str],
    /// Needed by the library though the archive does not list it; `OS` stands
    /// for the operating system's folder.
    unlisted: &'static [&'static str],
}

/// In the order in which the linker wants them: each before what it needs.
pub(crate) const LIBRARIES: [Library; 4] = [
    Library {
        name: "dbRecStd",
        folder: "modules/database/src/std",
        api: "dbRecStd",
        not_its_own: &[],
        unlisted: &[],
    },
    Library {
        name: "dbCore",
        folder: "modules/database/src/ioc",
        api: "dbCore",
        not_its_own: &["as/ascheck.c"],
        unlisted: &[],
    },
    Library { name: "ca", folder: "modules/ca/src", api: "libCa", not_its_own: &[], unlisted: &[] },
    Library {
        name: "Com",
        folder: "modules/libcom/src",
        api: "libCom",
        not_its_own: &[],
        unlisted: &["osi/os/OS/osdgetexec.c"],
    },
];

impl Library {
    /// C and C++ files of this library, as paths below `tree`.
    pub(crate) fn sources(&self, tree: &Path) -> Outcome<Vec<PathBuf>> {
        let mut files = self.listed(tree, "source")?;
        files.retain(|file| !self.not_its_own.iter().any(|program| file.ends_with(program)));
        let os = operating_system();
        files.extend(
            self.unlisted.iter().map(|file| tree.join(self.folder).join(file.replace("OS", os))),
        );
        Ok(files)
    }

    /// Folders whose headers are for this library only.
    pub(crate) fn include_folders(&self, tree: &Path) -> Outcome<Vec<PathBuf>> {
        self.listed(tree, "include")
    }

    /// Headers that other libraries and clients see.
    pub(crate) fn public_headers(&self, tree: &Path) -> Outcome<Vec<PathBuf>> {
        self.listed(tree, "header")
    }

    fn listed(&self, tree: &Path, kind: &str) -> Outcome<Vec<PathBuf>> {
        let mut paths = Vec::new();
        for group in ["all", operating_system()] {
            let list = tree.join("setup.py.d").join(format!("{}.{group}.{kind}", self.name));
            if !fs::exists(&list).unwrap_or(false) {
                continue;
            }
            let text = read(&list)?;
            let entries = text
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'));
            paths.extend(entries.map(|entry| tree.join(self.folder).join(entry)));
        }
        Ok(paths)
    }
}

/// EPICS' name of the target's operating system, as in the archive's lists.
pub(crate) fn operating_system() -> &'static str {
    if targets_macos() { "Darwin" } else { "Linux" }
}

pub(crate) fn targets_macos() -> bool {
    cargo_variable("CARGO_CFG_TARGET_OS") == "macos"
}

/// EPICS' name of the target, as in `lib/linux-x86_64`.
pub(crate) fn target_architecture() -> String {
    let processor = cargo_variable("CARGO_CFG_TARGET_ARCH");
    match (operating_system(), processor.as_str()) {
        ("Darwin", "x86_64") => "darwin-x86".to_string(),
        ("Darwin", other) => format!("darwin-{other}"),
        (_, "x86") => "linux-x86".to_string(),
        (_, other) => format!("linux-{other}"),
    }
}
