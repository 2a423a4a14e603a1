//! One package in a version that the user chose, beside the pinned packages.

use std::path::{Path, PathBuf};

use super::{Missing, PythonSite};
use crate::system_packages::advice_on_pip;

impl PythonSite {
    /// The folder in which `package` is installed in `version`, alone: what it needs
    /// is taken from the pinned packages, so this folder goes before theirs on
    /// `sys.path`. Installed now if it is not yet; blocks while pip downloads.
    /// `progress` sees pip's lines. Both names must be free of anything that pip could
    /// take for an option. Its files are not pinned by a hash.
    ///
    /// # Errors
    /// [`Missing`], with what pip said and how to fix it.
    pub fn with_version(
        &self,
        package: &str,
        version: &str,
        progress: impl FnMut(&str),
    ) -> Result<PathBuf, Missing> {
        let mut folder = self.folder.clone().into_os_string();
        folder.push(format!("-{package}-{version}"));
        let folder = PathBuf::from(folder);
        super::install_once(&folder, || {
            self.pip_install_alone(&folder, package, version, progress)
        })?;
        Ok(folder)
    }

    fn pip_install_alone(
        &self,
        folder: &Path,
        package: &str,
        version: &str,
        progress: impl FnMut(&str),
    ) -> Result<(), Missing> {
        let pip = self.pip_install_into(folder).argument(format!("{package}=={version}"));
        pip.run(super::INSTALL_DEADLINE, progress).map(|_| ()).map_err(|error| {
            let error = error.to_string();
            let cause = advice_on_pip(&error).map_or(String::new(), |advice| format!("{advice}\n"));
            Missing(format!(
                "{error}\n{cause}Is there a version {version} of {package}, for this Python? \
                 `{python} -m pip index versions {package}` lists them",
                python = self.python.display()
            ))
        })
    }
}
