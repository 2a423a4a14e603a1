//! Servers of the user's own: `--servers FILE`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ServerKind;
use crate::protocol::Protocol;
use crate::python_site::UserCommand;

/// Why a file of servers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerFileError {
    /// It cannot be read.
    #[error("cannot read {file}: {source}")]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not of the format.
    #[error("{file}: {reason}\nsee docs/adding-a-server.md for the format")]
    Format {
        /// The file.
        file: PathBuf,
        /// Line, key and what is wrong.
        reason: String,
    },
    /// A server of this name exists.
    #[error("{file}: there is a server `{name}` already; give yours another name")]
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
    server: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    command: Vec<String>,
    #[serde(default = "channel_access")]
    #[serde(alias = "providers")]
    protocols: Vec<Protocol>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

fn channel_access() -> Vec<Protocol> {
    vec![Protocol::Ca]
}

pub(super) fn read(file: &Path) -> Result<Vec<(ServerKind, UserCommand)>, ServerFileError> {
    let text = fs::read_to_string(file)
        .map_err(|source| ServerFileError::Read { file: file.to_owned(), source })?;
    let wrong = |reason: String| ServerFileError::Format { file: file.to_owned(), reason };
    let entries: File = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if entries.server.is_empty() {
        return Err(wrong("it has no [server.NAME]".to_owned()));
    }
    entries
        .server
        .into_iter()
        .map(|(name, entry)| {
            let command =
                UserCommand::new("server", &name, file, entry.command, entry.env).map_err(wrong)?;
            if entry.protocols.is_empty() {
                return Err(wrong(format!("server.{name}.protocols is empty")));
            }
            let kind = ServerKind {
                name,
                description: entry.description,
                protocols: entry.protocols,
                needs_python_site: command.needs_python_site(),
                has_frames: false,
            };
            Ok((kind, command))
        })
        .collect()
}
