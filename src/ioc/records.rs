//! Records of the caller's own: where they come from, and the shell commands that load them.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::IocError;

/// Extensions of files that `dbLoadTemplate` reads; everything else is a database.
const SUBSTITUTIONS: [&str; 3] = ["substitutions", "subs", "sub"];

/// Records of the caller's own. Macros are as macLib reads them: `P=t:,N="a,b"`.
#[derive(Debug, Clone)]
pub(super) enum Records {
    /// A template, once for each set of macros.
    Template { file: PathBuf, instances: Vec<Vec<(String, String)>> },
    /// Database text.
    Text { text: String, macros: String },
    /// A database, a template or a substitutions file.
    File { file: PathBuf, macros: String },
}

/// Whether `dbLoadTemplate` reads a file.
pub(super) fn is_substitutions(file: &Path) -> bool {
    let known = |extension: &OsStr| SUBSTITUTIONS.iter().any(|name| extension == *name);
    file.extension().is_some_and(known)
}

/// Macros as macLib reads them.
pub(super) fn macro_text<N: AsRef<str>, V: AsRef<str>>(macros: &[(N, V)]) -> String {
    let assigned: Vec<String> = macros
        .iter()
        .map(|(name, value)| format!("{}={}", name.as_ref(), quoted(value.as_ref())))
        .collect();
    assigned.join(",")
}

/// A macro's value as macLib reads it: without quotes it ends at a comma.
fn quoted(value: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "_-.:/".contains(letter);
    match value {
        _ if !value.is_empty() && value.chars().all(is_plain) => value.to_owned(),
        _ if value.contains('"') => format!("'{value}'"),
        _ => format!("\"{value}\""),
    }
}

/// One argument as the shell reads it: a backslash means nothing to it between
/// quotes, and `$` has a meaning everywhere else.
pub(super) fn word(text: &str) -> String {
    if !text.contains(['"', '$']) {
        return format!("\"{text}\"");
    }
    let mut escaped = String::new();
    for letter in text.chars() {
        if !letter.is_alphanumeric() {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// A path as the shell reads it.
///
/// # Errors
/// When it is not UTF-8, as scripts here are.
pub(super) fn path_word(path: &Path) -> Result<String, IocError> {
    match path.to_str() {
        Some(text) if !text.contains('\n') => Ok(word(text)),
        _ => Err(IocError::InvalidRequest(format!(
            "the path {} cannot be written into a start-up script: it is not UTF-8, or has a line \
             end in it; rename the folder or the file, or make a symbolic link to it",
            path.display()
        ))),
    }
}

/// The IOC runs in another folder than its caller.
pub(super) fn absolute(file: &Path) -> PathBuf {
    std::path::absolute(file).unwrap_or_else(|_| file.to_owned())
}

/// One `file` block; each instance names its macros, so that the order is free.
pub(super) fn substitutions(
    file: &Path,
    instances: impl Iterator<Item = Vec<(String, String)>>,
) -> String {
    let mut text = format!("file \"{}\" {{\n", file.display());
    for macros in instances {
        text.push('{');
        for (name, value) in macros {
            let _ = write!(text, " {name}=\"{value}\"");
        }
        text += " }\n";
    }
    text + "}\n"
}

/// Where Base looks for a file that another one names.
#[derive(Debug, Clone, Default)]
pub(super) struct IncludePath {
    /// `EPICS_DB_INCLUDE_PATH` of the caller, absolute.
    folders: Vec<PathBuf>,
}

impl IncludePath {
    /// The one of this process, whose working folder comes last: where it is all that
    /// Base itself would look at.
    pub(super) fn of_caller() -> IncludePath {
        let given = std::env::var_os("EPICS_DB_INCLUDE_PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> =
            std::env::split_paths(&given).filter(|folder| !folder.as_os_str().is_empty()).collect();
        folders.push(PathBuf::from("."));
        IncludePath { folders: folders.iter().map(|folder| absolute_folder(folder)).collect() }
    }

    /// The folders for what `file` names: its own first.
    pub(super) fn for_file(&self, file: Option<&Path>) -> Vec<PathBuf> {
        let own = file.and_then(Path::parent).map(absolute_folder);
        let mut folders: Vec<PathBuf> = own.into_iter().collect();
        for folder in &self.folders {
            if !folders.contains(folder) {
                folders.push(folder.clone());
            }
        }
        folders
    }

    /// The command that makes Base look there.
    pub(super) fn command(&self, file: Option<&Path>) -> Result<String, IocError> {
        let folders = std::env::join_paths(self.for_file(file)).map_err(|_| {
            IocError::InvalidRequest(
                "a folder of databases has a colon in its name, which separates folders in \
                 EPICS_DB_INCLUDE_PATH; rename it"
                    .to_owned(),
            )
        })?;
        Ok(format!("epicsEnvSet EPICS_DB_INCLUDE_PATH {}\n", path_word(Path::new(&folders))?))
    }
}

/// The folder of `a.db` is the present one.
fn absolute_folder(folder: &Path) -> PathBuf {
    let is_present = folder.as_os_str().is_empty() || folder == Path::new(".");
    match std::env::current_dir() {
        Ok(present) if is_present => present,
        _ => absolute(folder),
    }
}

/// The commands that load a file.
pub(super) fn load_file(
    file: &Path,
    macros: &str,
    include_path: &IncludePath,
) -> Result<String, IocError> {
    let command = if is_substitutions(file) { "dbLoadTemplate" } else { "dbLoadRecords" };
    Ok(format!(
        "{}{command} {} {}\n",
        include_path.command(Some(file))?,
        path_word(&absolute(file))?,
        word(macros)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn macros_are_quoted_where_maclib_needs_it() {
        let macros = [("P", "t:"), ("N", "a,b"), ("E", ""), ("Q", "say \"x\"")];
        assert_eq!(macro_text(&macros), "P=t:,N=\"a,b\",E=\"\",Q='say \"x\"'");
        assert_eq!(word("P=t:"), "\"P=t:\"");
        assert_eq!(word("N=\"a,b\""), "N\\=\\\"a\\,b\\\"");
    }

    #[test]
    fn substitutions_are_known_by_their_extension() {
        for name in ["a.substitutions", "b/c.subs", "d.sub"] {
            assert!(is_substitutions(Path::new(name)), "{name}");
        }
        for name in ["a.db", "a.template", "substitutions", "a.substitutions.db"] {
            assert!(!is_substitutions(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn the_folder_of_the_including_file_is_searched_first() {
        let path = IncludePath { folders: vec![PathBuf::from("/x"), PathBuf::from("/y")] };
        let folders = path.for_file(Some(Path::new("/db/a.db")));
        assert_eq!(folders, [Path::new("/db"), Path::new("/x"), Path::new("/y")]);
        assert_eq!(path.for_file(None), [Path::new("/x"), Path::new("/y")]);
        let own = path.for_file(Some(Path::new("a.db")));
        assert_eq!(own[0], std::env::current_dir().unwrap());
        assert_eq!(
            path.command(Some(Path::new("/a b/ä.db"))).unwrap(),
            "epicsEnvSet EPICS_DB_INCLUDE_PATH \"/a b:/x:/y\"\n"
        );
        assert!(path.command(Some(Path::new("/a:b/c.db"))).is_err());
    }
}
