//! The catalogue of approaches: name, command, rank by simplicity, and why one
//! is missing.

mod catalogue;
mod python;
mod user_file;

pub use catalogue::{Approach, Catalogue, Kind};
pub use python::{PythonSite, python_program};
pub use user_file::UserFileError;

use crate::embedded::UnpackError;
use crate::process::ProcessError;

/// Why an approach cannot run: a row with this reason.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Missing(pub String);

impl From<ProcessError> for Missing {
    fn from(error: ProcessError) -> Missing {
        Missing(error.to_string())
    }
}

impl From<UnpackError> for Missing {
    fn from(error: UnpackError) -> Missing {
        Missing(error.to_string())
    }
}
