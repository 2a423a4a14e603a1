//! `NAME@VERSION`, `NAME@PATH`, `NAME@git+ADDRESS`: an approach of this crate with another
//! version of its library; and `NAME:VARIABLE=VALUE`, with other settings.

use super::{Approach, Catalogue, Kind, NoSetting, Settings};
use crate::python_site::{Chosen, NoOrigin, Origin};

/// Why a text does not name an approach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// There is no such approach.
    #[error("unknown approach `{name}`; there are: {}", known.join(", "))]
    Unknown {
        /// The name, without version.
        name: String,
        /// The names of all approaches.
        known: Vec<String>,
    },
    /// The approach is compiled into this program.
    #[error(
        "{name} has no versions to choose: it is built into this program from the pinned \
         sources; compare softIocs with --ioc-a and --ioc-b, or another build of {name} as an \
         approach of your own (docs/adding-an-approach.md)"
    )]
    Native {
        /// The approach.
        name: String,
    },
    /// The approach is the user's own.
    #[error(
        "{name} is an approach of your own, whose command decides what it runs: give each \
         version an [approach.NAME] in your file"
    )]
    Own {
        /// The approach.
        name: String,
    },
    /// Not a version, and nothing else that can be installed.
    #[error(transparent)]
    Origin(#[from] NoOrigin),
    /// What follows the name is no setting.
    #[error("{name}: {why}")]
    Setting {
        /// The approach.
        name: String,
        /// What is wrong.
        why: NoSetting,
    },
}

/// The part of an approach's name that its worker says hello with: all of it, but
/// for a chosen version and for settings.
pub fn name_without_version(name: &str) -> &str {
    name.split(['@', ':']).next().unwrap_or(name)
}

/// Whether a name has a version or settings of its own, so that it stands in no catalogue.
pub fn is_modified(name: &str) -> bool {
    name_without_version(name) != name
}

impl Catalogue {
    /// The approach that `text` names: `NAME`, or `NAME@` and an [`Origin`] for a Python
    /// approach of this crate with that version of its library; then `:VARIABLE=VALUE` for
    /// each of its [`Settings`]. Whether there is such a version shows when its command is
    /// made. A floor with settings is none.
    ///
    /// # Errors
    /// When there is no such approach, or none with versions to choose.
    pub fn resolve(&self, text: &str) -> Result<Approach, ResolveError> {
        let name = name_without_version(text);
        let unknown = || ResolveError::Unknown {
            name: name.to_owned(),
            known: self.all().iter().map(|approach| approach.name.clone()).collect(),
        };
        let approach = self.get(name).ok_or_else(unknown)?.clone();
        let (versioned, settings) = Settings::split(text);
        let approach = match versioned.split_once('@') {
            None => approach,
            Some((_, origin)) => with_origin(approach, origin)?,
        };
        with_settings(approach, settings)
    }
}

fn with_settings(approach: Approach, text: &str) -> Result<Approach, ResolveError> {
    if text.is_empty() {
        return Ok(approach);
    }
    let settings = Settings::parse(text, approach.protocol)
        .map_err(|why| ResolveError::Setting { name: approach.name.clone(), why })?;
    Ok(Approach {
        name: format!("{}:{text}", approach.name),
        description: format!("{}, {}", approach.description, text.replace(':', ", ")),
        floor: false,
        settings,
        ..approach
    })
}

fn with_origin(approach: Approach, text: &str) -> Result<Approach, ResolveError> {
    let name = approach.name.clone();
    let package = match (&approach.kind, &approach.package) {
        (Kind::User(_), _) => return Err(ResolveError::Own { name }),
        (Kind::Python, Some(package)) => package.clone(),
        (Kind::Native | Kind::Python, _) => return Err(ResolveError::Native { name }),
    };
    let origin = Origin::of(&name, text)?;
    Ok(Approach {
        name: format!("{name}@{text}"),
        description: format!("{}, {origin}", approach.description),
        chosen: Some(Chosen { package, origin, beside: approach.beside.clone() }),
        ..approach
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<Approach, ResolveError> {
        Catalogue::built_in().resolve(text)
    }

    #[test]
    fn a_name_without_version_is_the_approach_of_the_catalogue() {
        assert_eq!(resolved("pyepics").as_ref().ok(), Catalogue::built_in().get("pyepics"));
    }

    #[test]
    fn every_python_approach_has_versions_to_choose() {
        for approach in Catalogue::built_in().all() {
            let named = format!("{}@1.2.3", approach.name);
            match approach.kind {
                Kind::Python => {
                    let found = resolved(&named).unwrap();
                    assert_eq!((&found.name, found.says_hello_as()), (&named, &*approach.name));
                    let origin = found.chosen.unwrap().origin;
                    assert_eq!(origin, Origin::Release("1.2.3".to_owned()));
                    assert_eq!(found.protocol, approach.protocol);
                }
                _ => assert_eq!(
                    resolved(&named),
                    Err(ResolveError::Native { name: approach.name.clone() })
                ),
            }
        }
    }

    #[test]
    fn what_cannot_be_installed_is_refused() {
        let error = resolved("pyepics@1 --pre").unwrap_err();
        assert!(matches!(error, ResolveError::Origin(_)), "{error}");
    }

    #[test]
    fn settings_are_part_of_the_name_and_not_of_the_hello() {
        let text = "pyepics@3.5.7:EPICS_CA_CONN_TMO=5:EPICS_CA_MAX_SEARCH_PERIOD=60";
        let found = resolved(text).unwrap();
        assert_eq!((found.name.as_str(), found.says_hello_as()), (text, "pyepics"));
        assert!(found.chosen.is_some() && found.settings != Settings::default());
        assert!(found.description.ends_with("EPICS_CA_CONN_TMO=5, EPICS_CA_MAX_SEARCH_PERIOD=60"));
        let floor = resolved("wire:EPICS_CA_CONN_TMO=5").unwrap();
        assert!(!floor.floor && floor.chosen.is_none());
        let error = resolved("p4p:EPICS_CA_CONN_TMO=5").unwrap_err().to_string();
        assert!(error.starts_with("p4p: `EPICS_CA_CONN_TMO` means nothing"), "{error}");
    }

    #[test]
    fn an_unknown_approach_is_reported_with_those_that_there_are() {
        let error = resolved("pyepix@3.5.7").unwrap_err().to_string();
        assert!(error.contains("`pyepix`") && error.contains("pyepics"), "{error}");
    }
}
