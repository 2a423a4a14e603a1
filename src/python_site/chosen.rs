//! One package as the user chose it, with all that it requires, in an environment of its
//! own: a version, or a source at hand.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use super::{
    COMPLETE, INSTALL_DEADLINE, Missing, Origin, install_once, interpreter_tag, python_program,
};
use crate::embedded;
use crate::process::Command;
use crate::record::{InstalledPackage, PythonEnvironment};
use crate::system_packages::advice_on_pip;

/// Beside the packages: what pip said that it installed.
const PIP_REPORT: &str = "epics-gauge-pip-report.json";

/// Used by several libraries where it is there, and required by few: without it an old
/// release would do other work than a new one.
const ALWAYS_BESIDE: &str = "numpy";

/// What old releases need that do not say so: they were made before numpy 2, and before
/// setuptools came without `pkg_resources`.
const OF_OLD_RELEASES: [&str; 2] = ["numpy<2", "setuptools<81"];

/// Imports all that a package consists of, as its users would.
const IMPORT_ALL: &str = "
import importlib, sys
from importlib import metadata
folder, package = sys.argv[1:]
sys.path.insert(0, folder)
names = set()
for file in metadata.files(package) or ():
    first, *rest = file.parts
    if rest == ['__init__.py'] or (not rest and file.suffix in ('.py', '.so')):
        names.add(first.split('.')[0])
for name in sorted(names - {'test', 'tests', 'examples', 'docs'}):
    importlib.import_module(name)
";

/// How long importing may take.
const IMPORT_DEADLINE: Duration = Duration::from_secs(60);

/// A package that the user chose instead of the pinned one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The package's name, as pip knows it.
    pub package: String,
    /// Which one.
    pub origin: Origin,
    /// What is to be installed with it, as pip takes requirements: what a worker needs that
    /// the package does not require itself.
    pub beside: Vec<String>,
}

/// The environment of a chosen package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChosenSite {
    /// The interpreter.
    pub python: PathBuf,
    /// The folder of the packages, for `sys.path`; nothing else is to be there.
    pub folder: PathBuf,
}

impl Chosen {
    /// Its environment, made now if it is not there yet; blocks while pip downloads and
    /// compiles. `progress` sees pip's lines. The pinned packages are not touched.
    ///
    /// A release is installed once. A source at hand is installed again when a file of it
    /// has changed, what comes from git once in each process.
    ///
    /// # Errors
    /// [`Missing`], with what pip said and how to fix it.
    pub fn installed(&self, progress: impl FnMut(&str)) -> Result<ChosenSite, Missing> {
        // Both sides of a comparison, and servers that are started again, are to have the
        // same files, whatever happens to a checkout meanwhile.
        static INSTALLED: Mutex<BTreeMap<String, ChosenSite>> = Mutex::new(BTreeMap::new());
        let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = [&[self.requirement()], &self.beside[..]].concat().join(" ");
        if let Some(site) = installed.get(&asked) {
            return Ok(site.clone());
        }
        let site = self.installed_now(progress)?;
        installed.insert(asked, site.clone());
        Ok(site)
    }

    fn installed_now(&self, progress: impl FnMut(&str)) -> Result<ChosenSite, Missing> {
        let python = python_program()?;
        let folder = embedded::cache_folder().join(self.folder_name(&python)?);
        if matches!(self.origin, Origin::Git(_)) {
            // What a branch names may have moved.
            let _ = fs::remove_file(folder.join(COMPLETE));
        }
        install_once(&folder, || self.install_what_works(&python, &folder, progress))?;
        Ok(ChosenSite { python, folder })
    }

    /// With the newest of what it requires; where it cannot be imported with that, with what
    /// was usual when it was made.
    fn install_what_works(
        &self,
        python: &Path,
        folder: &Path,
        mut progress: impl FnMut(&str),
    ) -> Result<(), Missing> {
        self.pip_install(python, folder, &[], &mut progress)?;
        let Err(error) = self.is_imported(python, folder) else { return Ok(()) };
        let cannot_write =
            |error: std::io::Error| Missing(format!("cannot empty {}: {error}", folder.display()));
        fs::remove_dir_all(folder).map_err(cannot_write)?;
        self.pip_install(python, folder, &OF_OLD_RELEASES, &mut progress)?;
        self.is_imported(python, folder).map_err(|_| {
            Missing(format!(
                "{error}\n{} {} cannot be imported with what it requires. `--beside` of `compare` \
                 adds requirements, such as --beside 'numpy<1.24'; --python names another Python",
                self.package, self.origin
            ))
        })
    }

