//! The checks, the rules of access security and the known failures of this build.

macro_rules! checks {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".toml"), include_str!(concat!("checks/", $name, ".toml")))),*]
    };
}

/// The files of checks, in the order of reports.
pub(super) const CHECKS: &[(&str, &str)] = checks![
    "scalars",
    "strings",
    "enums",
    "arrays",
    "alarms",
    "times",
    "limits",
    "names",
    "filters",
    "monitors",
    "puts",
    "structures",
];

/// The rules that the records of the checks name.
pub(super) const ACCESS_SECURITY: &str = include_str!("access.acf");

/// Failures of current releases.
pub(super) const KNOWN: &str = include_str!("known.toml");
