//! The Python that runs Python workers and servers, and the pinned packages for
//! it.

mod chosen;
mod origin;
mod user_command;
mod user_file;

pub use crate::missing::Missing;
pub use chosen::{Chosen, ChosenSite};
pub use origin::{NoOrigin, Origin};
pub use user_command::UserCommand;
pub use user_file::{UserEntry, UserFile, UserFileError};

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::embedded;
use crate::process::{Command, ProcessError};
use crate::system_packages::{Need, PYTHON_MINORS, PYTHON_VARIABLE, advice_on_pip};

const PROBE_DEADLINE: Duration = Duration::from_secs(30);
const INSTALL_DEADLINE: Duration = Duration::from_secs(600);

/// Beside the packages: written last, so that a folder without it is not used.
const COMPLETE: &str = "epics-gauge-complete";

/// The Python packages of `vendor/python.lock`, installed in a cache folder of
/// their own; the user's Python is not touched.
#[derive(Debug, Clone)]
pub struct PythonSite {
    python: PathBuf,
    folder: PathBuf,
}

impl PythonSite {
    /// The packages, installed now if they are not yet; blocks while pip
    /// downloads. `progress` sees pip's lines.
    ///
    /// # Errors
    /// [`Missing`], with the message of pip and how to fix it.
    pub fn install(progress: impl FnMut(&str)) -> Result<PythonSite, Missing> {
        let python = python_program()?;
        let lock = embedded::tool("python.lock")?;
        let folder = embedded::cache_folder().join(folder_name(&python, &lock)?);
        let site = PythonSite { python, folder };
        install_once(&site.folder, || site.pip_install(&lock, progress))?;
        Ok(site)
    }

    /// The interpreter.
    pub fn python(&self) -> &Path {
        &self.python
    }

    /// The folder of the packages, for `sys.path`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `main`, a Python program of this crate that takes `--site FOLDER` first, with nothing
    /// but these packages.
    pub fn command(&self, main: &Path) -> Command {
        command_with(&self.python, &self.folder, main)
    }

    /// That `package` is among them. The lock has packages that some systems have no
    /// build of.
    ///
    /// # Errors
    /// [`Missing`] when it is not.
    pub fn require(&self, package: &str) -> Result<(), Missing> {
        match has_package(&self.folder, package)? {
            true => Ok(()),
            false => Err(Missing(format!(
                "vendor/python.lock has no {package} for this system: its markers say for which"
            ))),
        }
    }

    fn pip_install(&self, lock: &Path, progress: impl FnMut(&str)) -> Result<(), Missing> {
        let pip = pip_install_into(&self.python, &self.folder)
            .argument("--no-deps")
            .argument("--require-hashes")
            .argument("--requirement")
            .argument(lock);
        pip.run(INSTALL_DEADLINE, progress).map(|_| ()).map_err(|error| {
            let error = error.to_string();
            let cause = advice_on_pip(&error).map_or(String::new(), |advice| format!("{advice}\n"));
            Missing(format!(
                "{error}\n{cause}The Python packages are needed once. They are pinned for Python \
                 3.{oldest} to 3.{newest}; {PYTHON_VARIABLE} names another Python than {python}",
                oldest = PYTHON_MINORS.start(),
                newest = PYTHON_MINORS.end(),
                python = self.python.display()
            ))
        })
    }
}

/// Nothing of the user's own Python leaks in.
fn command_with(python: &Path, folder: &Path, main: &Path) -> Command {
    let options = Command::new(python).arguments(["-I", "-S"]);
    options.argument(main).argument("--site").argument(folder)
}

/// Whether `package` is installed in `folder`.
fn has_package(folder: &Path, package: &str) -> Result<bool, Missing> {
    let entries = fs::read_dir(folder)
        .map_err(|error| Missing(format!("cannot look into {}: {error}", folder.display())))?;
    let prefix = format!("{}-", package.replace('-', "_"));
    let is_it = |name: &str| name.starts_with(&prefix) && name.ends_with(".dist-info");
    Ok(entries.flatten().any(|entry| is_it(&entry.file_name().to_string_lossy())))
}

/// pip, about to install what follows into a folder of its own.
fn pip_install_into(python: &Path, folder: &Path) -> Command {
    Command::new(python)
        .arguments(["-m", "pip", "install", "--disable-pip-version-check", "--no-input"])
        .arguments(["--no-warn-script-location", "--root-user-action", "ignore", "--target"])
        .argument(folder)
}

/// Has `install` fill `folder`, unless it was filled before.
fn install_once(
    folder: &Path,
    install: impl FnOnce() -> Result<(), Missing>,
) -> Result<(), Missing> {
    // Before anything is written: a site may share a filled cache that users only read.
    if folder.join(COMPLETE).exists() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("."));
    let guard = parent.join("python.installing");
    let cannot_write = |error: io::Error| {
        Missing(format!(
            "cannot write {}: {error}; set EPICS_GAUGE_CACHE to a folder that can be written",
            parent.display()
        ))
    };
    fs::create_dir_all(parent).map_err(cannot_write)?;
    // Several runs at once: one installs, the others wait for it.
    let guard = File::create(guard).map_err(cannot_write)?;
    guard.lock().map_err(cannot_write)?;
    if folder.join(COMPLETE).exists() {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(cannot_write)?;
    }
    install()?;
    File::create(folder.join(COMPLETE)).map_err(cannot_write)?;
    Ok(())
}

/// The interpreter that [`use_python`] has named.
static NAMED: OnceLock<PathBuf> = OnceLock::new();

/// Has this process use `python` instead of what the environment names. To be called once,
/// before anything asks for Python; a second call has no effect.
pub fn use_python(python: &Path) {
    let _ = NAMED.set(python.to_owned());
}

/// The Python interpreter that runs them: that of [`use_python`], else `EPICS_GAUGE_PYTHON`,
/// else `python3` in PATH; as the path of the real interpreter, so that no version
/// manager's script stands between it and us.
///
/// # Errors
/// [`Missing`] when there is none.
pub fn python_program() -> Result<PathBuf, Missing> {
    let of_environment = || std::env::var(PYTHON_VARIABLE).unwrap_or_else(|_| "python3".to_owned());
    let asked = NAMED.get().cloned().unwrap_or_else(|| PathBuf::from(of_environment()));
    let printed = Command::new(&asked)
        .arguments(["-I", "-c", "import sys; print(sys.executable)"])
        .run(PROBE_DEADLINE, |_| ())
        .map_err(|error| match error {
            ProcessError::Unpack(error) => error.into(),
            error => Missing(format!(
                "{error}\n{}\nor name one with {PYTHON_VARIABLE}",
                Need::Python.advice()
            )),
        })?;
    Ok(PathBuf::from(printed.trim()))
}

/// Depends on everything that decides what pip installs.
fn folder_name(python: &Path, lock: &Path) -> Result<String, Missing> {
    let pins = fs::read(lock).map_err(|error| Missing(format!("{}: {error}", lock.display())))?;
    let pins = embedded::sha256_hex(&pins);
    Ok(format!("python-{}-{}", interpreter_tag(python)?, &pins[..16]))
}

/// What decides which compiled packages an interpreter can import.
fn interpreter_tag(python: &Path) -> Result<String, Missing> {
    let probe = "import sys, sysconfig; \
                 print(sys.implementation.cache_tag, sysconfig.get_platform())";
    let printed =
        Command::new(python).arguments(["-I", "-c", probe]).run(PROBE_DEADLINE, |_| ())?;
    Ok(printed.trim().replace(' ', "-"))
}
