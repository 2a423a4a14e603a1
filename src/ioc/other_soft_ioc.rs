//! A softIoc of the user's own, as a server beside that of this crate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::program::check_executable;
use super::records::absolute;
use super::{Builder, IocError, SoftIoc};

/// How long it may take to start without records.
const TRIAL_DEADLINE: Duration = Duration::from_secs(15);

/// Why a program cannot be a server.
#[derive(Debug, thiserror::Error)]
pub enum OtherSoftIocError {
    /// It cannot be executed.
    #[error("{0}")]
    Program(String),
    /// It does not start as a softIoc does.
    #[error(
        "{program} does not work as a softIoc: {source}\nGive the path of a softIoc program, or \
         of a script that ends in `exec …/softIoc -D …/softIoc.dbd \"$@\"`"
    )]
    Trial {
        /// The path as it was given.
        program: PathBuf,
        /// What happened when it was tried.
        source: Box<IocError>,
    },
    /// A server of this name exists.
    #[error("there is a server `{0}` already")]
    Taken(String),
}

/// The user's softIoc, tried out.
#[derive(Debug, Clone)]
pub(super) struct OtherSoftIoc {
    program: PathBuf,
}

impl OtherSoftIoc {
    /// Tries a program by starting it without records. Returns the EPICS Base that it
    /// says it is of, too.
    pub(super) fn tried(program: &Path) -> Result<(OtherSoftIoc, String), OtherSoftIocError> {
        check_executable(program).map_err(OtherSoftIocError::Program)?;
        // The IOC runs in another folder than its caller.
        let found = OtherSoftIoc { program: absolute(program) };
        let builder = found.given_to(SoftIoc::builder().deadline(TRIAL_DEADLINE));
        let ioc = builder.start().map_err(|source| OtherSoftIocError::Trial {
            program: program.to_owned(),
            source: Box::new(source),
        })?;
        let base = ioc.base().unwrap_or("that does not say its release").to_owned();
        ioc.stop();
        Ok((found, base))
    }

    /// Has an IOC run this program, with its own database definition.
    pub(super) fn given_to(&self, builder: Builder) -> Builder {
        builder.program(&self.program)
    }
}
