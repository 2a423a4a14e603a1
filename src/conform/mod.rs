//! The conformance suite: what clients must answer, and whether they do.
//!
//! A check is data: records, what is done to them, what a client is asked, and the right
//! answer with the source that decides it. `checks/` holds those of this build, one file a
//! group.

mod check;
mod conversation;
mod expected;
mod held;
mod judged;
mod known;
mod matrix;
mod render;
mod run;
mod sources;
#[cfg(test)]
mod tests;

pub use check::{Check, CheckError, Checks};
pub use known::Known;
pub use matrix::{Column, Field, Matrix, Outcome, Page};
pub use render::{ConformFormat, render};
pub use run::{Interrupted, Reported, Server, ServerFailed, run};