    fn is_imported(&self, python: &Path, folder: &Path) -> Result<(), Missing> {
        let import = Command::new(python).arguments(["-I", "-S", "-c", IMPORT_ALL]);
        let import = import.argument(folder).argument(&self.package);
        Ok(import.run(IMPORT_DEADLINE, |_| ()).map(drop)?)
    }

    fn folder_name(&self, python: &Path) -> Result<String, Missing> {
        let state = match &self.origin {
            Origin::Path(path) => state_of(path)
                .map_err(|error| Missing(format!("cannot read {}: {error}", path.display())))?,
            Origin::Release(_) | Origin::Git(_) => String::new(),
        };
        let asked = format!("{} {} {state}", self.requirement(), self.beside.join(" "));
        let hash = embedded::sha256_hex(asked.as_bytes());
        Ok(format!("python-{}-{}-{}", interpreter_tag(python)?, self.package, &hash[..16]))
    }

    fn requirement(&self) -> String {
        match &self.origin {
            Origin::Release(version) => format!("{}=={version}", self.package),
            Origin::Path(path) => format!("{} @ file://{}", self.package, as_address(path)),
            // Older pips refuse `PACKAGE @ git+file:///…`.
            Origin::Git(address) => address.clone(),
        }
    }

    fn pip_install(
        &self,
        python: &Path,
        folder: &Path,
        also: &[&str],
        progress: impl FnMut(&str),
    ) -> Result<(), Missing> {
        let pip = super::pip_install_into(python, folder)
            .argument("--report")
            .argument(folder.with_extension("report"))
            .argument(self.requirement())
            .argument(ALWAYS_BESIDE)
            .arguments(self.beside.iter())
            .arguments(also.iter().copied());
        pip.run(INSTALL_DEADLINE, progress).map_err(|error| {
            let error = error.to_string();
            let cause = advice_on_pip(&error).map_or(String::new(), |advice| format!("{advice}\n"));
            Missing(format!("{error}\n{cause}{}", self.what_there_is(python)))
        })?;
        if !super::has_package(folder, &self.package)? {
            return Err(Missing(format!("{} is no {}", self.origin, self.package)));
        }
        let report = folder.with_extension("report");
        fs::rename(&report, folder.join(PIP_REPORT))
            .map_err(|error| Missing(format!("cannot keep {}: {error}", report.display())))
    }

    /// What could be chosen instead.
    fn what_there_is(&self, python: &Path) -> String {
        let (package, python_name) = (&self.package, python.display());
        let Origin::Release(version) = &self.origin else {
            return format!(
                "Does `{python_name} -m pip install '{}'` work? {package} must be the name of \
                 what it builds",
                self.requirement()
            );
        };
        let ready = match releases_with_wheels(python, package) {
            Some((oldest, newest)) => {
                format!("Ready for this Python are its releases {oldest} to {newest}. ")
            }
            None => String::new(),
        };
        format!(
            "Is there a version {version} of {package}, for this Python? {ready}`{python_name} -m \
             pip index versions {package}` lists them; --python names another Python"
        )
    }
}

impl ChosenSite {
    /// As [`super::PythonSite::command`], with these packages.
    pub fn command(&self, main: &Path) -> Command {
        super::command_with(&self.python, &self.folder, main)
    }

    /// What is in it, for records.
    ///
    /// # Errors
    /// [`Missing`] when pip's report of it cannot be understood.
    pub fn described(&self, of: &str) -> Result<PythonEnvironment, Missing> {
        let path = self.folder.join(PIP_REPORT);
        let wrong = |reason: String| Missing(format!("{}: {reason}", path.display()));
        let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
        let report: PipReport =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let mut packages: Vec<InstalledPackage> =
            report.install.into_iter().map(Installed::described).collect();
        packages.sort_by(|a, b| a.name.cmp(&b.name));
        let python = report.environment.python_full_version;
        Ok(PythonEnvironment { of: of.to_owned(), python, packages })
    }
}

/// The parts that are used of what `pip install --report` writes.
#[derive(serde::Deserialize)]
struct PipReport {
    install: Vec<Installed>,
    environment: Environment,
}

#[derive(serde::Deserialize)]
struct Environment {
    python_full_version: String,
}

#[derive(serde::Deserialize)]
struct Installed {
    metadata: Metadata,
    download_info: DownloadInfo,
}

#[derive(serde::Deserialize)]
struct Metadata {
    name: String,
    version: String,
}

