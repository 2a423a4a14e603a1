//! Why a worker's measurement stopped.

use std::fmt::Display;

use crate::ioc::IocError;
use crate::process::{ProcessError, interrupted};
use crate::record::{Failure, FailureKind};
use crate::worker_protocol::Stage;

/// Why a worker's measurement stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed; the record holds the failure.
    Failed(Failure),
    /// The user stopped the run.
    Interrupted,
}

impl Stop {
    /// The same, with `stage` where it has none.
    pub(super) fn at(self, stage: Option<Stage>) -> Stop {
        match self {
            Stop::Failed(Failure { kind, stage: None, message }) => failed(kind, stage, message),
            stop => stop,
        }
    }
}

impl From<IocError> for Stop {
    fn from(error: IocError) -> Stop {
        of_ioc(&error, None)
    }
}

/// The stop for a failure in `stage`; none before the first.
pub(super) fn failed(kind: FailureKind, stage: Option<Stage>, message: impl Display) -> Stop {
    let message = match stage {
        Some(stage) => format!("{stage}: {message}"),
        None => message.to_string(),
    };
    Stop::Failed(Failure { kind, stage, message })
}

/// The stop for an answer that breaks the protocol.
pub(super) fn garbage(stage: Option<Stage>, message: impl Display) -> Stop {
    failed(FailureKind::Garbage, stage, message)
}

/// The stop for an IOC that failed.
pub(super) fn of_ioc(error: &IocError, stage: Option<Stage>) -> Stop {
    if matches!(error, IocError::Process(ProcessError::Interrupted)) {
        return Stop::Interrupted;
    }
    let kind = match error {
        IocError::Missing(_) => FailureKind::Missing,
        _ => FailureKind::Ioc,
    };
    failed(kind, stage, error)
}

/// The stop for a worker's process that failed.
pub(super) fn of_process(error: ProcessError, stage: Option<Stage>) -> Stop {
    let kind = match &error {
        ProcessError::Interrupted => return Stop::Interrupted,
        ProcessError::Start { .. } | ProcessError::Unpack(_) => FailureKind::Missing,
        ProcessError::Ended { .. } if interrupted() => return Stop::Interrupted,
        ProcessError::Ended { .. } => FailureKind::Crashed,
        ProcessError::TimedOut { .. } => FailureKind::TimedOut,
    };
    failed(kind, stage, error)
}
