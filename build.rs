//! Table of contents of the build: fetches the pinned EPICS Base, builds what
//! the package measures with, and describes libca to Rust. vendor/README.md
//! says why, and what to do when a step fails.

#[cfg(feature = "cli")]
#[path = "vendor/build/bind.rs"]
mod bind;
#[path = "vendor/build/compile.rs"]
mod compile;
#[path = "vendor/build/compiler.rs"]
mod compiler;
#[path = "vendor/build/database.rs"]
mod database;
#[path = "vendor/build/documentation.rs"]
mod documentation;
#[path = "vendor/build/fetch.rs"]
mod fetch;
#[path = "vendor/build/generate.rs"]
mod generate;
#[path = "vendor/build/installed.rs"]
mod installed;
#[path = "vendor/build/libevent.rs"]
mod libevent;
#[path = "vendor/build/libraries.rs"]
mod libraries;
#[path = "vendor/build/link.rs"]
mod link;
// The library has it too: it parses again what the build has checked.
#[path = "src/manifest.rs"]
#[expect(dead_code, unreachable_pub, reason = "the build needs a part of it")]
mod manifest;
#[path = "vendor/build/manifests.rs"]
mod manifests;
#[path = "vendor/build/pins.rs"]
mod pins;
#[path = "vendor/build/pvxs.rs"]
mod pvxs;
#[path = "vendor/build/stop.rs"]
mod stop;
// The library has it too, for what is missing when the program runs.
#[path = "src/system_packages.rs"]
#[expect(dead_code, unreachable_pub, reason = "the build needs a part of it")]
mod system_packages;
#[path = "vendor/build/tables.rs"]
mod tables;

/// What `src/manifest.rs` needs of the library's module of this name.
mod protocol {
    /// A protocol, as manifests name it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(crate) enum Protocol {
        Ca,
        Pva,
    }

    impl Protocol {
        pub(crate) fn name(self) -> &'static str {
            match self {
                Protocol::Ca => "ca",
                Protocol::Pva => "pva",
            }
        }
    }
}

use std::env;
use std::path::PathBuf;

use crate::link::SoftIoc;
use crate::pvxs::Pvxs;
use crate::stop::{Outcome, out_dir};

/// An EPICS Base that is ready to be used, built here or installed before.
struct Base {
    /// Folders of headers, for the compiler and for bindgen.
    includes: Vec<PathBuf>,
    /// Where the linker finds `ca` and `Com`.
    libraries: PathBuf,
    /// What those need of the system, beside what every Base needs.
    needed: Vec<&'static str>,
    /// What `coreRelease` of its IOC reports, without "EPICS R".
    version: String,
    /// Where it came from, for reports.
    origin: String,
    /// The first line of what its C++ compiler says to `--version`.
    compiler: String,
}

fn main() {
    if cfg!(not(feature = "ioc")) {
        // The library says which feature to choose.
        return;
    }
    if let Err(stop) = build() {
        eprintln!("{stop}");
        std::process::exit(1);
    }
}

fn build() -> Outcome<()> {
    manifests::write_embedded()?;
    if documentation::is_all_that_is_wanted() {
        return documentation::stand_in();
    }
    let (base, soft_ioc) = match installed::from_variable()? {
        Some(found) => found,
        None => from_pinned_source()?,
    };
    link::supervisor()?;
    #[cfg(feature = "cli")]
    bind::write_libca(&base.includes, &out_dir().join("ca.rs"))?;
    let pvxs = match env::var_os("CARGO_FEATURE_PVACCESS") {
        Some(_) => Some(pv_access(&base, &soft_ioc)?),
        None => None,
    };
    link::tell_cargo(&base, pvxs.as_ref());
    Ok(())
}

fn from_pinned_source() -> Outcome<(Base, SoftIoc)> {
    let source = pins::base()?;
    let tree = fetch::unpacked_archive(&source)?;
    let built = compile::base(&tree, &source)?;
    let soft_ioc = link::programs(&built)?;
    database::write_flattened(&tree.join("modules/database/src"), &out_dir().join("softIoc.dbd"))?;
    Ok((built.into_base(&source), soft_ioc))
}

fn pv_access(base: &Base, soft_ioc: &SoftIoc) -> Outcome<Pvxs> {
    let out = out_dir();
    let pvxs = pvxs::built(base)?;
    soft_ioc.link_with_pvxs(&pvxs)?;
    database::write_with_pvxs(&out.join("softIoc.dbd"), &pvxs.dbd, &out.join("softIocPvx.dbd"))?;
    #[cfg(feature = "cli")]
    link::pvxs_client(&pvxs)?;
    #[cfg(feature = "cli")]
    bind::write_pvxs_client(&out.join("pvxs_client.rs"))?;
    Ok(pvxs)
}
