//! Manifests: one TOML file beside the code of each approach and each server, with all
//! that this crate knows of it by name.
//!
//! The build script has this file too: it checks every manifest and embeds it, so a
//! wrong one never gets into the program.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::protocol::Protocol;

/// An approach: `src/worker/native/NAME.toml` or `src/worker/python/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproachManifest {
    /// What it is, in one line.
    pub description: String,
    /// The protocol that it speaks.
    pub protocol: Protocol,
    /// What it is written in, down to the socket.
    pub language: String,
    /// The package of `vendor/python.lock`, or of the Rust registry, that is measured.
    pub package: Option<String>,
    /// What its worker needs beside the package although that does not require it, where the
    /// package is installed by itself: in another version than the pinned one.
    #[serde(default)]
    pub beside: Vec<String>,
    /// The library below it that speaks the protocol, when it does not do so itself.
    pub over: Option<Over>,
    /// Whether it is the floor of its protocol.
    #[serde(default)]
    pub floor: bool,
    /// Whether it is measured when no approach is named.
    #[serde(default = "yes")]
    pub usual: bool,
    /// How simple it is to use.
    pub simplicity: Simplicity,
    /// The library's ordinary get with its defaults, as a program writes it, and what it
    /// asks for where that cannot be measured; absent where it is not measured.
    pub default_get: Option<String>,
    /// The cargo feature that builds it.
    pub feature: Option<Feature>,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What is known to be wrong with it.
    #[serde(default, rename = "weakness")]
    pub weaknesses: Vec<Weakness>,
}

fn yes() -> bool {
    true
}

/// A library that speaks a protocol for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Over {
    /// EPICS Base's client library of Channel Access.
    Libca,
    /// pvxs, of pvAccess.
    Pvxs,
    /// EPICS Base's older library of pvAccess.
    #[serde(rename = "pvAccessCPP")]
    PvAccessCpp,
}

/// Where an approach stands in the order by simplicity: more script and less native code
/// first; then how little a user writes for a connection and a get. Two may share a rank.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simplicity {
    /// 1 is the simplest; the floor has none.
    pub rank: Option<u32>,
    /// Why it has this rank.
    pub reason: String,
}

impl Simplicity {
    /// What is wrong with that of an approach which is no floor, naming the key.
    ///
    /// # Errors
    /// When it has no rank or no reason.
    pub fn check(&self) -> Result<(), String> {
        match self.rank {
            None => Err("`simplicity.rank` is missing: 1 is the simplest".to_owned()),
            Some(0) => Err("`simplicity.rank` is 0; 1 is the simplest".to_owned()),
            Some(_) => one_line("simplicity.reason", &self.reason),
        }
    }
}

/// A cargo feature that builds approaches or servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Feature {
    /// pvxs and what is over it; on by default, so what needs it is missing without it.
    Pvaccess,
    /// The pure Rust stack; off by default, so what needs it is unknown without it.
    PureRust,
}

/// What an approach can do; a key that is absent means that it can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Capabilities {
    /// It finds PVs by name server (`EPICS_CA_NAME_SERVERS`, `EPICS_PVA_NAME_SERVERS`).
    pub name_servers: bool,
    /// Each of several subscriptions to a PV is one of the server's.
    pub own_subscriptions: bool,
    /// Subscriptions come back by themselves when the server does.
    pub resubscribes: bool,
    /// It takes frames of a camera at 10 Hz, three subscriptions at once.
    pub frames: bool,
    /// Every new subscription brings the present value first.
    pub first_updates: bool,
}

impl Default for Capabilities {
    fn default() -> Capabilities {
        Capabilities {
            name_servers: true,
            own_subscriptions: true,
            resubscribes: true,
            frames: true,
            first_updates: true,
        }
    }
}

/// Something that is known to be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weakness {
    /// What happens, and when.
    pub what: String,
    /// Where it is seen: project, version, file and line, or an issue.
    pub source: String,
}

/// A server: `src/ioc/native/NAME.toml` or `src/ioc/python/NAME.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerManifest {
    /// Its place among the servers. Where none is named, the first that speaks what is
    /// asked for is taken.
    pub place: u32,
    /// What it is, in one line.
    pub description: String,
    /// The protocols that it serves.
    pub protocols: Vec<Protocol>,
    /// What it is written in, down to the socket.
    pub language: String,
    /// The package of `vendor/python.lock`, or of the Rust registry, that is measured.
    pub package: Option<String>,
    /// Whether it is a softIoc of this crate: with its shell, databases and frames.
    #[serde(default)]
    pub soft_ioc: bool,
    /// The server of this crate that it stands before, when it is a gateway: that one holds the
    /// PVs, and this one forwards them.
    pub upstream: Option<String>,
    /// Whether it is measured when no server is named.
    #[serde(default)]
    pub usual: bool,
    /// The cargo feature that builds it.
    pub feature: Option<Feature>,
    /// Which records of conformance checks it holds; none when absent.
    pub conform: Option<Holds>,
    /// What is known to be wrong with it.
    #[serde(default, rename = "weakness")]
    pub weaknesses: Vec<Weakness>,
}

