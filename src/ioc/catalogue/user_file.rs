//! Servers of the user's own: `--servers FILE`.

use std::collections::BTreeMap;
use std::mem::take;

use serde::Deserialize;

use super::{ServerKind, Start};
use crate::manifest::Holds;
use crate::protocol::Protocol;
use crate::python_site::{UserCommand, UserEntry, UserFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    server: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    command: Vec<String>,
    #[serde(default = "channel_access")]
    #[serde(alias = "providers")]
    protocols: Vec<Protocol>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    conform: Option<Holds>,
}

fn channel_access() -> Vec<Protocol> {
    vec![Protocol::Ca]
}

impl UserFile for File {
    type Entry = Entry;
    const TABLE: &'static str = "server";
    const ARTICLE: &'static str = "a";
    const DOCUMENT: &'static str = "docs/adding-a-server.md";

    fn entries(self) -> BTreeMap<String, Entry> {
        self.server
    }
}

impl UserEntry for Entry {
    type Made = ServerKind;

    fn take_program(&mut self) -> (Vec<String>, BTreeMap<String, String>) {
        (take(&mut self.command), take(&mut self.env))
    }

    fn made(self, name: String, command: UserCommand) -> Result<ServerKind, String> {
        if self.protocols.is_empty() {
            return Err(format!("server.{name}.protocols is empty"));
        }
        Ok(ServerKind {
            name,
            description: self.description,
            protocols: self.protocols,
            package: None,
            needs_python_site: command.needs_python_site(),
            chosen: None,
            has_frames: false,
            is_usual: false,
            has_shell: false,
            is_gateway: false,
            holds: self.conform,
            weaknesses: Vec::new(),
            start: Start::User(command),
        })
    }
}
