//! The approaches of the pure Rust stack: Channel Access and pvAccess without a
//! word of C, each over a tokio runtime with as many threads as there are cores,
//! as their own examples have it.

mod channel_access;
mod pv_access;
mod shared_sink;
mod stack;

pub(super) use channel_access::EpicsCaRs;
pub(super) use pv_access::EpicsPvaRs;