/// Which records of conformance checks a server holds, and what it does with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Holds {
    /// It loads a database as EPICS Base does, and has a shell: it holds everything, and what
    /// follows is not read.
    pub database: bool,
    /// Protocols that it serves beside those that are measured with it.
    pub also: Vec<Protocol>,
    /// Record types that it has something like.
    pub record_types: Vec<String>,
    /// Fields of the database that it follows; it holds no record with another one.
    pub fields: Vec<String>,
    /// What it sends with right values, by the names of checks.
    pub answers: Vec<String>,
    /// Commands of the IOC's shell that it has.
    pub commands: Vec<String>,
}

/// What the two kinds of manifest have in common.
pub trait Manifest: DeserializeOwned {
    /// What its code is called in its folder of Python: `PREFIX_NAME.py`.
    const PREFIX: &'static str;

    /// Its package.
    fn package(&self) -> Option<&str>;

    /// What is wrong with it beyond its format, naming the key.
    fn check(&self) -> Result<(), String>;
}

/// A manifest with what its place tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed<M> {
    /// The approach's or server's name: that of the file.
    pub name: String,
    /// Whether it lies in a folder of Python.
    pub is_python: bool,
    /// What it says.
    pub manifest: M,
}

impl<M: Manifest> Placed<M> {
    /// Reads `text`, which is the manifest `path`.
    ///
    /// # Errors
    /// What is wrong: line, key, and what is expected.
    pub fn read(path: &str, text: &str) -> Result<Placed<M>, String> {
        let file = path.rsplit('/').next().unwrap_or(path);
        let name = file.strip_suffix(".toml").unwrap_or(file).to_owned();
        let is_usual = |letter| matches!(letter, 'a'..='z' | '0'..='9' | '-');
        // A variant is named after its approach: pyepics+threads.
        if name.split('+').any(|part| part.is_empty() || !part.chars().all(is_usual)) {
            return Err(format!(
                "the name `{name}` must consist of lower-case letters, digits and -, that of a \
                 variant of two such names with + between them"
            ));
        }
        let is_python = path.contains("/python/");
        let manifest: M = toml::from_str(text).map_err(|error| error.to_string())?;
        manifest.check()?;
        if is_python && manifest.package().is_none() {
            return Err("`package` is missing: the package of vendor/python.lock".to_owned());
        }
        Ok(Placed { name, is_python, manifest })
    }

    /// The file of its code, beside the manifest, when it is Python.
    pub fn python_file(&self) -> String {
        format!("{}_{}.py", M::PREFIX, self.name.replace(['-', '+'], "_"))
    }
}

impl Manifest for ApproachManifest {
    const PREFIX: &'static str = "client";

    fn package(&self) -> Option<&str> {
        self.package.as_deref()
    }

    fn check(&self) -> Result<(), String> {
        one_line("description", &self.description)?;
        self.default_get.as_deref().map_or(Ok(()), |call| one_line("default_get", call))?;
        match (self.floor, self.simplicity.rank) {
            (true, Some(_)) => Err("`simplicity.rank` is not for a floor".to_owned()),
            (true, None) => one_line("simplicity.reason", &self.simplicity.reason),
            (false, _) => self.simplicity.check(),
        }?;
        check_weaknesses(&self.weaknesses)
    }
}

impl Manifest for ServerManifest {
    const PREFIX: &'static str = "server";

    fn package(&self) -> Option<&str> {
        self.package.as_deref()
    }

    fn check(&self) -> Result<(), String> {
        one_line("description", &self.description)?;
        if self.protocols.is_empty() {
            return Err("`protocols` is empty; it is a list of \"ca\" and \"pva\"".to_owned());
        }
        check_weaknesses(&self.weaknesses)
    }
}

fn check_weaknesses(weaknesses: &[Weakness]) -> Result<(), String> {
    weaknesses.iter().try_for_each(|weakness| {
        one_line("weakness.what", &weakness.what)?;
        one_line("weakness.source", &weakness.source)
    })
}

fn one_line(key: &str, text: &str) -> Result<(), String> {
    match text.trim().is_empty() || text.contains('\n') {
        true => Err(format!("`{key}` must be one line of text")),
        false => Ok(()),
    }
}

/// What is wrong with all approaches together, naming the manifest.
///
/// # Errors
/// When a protocol has two floors.
pub fn check_floors(approaches: &[Placed<ApproachManifest>]) -> Result<(), String> {
    let mut floors = BTreeSet::new();
    let mut of_floors = approaches.iter().filter(|approach| approach.manifest.floor);
    match of_floors.find(|floor| !floors.insert(floor.manifest.protocol.name())) {
        Some(second) => Err(format!(
            "`floor` of {}: {} has a floor already",
            second.name,
            second.manifest.protocol.name()
        )),
        None => Ok(()),
    }
}

