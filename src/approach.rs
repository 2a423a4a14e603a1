//! The catalogue of approaches: name, command, rank by simplicity, and why one
//! is missing.

mod catalogue;
mod user_file;

pub use catalogue::{Approach, Catalogue, Kind};
pub use user_file::UserFileError;
