//! What the system has of what epics-gauge needs.

use std::fs;
use std::path::Path;
use std::time::Duration;

use epics_gauge::process::{Command, ProcessError};
use epics_gauge::python_site::python_program;
use epics_gauge::system_packages::{Need, PYTHON_MINORS, PYTHON_VARIABLE, System};

use super::Finding;

const DEADLINE: Duration = Duration::from_secs(30);

/// The system by its own name, and whether its packages are known here.
pub(super) fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = pretty.map_or(std::env::consts::OS, |name| name.trim_matches('"'));
    let machine = std::env::consts::ARCH;
    match System::here() {
        Some(_) => format!("{name} on {machine}"),
        None => format!("{name} on {machine}, whose packages are not known here"),
    }
}

/// The Python that runs Python approaches and servers.
pub(super) fn python() -> Finding {
    let python = python_program().map_err(|missing| missing.to_string())?;
    let probe = "import sys; print(*sys.version_info[:3], sep='.')";
    let version = output_of(&python, &["-I", "-c", probe]).map_err(|error| error.to_string())?;
    is_pinned_for(&version)?;
    Ok(format!("{version}, {}", python.display()))
}

/// pip of that Python; no finding when there is no such Python.
pub(super) fn pip() -> Option<Finding> {
    let python = python_program().ok()?;
    Some(match output_of(&python, &["-m", "pip", "--version"]) {
        // "pip 23.0.1 from FOLDER (python 3.11)"
        Ok(output) => Ok(output.split_whitespace().nth(1).unwrap_or_default().to_owned()),
        Err(_) => Err(format!("{} has none; {}", python.display(), Need::Pip.advice())),
    })
}

/// The C++ compiler, which a program that is built does not need where pip has
/// ready packages.
pub(super) fn compiler() -> Finding {
    let asked = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let output = output_of(Path::new(&asked), &["--version"]).map_err(|_| {
        format!(
            "needed only to build epics-gauge, and where pip has no ready package; {}",
            Need::Compiler.advice()
        )
    })?;
    Ok(output.lines().next().unwrap_or_default().to_owned())
}

/// Whether a version such as `3.11.2` has pinned packages.
fn is_pinned_for(version: &str) -> Result<(), String> {
    let minor = version.split('.').nth(1).and_then(|minor| minor.parse::<u32>().ok());
    let (oldest, newest) = (PYTHON_MINORS.start(), PYTHON_MINORS.end());
    match minor {
        Some(minor) if version.starts_with("3.") && PYTHON_MINORS.contains(&minor) => Ok(()),
        _ => Err(format!(
            "this is Python {version}, and the packages are pinned for Python 3.{oldest} to \
             3.{newest}; install one of these and name it with {PYTHON_VARIABLE}"
        )),
    }
}

/// What a program prints.
fn output_of(program: &Path, arguments: &[&str]) -> Result<String, ProcessError> {
    let command = Command::new(program).arguments(arguments.iter().copied());
    Ok(command.run(DEADLINE, |_| ())?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::is_pinned_for;

    #[test]
    fn a_python_without_pinned_packages_is_reported_as_one() {
        for pinned in ["3.10.0", "3.11.2", "3.13.1"] {
            is_pinned_for(pinned).unwrap();
        }
        for other in ["3.9.18", "3.14.0", "2.7.18", "nonsense"] {
            let why = is_pinned_for(other).unwrap_err();
            assert!(why.contains(other) && why.contains("3.10 to 3.13"), "{why}");
        }
    }
}