/// In the order of tables: by protocol, the floor first, then from the least simple to
/// the simplest.
pub fn in_order(mut approaches: Vec<Placed<ApproachManifest>>) -> Vec<Placed<ApproachManifest>> {
    approaches.sort_by_key(|approach| {
        let manifest = &approach.manifest;
        let rank = std::cmp::Reverse(manifest.simplicity.rank);
        (manifest.protocol.name(), !manifest.floor, rank, approach.name.clone())
    });
    approaches
}

#[cfg(test)]
mod tests {
    use super::*;

    const PYTHON: &str = "src/worker/python/mine.toml";

    const GOOD: &str = r#"
description = "mine"
protocol = "ca"
language = "Python"
package = "mine"
simplicity = { rank = 3, reason = "it is so" }
capabilities = { name_servers = false }

[[weakness]]
what = "loses updates"
source = "mine 1.0, mine.py:3"
"#;

    fn read(text: &str) -> Result<Placed<ApproachManifest>, String> {
        Placed::read(PYTHON, text)
    }

    #[test]
    fn a_manifest_is_named_by_its_file_and_what_is_absent_is_possible() {
        let mine = Placed::<ApproachManifest>::read("a/python/my-own.toml", GOOD).unwrap();
        assert_eq!((mine.name.as_str(), mine.is_python), ("my-own", true));
        assert_eq!(mine.python_file(), "client_my_own.py");
        let variant = Placed::<ApproachManifest>::read("a/python/mine+threads.toml", GOOD).unwrap();
        assert_eq!(variant.python_file(), "client_mine_threads.py");
        assert!(!mine.manifest.floor && mine.manifest.feature.is_none());
        let capabilities = mine.manifest.capabilities;
        assert!(!capabilities.name_servers && capabilities.own_subscriptions);
        assert_eq!(mine.manifest.weaknesses.len(), 1);
    }

    #[test]
    fn a_wrong_manifest_is_refused_with_its_key() {
        let instead = |from: &str, to: &str| {
            assert!(GOOD.contains(from), "{from}");
            read(&GOOD.replace(from, to)).unwrap_err()
        };
        for (from, to, words) in [
            ("language = \"Python\"", "colour = \"red\"", ["`colour`", "`language`"]),
            ("language = \"Python\"", "", ["missing field", "`language`"]),
            ("\"ca\"", "\"http\"", ["`http`", "`pva`"]),
            ("name_servers", "name_server", ["`name_server`", "`name_servers`"]),
            ("rank = 3, ", "", ["`simplicity.rank`", "missing"]),
            ("rank = 3", "rank = 0", ["`simplicity.rank`", "simplest"]),
            ("rank = 3", "rank = \"3\"", ["line 6", "rank"]),
            ("package = \"mine\"", "floor = true", ["`simplicity.rank`", "floor"]),
            ("package = \"mine\"", "", ["`package`", "python.lock"]),
            ("\"it is so\"", "\" \"", ["`simplicity.reason`", "one line"]),
            ("package = \"mine\"", "default_get = \"\"", ["`default_get`", "one line"]),
            ("source", "where", ["`where`", "`source`"]),
            ("description = \"mine\"", "description = ", ["line 2", "description"]),
        ] {
            let error = instead(from, to);
            assert!(words.iter().all(|word| error.contains(word)), "{to}: {error}");
        }
        for name in ["My_Own.toml", "mine+.toml", "+threads.toml", ".toml"] {
            let error = Placed::<ApproachManifest>::read(name, GOOD).unwrap_err();
            assert!(error.contains("lower-case letters"), "{name}: {error}");
        }
    }

    #[test]
    fn a_server_without_a_protocol_is_refused() {
        let text = "place = 1\ndescription = \"d\"\nprotocols = []\nlanguage = \"C\"\n";
        let error = Placed::<ServerManifest>::read("src/ioc/native/mine.toml", text).unwrap_err();
        assert!(error.contains("`protocols` is empty"), "{error}");
    }

    #[test]
    fn a_protocol_has_one_floor_and_it_comes_first() {
        let floor = GOOD.replace("rank = 3, ", "").replace("package", "floor = true\npackage");
        let of = |name: &str, text: &str| {
            Placed::<ApproachManifest>::read(&format!("{name}.toml"), text).unwrap()
        };
        let two = [of("a", &floor), of("b", &floor)];
        let error = check_floors(&two).unwrap_err();
        assert!(error.contains("`floor` of b") && error.contains("ca"), "{error}");
        check_floors(&two[..1]).unwrap();
        let simpler = GOOD.replace("rank = 3", "rank = 2");
        let all = vec![of("c", &simpler), of("b", GOOD), of("z", &floor), of("a", &simpler)];
        let names: Vec<String> = in_order(all).into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["z", "b", "a", "c"]);
    }
}
