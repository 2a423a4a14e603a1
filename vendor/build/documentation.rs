//! Where the documentation is built for readers, without a network: nothing is fetched or
//! compiled, and the programs of the package are empty files.

use crate::stop::{Outcome, Stop, out_dir, variable, write};

/// Set by the service that builds the documentation of published crates.
const VARIABLE: &str = "DOCS_RS";

/// What the fixture takes along.
const PROGRAMS: [&str; 5] =
    ["supervisor", "softIoc", "softIoc.dbd", "softIocPvx", "softIocPvx.dbd"];

/// Variables that describe the build; here there is none to describe.
const ENVIRONMENT: [&str; 5] = [
    "EPICS_GAUGE_BASE_VERSION",
    "EPICS_GAUGE_BASE_SOURCE",
    "EPICS_GAUGE_CXX",
    "GAUGE_PVXS_VERSION",
    "GAUGE_PVXS_SOURCE",
];

/// Whether only the documentation is wanted.
pub(crate) fn is_all_that_is_wanted() -> bool {
    variable(VARIABLE).is_some()
}

/// Writes what the library needs to be documented.
pub(crate) fn stand_in() -> Outcome<()> {
    if cfg!(feature = "cli") {
        return Err(Stop {
            tried: format!("build with {VARIABLE} set, which is for the documentation only"),
            why: "the feature `cli` calls EPICS Base, which is not built then".to_owned(),
            mend: format!(
                "document the features of package.metadata.docs.rs in Cargo.toml, or unset {VARIABLE}"
            ),
        });
    }
    for variable in ENVIRONMENT {
        println!("cargo:rustc-env={variable}=not built, documentation only");
    }
    PROGRAMS.iter().try_for_each(|name| write(&out_dir().join(name), ""))
}
