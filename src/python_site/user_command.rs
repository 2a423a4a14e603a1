//! Programs of the user's own, as files of approaches and of servers name them.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use super::{Missing, PythonSite, python_program};
use crate::embedded::{self, UnpackError};
use crate::process::Command;

/// Where Python looks for modules first.
const PYTHONPATH: &str = "PYTHONPATH";

/// The user's own command, from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCommand {
    /// Program and arguments; `{python}`, `{site}` and `{folder}` are filled in.
    words: Vec<String>,
    /// Additional environment, filled in as well.
    environment: BTreeMap<String, String>,
    /// Relative programs are relative to this folder.
    folder: PathBuf,
}

impl UserCommand {
    /// The command of `table.name` in `file`.
    ///
    /// # Errors
    /// What is wrong with it, or with its name.
    pub fn new(
        table: &str,
        name: &str,
        file: &Path,
        words: Vec<String>,
        environment: BTreeMap<String, String>,
    ) -> Result<UserCommand, String> {
        if words.is_empty() {
            return Err(format!("{table}.{name}.command is empty"));
        }
        let is_usual = |letter| matches!(letter, 'a'..='z' | '0'..='9' | '-');
        if name.is_empty() || !name.chars().all(is_usual) {
            return Err(format!(
                "the name `{name}` must consist of lower-case letters, digits and -"
            ));
        }
        if let Some(variable) = environment.keys().find(|name| name.starts_with("EPICS_")) {
            return Err(format!(
                "{table}.{name}.env sets {variable}: EPICS_* is what keeps it on loopback, \
                 leave it to the harness"
            ));
        }
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let folder = file.parent().map(Path::to_owned).unwrap_or_default();
        Ok(UserCommand { words, environment, folder })
    }

    /// Whether the Python packages must be installed for it.
    pub fn needs_python_site(&self) -> bool {
        self.words.iter().chain(self.environment.values()).any(|word| word.contains("{site}"))
    }

    /// The command with everything filled in; `site` holds the Python packages,
    /// or why there are none.
    ///
    /// # Errors
    /// [`Missing`] when it needs Python or the packages, and there are none.
    pub fn command(&self, site: &Result<PythonSite, Missing>) -> Result<Command, Missing> {
        let fill = |word: &String| self.fill_in(word, site);
        let mut words = self.words.iter().map(fill).collect::<Result<Vec<String>, Missing>>()?;
        let program = words.remove(0);
        // A path is relative to the file; a bare name is looked up in PATH.
        let program = match program.contains('/') {
            true => self.folder.join(program),
            false => PathBuf::from(program),
        };
        let environment = self
            .environment
            .iter()
            .map(|(name, value)| Ok((name.clone(), fill(value)?)))
            .collect::<Result<Vec<(String, String)>, Missing>>()?;
        let command = Command::new(program).arguments(words).folder(&self.folder);
        Ok(command.environment(with_package(environment)?))
    }

    /// Replaces `{site}`, `{python}` and `{folder}`.
    fn fill_in(&self, word: &str, site: &Result<PythonSite, Missing>) -> Result<String, Missing> {
        let mut filled = word.replace("{folder}", &self.folder.to_string_lossy());
        if filled.contains("{site}") {
            let site = site.as_ref().map_err(Missing::clone)?;
            filled = filled.replace("{site}", &site.folder().to_string_lossy());
        }
        if filled.contains("{python}") {
            filled = filled.replace("{python}", &python_program()?.to_string_lossy());
        }
        Ok(filled)
    }
}

/// Lets Python programs import `epics_gauge` of this build, whose protocol is that of the
/// harness, before any other that is installed.
fn with_package(
    mut environment: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, UnpackError> {
    let given = environment.iter().rposition(|(name, _)| name == PYTHONPATH);
    let others = match given {
        Some(place) => environment.remove(place).1,
        None => env::var(PYTHONPATH).unwrap_or_default(),
    };
    let mut path = embedded::python_folder()?.display().to_string();
    if !others.is_empty() {
        path = format!("{path}:{others}");
    }
    environment.push((PYTHONPATH.to_owned(), path));
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_comes_before_what_the_file_puts_into_pythonpath() {
        let package = embedded::python_folder().unwrap().display().to_string();
        let own =
            vec![(PYTHONPATH.to_owned(), "/mine".to_owned()), ("A".to_owned(), "1".to_owned())];
        let made = with_package(own).unwrap();
        assert_eq!(made[0], ("A".to_owned(), "1".to_owned()));
        assert_eq!(made[1], (PYTHONPATH.to_owned(), format!("{package}:/mine")));
        assert!(Path::new(&package).join("epics_gauge/worker/__init__.py").is_file());
    }
}
