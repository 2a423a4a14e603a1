//! The approaches of the pure Rust stack: Channel Access and pvAccess without a
//! word of C, each over a tokio runtime with as many threads as there are cores,
//! as their own examples have it.

mod channel_access;
mod pv_access;
mod shared_sink;

pub(super) use channel_access::EpicsCaRs;
pub(super) use pv_access::EpicsPvaRs;

use std::io;

use tokio::runtime::{Builder, Runtime};

/// The version of all their crates that Cargo.toml pins.
const VERSION: &str = "0.31.0";

fn runtime() -> io::Result<Runtime> {
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
