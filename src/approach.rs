//! The catalogue of approaches: name, command, rank by simplicity, and why one
//! is missing.

mod catalogue;
mod chosen_version;
mod user_file;

pub use catalogue::{Approach, Catalogue, Kind};
pub use chosen_version::{ResolveError, name_without_version};
