//! Approaches of the user's own: `--approaches FILE`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Approach, Kind};
use crate::protocol::Protocol;
use crate::python_site::UserCommand;

/// Why a file of approaches cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UserFileError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not of the format.
    #[error("{file}: {reason}\nsee docs/adding-an-approach.md for the format")]
    Format {
        /// The file.
        file: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
    },
    /// An approach of this name exists.
    #[error("{file}: there is an approach `{name}` already; give yours another name")]
    Taken {
        /// The file.
        file: PathBuf,
        /// The name.
        name: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    approach: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    command: Vec<String>,
    #[serde(default)]
    description: String,
    hello: Option<String>,
    #[serde(default, alias = "provider")]
    protocol: Protocol,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

pub(super) fn read(file: &Path) -> Result<Vec<Approach>, UserFileError> {
    let text = fs::read_to_string(file)
        .map_err(|source| UserFileError::Read { file: file.to_owned(), source })?;
    let wrong = |reason: String| UserFileError::Format { file: file.to_owned(), reason };
    let entries: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if entries.approach.is_empty() {
        return Err(wrong("it has no [approach.NAME]".to_owned()));
    }
    entries
        .approach
        .into_iter()
        .map(|(name, entry)| {
            let command = UserCommand::new("approach", &name, file, entry.command, entry.env)
                .map_err(wrong)?;
            Ok(Approach {
                name,
                description: entry.description,
                kind: Kind::User(command),
                version: None,
                hello: entry.hello,
                protocol: entry.protocol,
                floor: false,
                simplicity: None,
                simplicity_reason: "nobody has ranked it".to_owned(),
            })
        })
        .collect()
}
