//! Files of the user's own, as `--approaches` and `--servers` name them: one table for
//! each thing, `[TABLE.NAME]`, with the command that starts it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::UserCommand;

/// Why a file of the user's own cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UserFileError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// It is not of the format.
    #[error("{file}: {reason}\nsee {document} for the format")]
    Format {
        /// The file.
        file: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
        /// Where the format is described.
        document: &'static str,
    },
    /// The name is taken.
    #[error("{file}: there is {article} {table} `{name}` already; give yours another name")]
    Taken {
        /// The file.
        file: PathBuf,
        /// "a" or "an".
        article: &'static str,
        /// The name of its tables, such as `approach`.
        table: &'static str,
        /// The name.
        name: String,
    },
}

/// One kind of file: what its tables are called and what they become.
pub trait UserFile: DeserializeOwned {
    /// What stands in one table.
    type Entry: UserEntry;
    /// The name of its tables, such as `approach`.
    const TABLE: &'static str;
    /// "a" or "an", as it stands before [`UserFile::TABLE`].
    const ARTICLE: &'static str;
    /// Where the format is described.
    const DOCUMENT: &'static str;

    /// The tables by their names.
    fn entries(self) -> BTreeMap<String, Self::Entry>;

    /// Reads the file. `is_taken` tells whether there is a thing of that name already.
    ///
    /// # Errors
    /// When it cannot be read, is not of the format, or has a name that is taken.
    fn read(
        file: &Path,
        is_taken: impl Fn(&str) -> bool,
    ) -> Result<Vec<<Self::Entry as UserEntry>::Made>, UserFileError> {
        let text = fs::read_to_string(file)
            .map_err(|source| UserFileError::Read { file: file.to_owned(), source })?;
        let wrong = |reason: String| UserFileError::Format {
            file: file.to_owned(),
            reason,
            document: Self::DOCUMENT,
        };
        let tables: Self = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let entries = tables.entries();
        if entries.is_empty() {
            return Err(wrong(format!("it has no [{}.NAME]", Self::TABLE)));
        }
        let mut made = Vec::new();
        for (name, mut entry) in entries {
            if is_taken(&name) {
                let (file, article, table) = (file.to_owned(), Self::ARTICLE, Self::TABLE);
                return Err(UserFileError::Taken { file, article, table, name });
            }
            let (words, environment) = entry.take_program();
            let command = UserCommand::new(Self::TABLE, &name, file, words, environment);
            made.push(command.and_then(|command| entry.made(name, command)).map_err(wrong)?);
        }
        Ok(made)
    }
}

/// One table of such a file.
pub trait UserEntry {
    /// What it becomes.
    type Made;

    /// Takes the keys `command` and `env`.
    fn take_program(&mut self) -> (Vec<String>, BTreeMap<String, String>);

    /// The thing called `name`, which `command` starts.
    ///
    /// # Errors
    /// What is wrong with it, naming the key.
    fn made(self, name: String, command: UserCommand) -> Result<Self::Made, String>;
}
