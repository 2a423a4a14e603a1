//! Reads vendor/sources.toml: what is fetched, in which version, and its SHA-256.

use std::path::Path;

use serde::Deserialize;

use crate::stop::{Outcome, Stop, Trying, cargo_variable, read, variable, watch};

/// One pin, with the one file of it that this machine needs.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) file: String,
    pub(crate) sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pins {
    source: Vec<Pin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    name: String,
    version: String,
    #[expect(dead_code, reason = "for people; required, so that no pin goes without one")]
    licence: String,
    files: Vec<PinnedFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PinnedFile {
    name: String,
    sha256: String,
    /// The building machine it is for; any, if absent.
    platform: Option<String>,
}

/// The first pin called `name`, narrowed to the file for the building machine.
pub(crate) fn pinned(name: &str) -> Outcome<Source> {
    pinned_where(name, |_| true)
}

/// The pin of EPICS Base: the first one, or that of the release which `EPICS_GAUGE_BASE` names.
pub(crate) fn base() -> Outcome<Source> {
    const VARIABLE: &str = "EPICS_GAUGE_BASE";
    const NAME: &str = "epicscorelibs";
    let Some(release) = variable(VARIABLE).map(|value| value.to_string_lossy().into_owned()) else {
        return pinned(NAME);
    };
    let is_of = |version: &str| {
        version.strip_prefix(&release).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if !all()?.iter().any(|pin| pin.name == NAME && is_of(&pin.version)) {
        let versions = all()?.into_iter().filter(|pin| pin.name == NAME).map(|pin| pin.version);
        return Err(Stop {
            tried: format!("use the release of EPICS Base that {VARIABLE}={release} names"),
            why: format!("vendor/sources.toml pins {}", versions.collect::<Vec<_>>().join(" and ")),
            mend: format!("name one of these, add a pin there, or `unset {VARIABLE}`"),
        });
    }
    pinned_where(NAME, |pin| is_of(&pin.version))
}

fn pinned_where(name: &str, is_meant: impl Fn(&Pin) -> bool) -> Outcome<Source> {
    let platform = host_platform();
    let pin = all()?.into_iter().find(|pin| pin.name == name && is_meant(pin));
    let source = pin.and_then(|pin| {
        let file = pin.files.into_iter().find(|file| match &file.platform {
            Some(wanted) => *wanted == platform,
            None => true,
        })?;
        Some(Source { name: pin.name, version: pin.version, file: file.name, sha256: file.sha256 })
    });
    source.ok_or_else(|| Stop {
        tried: format!("find {name} for {platform} in vendor/sources.toml"),
        why: "no such pin".to_string(),
        mend: format!("add its file and sha256 for {platform}, see vendor/README.md"),
    })
}

pub(crate) fn names_of_all_files() -> Outcome<Vec<String>> {
    let files = all()?.into_iter().flat_map(|pin| pin.files);
    Ok(files.map(|file| file.name).collect())
}

fn all() -> Outcome<Vec<Pin>> {
    const PINS: &str = "vendor/sources.toml";
    watch(PINS);
    let pins: Pins =
        toml::from_str(&read(Path::new(PINS))?).trying(|| format!("read the pins in {PINS}"))?;
    Ok(pins.source)
}

/// "linux-x86_64", from the triple of the machine that builds.
fn host_platform() -> String {
    let triple = cargo_variable("HOST");
    let system = if triple.contains("apple") { "macos" } else { "linux" };
    format!("{system}-{}", triple.split('-').next().unwrap_or_default())
}
