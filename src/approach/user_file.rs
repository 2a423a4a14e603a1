//! Approaches of the user's own: `--approaches FILE`.

use std::collections::BTreeMap;
use std::mem::take;

use serde::Deserialize;

use super::{Approach, Kind, Settings};
use crate::manifest::{Capabilities, Simplicity};
use crate::protocol::Protocol;
use crate::python_site::{UserCommand, UserEntry, UserFile};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    approach: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    command: Vec<String>,
    #[serde(default)]
    description: String,
    hello: Option<String>,
    default_get: Option<String>,
    #[serde(default, alias = "provider")]
    protocol: Protocol,
    simplicity: Option<Simplicity>,
    #[serde(default)]
    env: BTreeMap<String, String>,
}

impl UserFile for File {
    type Entry = Entry;
    const TABLE: &'static str = "approach";
    const ARTICLE: &'static str = "an";
    const DOCUMENT: &'static str = "docs/adding-an-approach.md";

    fn entries(self) -> BTreeMap<String, Entry> {
        self.approach
    }
}

impl UserEntry for Entry {
    type Made = Approach;

    fn take_program(&mut self) -> (Vec<String>, BTreeMap<String, String>) {
        (take(&mut self.command), take(&mut self.env))
    }

    fn made(self, name: String, command: UserCommand) -> Result<Approach, String> {
        let simplicity = match self.simplicity {
            Some(given) => {
                given.check().map_err(|why| format!("approach.{name}: {why}"))?;
                given
            }
            None => Simplicity { rank: None, reason: "nobody has ranked it".to_owned() },
        };
        Ok(Approach {
            name,
            description: self.description,
            kind: Kind::User(command),
            package: None,
            beside: Vec::new(),
            chosen: None,
            settings: Settings::default(),
            hello: self.hello,
            protocol: self.protocol,
            floor: false,
            is_usual: true,
            simplicity: simplicity.rank,
            simplicity_reason: simplicity.reason,
            default_get: self.default_get,
            over: None,
            capabilities: Capabilities::default(),
            weaknesses: Vec::new(),
            missing: None,
        })
    }
}
