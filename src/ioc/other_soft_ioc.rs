//! A softIoc of the user's own, as a server beside that of this crate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::identity::speaks_pv_access;
use super::program::check_executable;
use super::records::absolute;
use super::{Builder, IocError, SoftIoc};
use crate::process::Deadline;

/// How long it may take to start without records.
const TRIAL_DEADLINE: Duration = Duration::from_secs(15);

/// How long its pvAccess server may take to be there, once the IOC serves.
const PV_ACCESS_DEADLINE: Duration = Duration::from_millis(200);

/// Width and height of a frame that shows whether it makes any.
const TRIAL_FRAME: u32 = 8;

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
    /// The EPICS Base that it says it is of.
    pub(super) base: String,
    /// Whether it serves pvAccess too.
    pub(super) has_pv_access: bool,
    /// Whether it has the device support that makes frames.
    pub(super) has_frames: bool,
}

impl OtherSoftIoc {
    /// Tries a program by starting it without records, and then with a camera.
    pub(super) fn tried(program: &Path) -> Result<OtherSoftIoc, OtherSoftIocError> {
        check_executable(program).map_err(OtherSoftIocError::Program)?;
        let mut found = OtherSoftIoc {
            // The IOC runs in another folder than its caller.
            program: absolute(program),
            base: String::new(),
            has_pv_access: false,
            has_frames: false,
        };
        let ioc = found.trial().start().map_err(|source| OtherSoftIocError::Trial {
            program: program.to_owned(),
            source: Box::new(source),
        })?;
        found.base = ioc.base().unwrap_or("that does not say its release").to_owned();
        let deadline = Deadline::after(PV_ACCESS_DEADLINE);
        found.has_pv_access =
            speaks_pv_access(ioc.place.at(ioc.place.ports.pva_server()), &deadline).is_ok();
        ioc.stop();
        let camera = found.trial().frames(TRIAL_FRAME, TRIAL_FRAME).start();
        found.has_frames = camera.map(SoftIoc::stop).is_ok();
        Ok(found)
    }

    fn trial(&self) -> Builder {
        self.given_to(SoftIoc::builder().deadline(TRIAL_DEADLINE))
    }

    /// Has an IOC run this program, with its own database definition.
    pub(super) fn given_to(&self, builder: Builder) -> Builder {
        let builder = builder.program(&self.program);
        if self.has_pv_access { builder.pv_access() } else { builder }
    }
}
