//! The approaches of the pure Rust stack: Channel Access and pvAccess without a
//! word of C, each over a tokio runtime with as many threads as there are cores,
//! as their own examples have it.

mod channel_access;
mod notes;
mod pv_access;

pub use channel_access::EpicsCaRs;
pub use pv_access::EpicsPvaRs;

use std::fmt;

use tokio::runtime::Runtime;

use super::StageError;

/// The version of all their crates that Cargo.toml pins.
const VERSION: &str = "0.31.0";

fn runtime() -> Result<Runtime, StageError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| StageError(format!("tokio's runtime: {error}")))
}

fn failed(pv: &str, why: impl fmt::Display) -> StageError {
    StageError(format!("{pv}: {why}"))
}

fn not_subscribed(pv: &str, why: impl fmt::Display) -> StageError {
    StageError(format!("the subscription to {pv}: {why}"))
}

/// What is asked for together.
fn batches(mode: crate::worker_protocol::Mode, pvs: &[usize]) -> impl Iterator<Item = &[usize]> {
    pvs.chunks(match mode {
        crate::worker_protocol::Mode::Serial => 1,
        crate::worker_protocol::Mode::Bulk => pvs.len().max(1),
    })
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
