//! Why something cannot run on this machine.

use crate::embedded::UnpackError;
use crate::process::ProcessError;

/// Why something cannot run here: the reason in its row.
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
