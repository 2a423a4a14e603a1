//! Drives one worker through any scenario: starts it, keeps its output, and finds out whether
//! the IOC caused a failure.

use std::time::Duration;

use super::driven::Driven;
use super::session::{Session, Timeouts};
use super::stop::{Stop, of_ioc};
use crate::approach::Approach;
use crate::ioc::Server;
use crate::process::Command;
use crate::record::Record;

/// A dying IOC closes its sockets before its process ends.
const IOC_EXIT_GRACE: Duration = Duration::from_millis(200);

/// What to start.
pub(super) struct Worker<'a> {
    pub(super) approach: &'a Approach,
    pub(super) command: Command,
    pub(super) timeouts: Timeouts,
}

/// A worker after its scenario, with success or a failure, which still runs.
pub(super) struct Driving {
    session: Session,
    pub(super) outcome: Result<(), Stop>,
}

impl Worker<'_> {
    /// Starts the worker and runs `scenario`, which fills `record` up to its end or its
    /// failure.
    pub(super) fn drive(
        &self,
        ioc: &mut dyn Server,
        record: &mut Record,
        scenario: impl FnOnce(&mut Driven<'_>) -> Result<(), Stop>,
    ) -> Result<Driving, Stop> {
        let session = Session::start(&self.command, self.timeouts)?;
        let mut driven = Driven::new(self.approach, session, ioc, record);
        let outcome = scenario(&mut driven);
        Ok(Driving { session: driven.session, outcome })
    }
}

impl Driving {
    /// Ends the worker and fills `log` with what it printed on stderr.
    pub(super) fn end(self, log: &mut String) -> Result<(), Stop> {
        *log = match self.outcome {
            Ok(()) => self.session.end(),
            Err(_) => self.session.log(),
        };
        self.outcome
    }
}

/// Blames the IOC when it has died, whatever the worker reports.
pub(super) fn blame_ioc(outcome: Result<(), Stop>, ioc: &mut dyn Server) -> Result<(), Stop> {
    if let Err(Stop::Failed(failure)) = &outcome {
        std::thread::sleep(IOC_EXIT_GRACE);
        ioc.check().map_err(|error| of_ioc(&error, failure.stage))?;
    }
    outcome
}
