//! Where a package that the user chose comes from: what stands behind the @ of
//! `pyepics@3.5.7`, `pyepics@../pyepics` or `pyepics@git+https://…`.

use std::fmt;
use std::path::{Path, PathBuf};

/// Which package of a library is to be measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A release, such as `3.5.7`. Only letters, digits and `.+!_-`, and first a letter or digit.
    Release(String),
    /// A checkout, a wheel or a source archive on this machine; absolute.
    Path(PathBuf),
    /// What pip takes as `git+…`.
    Git(String),
}

/// Why a text names no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` in `{name}@{text}` {what}: write a version as pip lists it, such as {name}@1.2.3, with \
     letters, digits and . + ! _ - only; or the path of a checkout, a wheel or a source \
     archive, such as {name}@./checkout; or {name}@git+ADDRESS@COMMIT"
)]
pub struct NoOrigin {
    /// What stands before the @.
    pub name: String,
    /// What stands behind it.
    pub text: String,
    /// What is wrong with it.
    pub what: String,
}

impl Origin {
    /// What `text` names, in `name@text`. A text with a slash is a path.
    ///
    /// # Errors
    /// [`NoOrigin`] when it is none of the three, and when there is nothing at a path.
    pub fn of(name: &str, text: &str) -> Result<Origin, NoOrigin> {
        let wrong = |what: &str| NoOrigin {
            name: name.to_owned(),
            text: text.to_owned(),
            what: what.to_owned(),
        };
        if let Some(address) = text.strip_prefix("git+") {
            return match is_address(address) {
                true => Ok(Origin::Git(text.to_owned())),
                false => Err(wrong("is no address that git takes")),
            };
        }
        if text.contains('/') || text == "." || text == ".." {
            let path = Path::new(text).canonicalize();
            return path.map(Origin::Path).map_err(|error| wrong(&format!("is no path: {error}")));
        }
        match is_version(text) {
            true => Ok(Origin::Release(text.to_owned())),
            false => Err(wrong("is not a version")),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Release(version) => f.write_str(version),
            Origin::Path(path) => path.display().fmt(f),
            Origin::Git(address) => f.write_str(address),
        }
    }
}

/// What can be nothing else to pip: no option, no address, no file, no second requirement.
fn is_version(text: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || ".+!_-".contains(letter);
    text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(is_letter)
}

/// A scheme that git knows, and nothing in which pip could see the end of a requirement.
fn is_address(text: &str) -> bool {
    let schemes = ["https://", "ssh://", "git://", "file://", "http://"];
    schemes.iter().any(|scheme| text.len() > scheme.len() && text.starts_with(scheme))
        && text.chars().all(|letter| letter.is_ascii_graphic() && !"\"'`;,\\".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_an_option_or_a_second_requirement() {
        for text in ["", "-r", "1 --pre", "1;x", "1,<2", "1.*", "a@b", "git+x:y", "git+https://"] {
            let error = Origin::of("pyepics", text).unwrap_err().to_string();
            assert!(error.contains(&format!("`pyepics@{text}`")), "{error}");
        }
        for text in ["git+https://a/b --pre", "git+https://a;b", "git+ext::sh -c x", "git+-x"] {
            assert!(Origin::of("pyepics", text).is_err(), "{text}");
        }
        for text in ["3.5.7", "1!2.0rc1", "1.0+local", "2.0.post1", "1.0-1"] {
            assert_eq!(Origin::of("pyepics", text), Ok(Origin::Release(text.to_owned())));
        }
    }

    #[test]
    fn a_path_must_be_there_and_becomes_absolute() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let text = format!("{}/../{}", real.display(), real.file_name().unwrap().display());
        assert_eq!(Origin::of("pyepics", &text), Ok(Origin::Path(real)));
        let error = Origin::of("pyepics", "./nothing-here").unwrap_err().to_string();
        assert!(error.contains("No such file"), "{error}");
        assert!(matches!(Origin::of("pyepics", "."), Ok(Origin::Path(_))));
    }

    #[test]
    fn what_comes_from_git_keeps_its_address() {
        let text = "git+file:///a/b@v1.2";
        assert_eq!(Origin::of("p4p", text), Ok(Origin::Git(text.to_owned())));
    }
}
