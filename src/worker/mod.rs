//! The inside of a worker process: one native approach, driven over stdin and stdout
//! by the messages of [`crate::worker_protocol`]. Knows nothing of the harness.
//!
//! A library that calls back is a `callback_client::CallbackLibrary`, one of futures
//! a `future_client::FutureLibrary`; all else that a client does is written once, in
//! the module that has the trait. `wire` is a client of its own.

mod ask;
mod callback_client;
mod client;
mod clock;
mod completions;
mod epics_ca;
mod floor;
mod future_client;
mod gets;
mod job;
mod latency_over_time;
mod libca;
mod natives;
mod outcome;
mod per_pv_times;
#[cfg(feature = "pure-rust")]
mod pure;
#[cfg(feature = "pvaccess")]
mod pvxs;
mod serve;
mod slowdown;
mod updates;
mod wire;
mod wire_pva;

pub use natives::{Serve, native, native_names};
