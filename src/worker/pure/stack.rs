//! What both approaches share.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// The version of all their crates that Cargo.toml pins.
pub(super) const VERSION: &str = "0.31.0";

/// As its examples have it.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().build()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_pinned_one() {
        let manifest = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        for name in ["epics-base-rs", "epics-ca-rs", "epics-pva-rs"] {
            let pinned = format!("{name} = {{ version = \"={}\"", super::VERSION);
            assert!(manifest.contains(&pinned), "{pinned}");
        }
    }
}