#[derive(serde::Deserialize)]
struct DownloadInfo {
    #[serde(default)]
    archive_info: ArchiveInfo,
    vcs_info: Option<VcsInfo>,
}

#[derive(Default, serde::Deserialize)]
struct ArchiveInfo {
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

#[derive(serde::Deserialize)]
struct VcsInfo {
    commit_id: String,
}

impl Installed {
    fn described(self) -> InstalledPackage {
        InstalledPackage {
            name: self.metadata.name,
            version: self.metadata.version,
            sha256: self.download_info.archive_info.hashes.get("sha256").cloned(),
            commit: self.download_info.vcs_info.map(|info| info.commit_id),
        }
    }
}

/// The oldest and the newest release of which there is a wheel for this Python.
fn releases_with_wheels(python: &Path, package: &str) -> Option<(String, String)> {
    let told = Command::new(python)
        .arguments(["-m", "pip", "index", "versions", "--disable-pip-version-check"])
        .arguments(["--only-binary", ":all:", package])
        .run(INSTALL_DEADLINE, |_| ())
        .ok()?;
    let listed = told.lines().find_map(|line| line.trim().strip_prefix("Available versions: "))?;
    let mut releases = listed.split(", ");
    let newest = releases.next()?;
    Some((releases.last().unwrap_or(newest).to_owned(), newest.to_owned()))
}

/// A path as it stands in an address.
fn as_address(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    bytes
        .map(|byte| match is_plain(*byte) {
            true => char::from(*byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

/// A hash of the names, sizes and times of change of all files below `path`, without what
/// version control and builds keep there.
fn state_of(path: &Path) -> std::io::Result<String> {
    const NO_SOURCE: [&str; 4] = [".git", "build", "__pycache__", ".venv"];
    let mut seen = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(path) = open.pop() {
        let about = fs::symlink_metadata(&path)?;
        if about.is_dir() {
            for entry in fs::read_dir(&path)? {
                let entry = entry?;
                let name = entry.file_name();
                let is_built = name.to_string_lossy().ends_with(".egg-info");
                if !is_built && !NO_SOURCE.iter().any(|other| name == *other) {
                    open.push(entry.path());
                }
            }
            continue;
        }
        let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        seen.push(format!("{} {} {changed}", path.display(), about.len()));
    }
    seen.sort();
    Ok(embedded::sha256_hex(seen.join("\n").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_another_one_when_a_file_of_it_changes_and_not_when_it_is_built() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.py");
        fs::write(&file, "1").unwrap();
        let before = state_of(folder.path()).unwrap();
        fs::create_dir(folder.path().join("build")).unwrap();
        fs::write(folder.path().join("build/b.py"), "1").unwrap();
        assert_eq!(state_of(folder.path()).unwrap(), before);
        fs::write(&file, "12").unwrap();
        assert_ne!(state_of(folder.path()).unwrap(), before);
    }

    #[test]
    fn a_path_is_written_as_an_address() {
        assert_eq!(as_address(Path::new("/a b/é#1.whl")), "/a%20b/%C3%A9%231.whl");
    }

    #[test]
    fn pips_report_names_versions_hashes_and_commits() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"version": "1", "environment": {"python_full_version": "3.11.7"}, "install": [
            {"metadata": {"name": "b", "version": "2"}, "download_info": {"url": "x",
             "archive_info": {"hash": "sha256=12", "hashes": {"sha256": "12"}}}},
            {"metadata": {"name": "a", "version": "1"}, "download_info": {"url": "y",
             "vcs_info": {"vcs": "git", "commit_id": "c0"}}},
            {"metadata": {"name": "c", "version": "3"}, "download_info": {"url": "z", "dir_info": {}}}]}"#;
        fs::write(folder.path().join(PIP_REPORT), text).unwrap();
        let site = ChosenSite { python: PathBuf::new(), folder: folder.path().to_owned() };
        let described = site.described("mine@1").unwrap();
        assert_eq!((described.of.as_str(), described.python.as_str()), ("mine@1", "3.11.7"));
        let told: Vec<_> = described
            .packages
            .iter()
            .map(|package| {
                let InstalledPackage { name, version, sha256, commit } = package;
                (name.as_str(), version.as_str(), sha256.as_deref(), commit.as_deref())
            })
            .collect();
        assert_eq!(
            told,
            [("a", "1", None, Some("c0")), ("b", "2", Some("12"), None), ("c", "3", None, None)]
        );
    }
}
