//! The catalogue of approaches: name, command, rank by simplicity, and why one
//! is missing.

mod catalogue;
mod chosen_version;
mod settings;
mod user_file;

pub use catalogue::{Approach, Catalogue, Kind};
pub use chosen_version::{ResolveError, is_modified, name_without_version};
pub use settings::{NoSetting, Settings};
