//! Ending an IOC and starting it again, in each way that a client may meet.

use std::io;

use super::values::{self, Held};
use super::{IocError, SoftIoc};

/// Records of this crate, whose values begin anew.
const OWN_RECORDS: [&str; 2] = ["gauge:", "epics-gauge:"];

/// How an IOC is started again: [`SoftIoc::restart_as`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Restart {
    without: Option<usize>,
    is_elsewhere: bool,
    keeps_values: bool,
    ends_cleanly: bool,
    has_a_string_instead: bool,
}

impl Restart {
    /// After a crash, on the same ports, with initial values.
    pub fn new() -> Restart {
        Restart::default()
    }

    /// Leaves out the calc record `gauge:index`: a PV that disappears. It comes back with
    /// the next restart.
    pub fn without(mut self, index: Option<usize>) -> Restart {
        self.without = index;
        self
    }

    /// On other ports. Clients that have the environment of before do not find it any more.
    pub fn on_other_ports(mut self) -> Restart {
        self.is_elsewhere = true;
        self
    }

    /// Writes to each record of the caller's own, in the order of `dbl`, the value that it
    /// had, as a client over Channel Access would: it is processed if a put to VAL processes
    /// it. A softIoc with autosave may do so by itself: its folder stays.
    pub fn with_values(mut self) -> Restart {
        self.keeps_values = true;
        self
    }

    /// Puts a stringin that holds "0" behind the name of the record that is left out.
    #[cfg(feature = "cli")]
    pub(crate) fn with_a_string_instead(mut self) -> Restart {
        self.has_a_string_instead = true;
        self
    }

    /// Lets the IOC leave by itself before, as `exit` does, instead of killing it.
    pub fn after_clean_end(mut self) -> Restart {
        self.ends_cleanly = true;
        self
    }
}

impl SoftIoc {
    /// Starts the IOC again as its [`Builder`](super::Builder) says, on the same ports and
    /// in the same folder; one that lives is killed before. Blocks until it serves.
    /// Records begin anew: with their initial values, with frame 0, and scanned
    /// as at the first start. So do counters and the log.
    ///
    /// With an index in `without` the calc record `gauge:index` is left out.
    ///
    /// # Errors
    /// Those of [`SoftIoc::restart_as`].
    pub fn restart(&mut self, without: Option<usize>) -> Result<(), IocError> {
        self.restart_as(&Restart::new().without(without))
    }

    /// The same in another way.
    ///
    /// # Errors
    /// Those of [`Builder::start`](super::Builder::start), after which the IOC is down; when
    /// there is no such record to leave out; when values cannot be read, or a record does not
    /// take its own back, though the IOC runs then.
    pub fn restart_as(&mut self, how: &Restart) -> Result<(), IocError> {
        let pvs = self.builder.start_up.indices();
        if let Some(index) = how.without.filter(|index| !pvs.contains(index)) {
            return Err(IocError::InvalidRequest(format!(
                "there is no gauge:{index} to leave out: the IOC has {} PVs",
                pvs.len()
            )));
        }
        let held = if how.keeps_values { self.held_values()? } else { Vec::new() };
        if how.ends_cleanly {
            self.shell.end_cleanly();
        } else {
            self.shell.kill();
        }
        if how.is_elsewhere {
            self.place.move_to_other_ports()?;
        }
        self.builder.start_up.has_a_string_instead = how.has_a_string_instead;
        self.shell = self.builder.start_in(&self.place, how.without)?;
        let rate_hz = self.builder.start_up.rate_hz;
        self.missing = how.without;
        self.scanning_hz = rate_hz.into_iter().collect();
        self.scanned_hz = rate_hz.into_iter().collect();
        self.scanned.clear();
        self.ticks = 0;
        self.put_back(&held)
    }

    fn held_values(&mut self) -> Result<Vec<Held>, IocError> {
        let listed = self.command("dbl")?;
        let is_own = |name: &&str| !OWN_RECORDS.iter().any(|own| name.starts_with(own));
        let names: Vec<String> = listed.lines().filter(is_own).map(str::to_owned).collect();
        values::read(self.port(), &names).map_err(|error| not_kept("read", &error))
    }

    fn put_back(&mut self, held: &[Held]) -> Result<(), IocError> {
        if held.is_empty() {
            return Ok(());
        }
        let refused =
            values::write(self.port(), held).map_err(|error| not_kept("written back", &error))?;
        if refused.is_empty() {
            return Ok(());
        }
        Err(IocError::InvalidRequest(format!(
            "the IOC runs again, but these records did not take back the values that they had: {}; \
             restart it without values, or see their DISP, access security and type",
            refused.join(", ")
        )))
    }
}

fn not_kept(what: &str, error: &io::Error) -> IocError {
    IocError::InvalidRequest(format!(
        "the values of the IOC could not be {what} over Channel Access: {error}"
    ))
}
