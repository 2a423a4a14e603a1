//! Real, isolated IOCs for measurements and integration tests.
//!
//! [`SoftIoc`] is the `softIoc` of the EPICS Base that this crate was built
//! with, started in a private temporary directory, on ports of its own, on
//! loopback only. It works the same in a plain `#[test]` and in a
//! `#[tokio::test]` (see [`Builder::start_async`]); dropping it ends it.
//!
//! ```
//! use epics_gauge::ioc::SoftIoc;
//!
//! let mut ioc = SoftIoc::builder()
//!     .db(r#"record(ao, "$(P)current") { field(VAL, "1.5") field(PINI, "YES") }"#, &[("P", "test:")])
//!     .start()?;
//!
//! // What a client process needs in its environment to find this IOC only:
//! for (name, value) in ioc.client_environment() {
//!     println!("export {name}={value}");
//! }
//! assert!(ioc.command("dbgf test:current")?.contains("1.5"));
//! # Ok::<(), epics_gauge::ioc::IocError>(())
//! ```

#[cfg(feature = "cli")]
mod behind;
mod builder;
#[cfg(feature = "cli")]
mod catalogue;
mod counters;
#[cfg(feature = "cli")]
mod gateway;
mod identity;
mod log;
mod many_iocs;
mod named_rates;
#[cfg(feature = "cli")]
mod other_soft_ioc;
mod place;
mod pool;
mod program;
#[cfg(feature = "cli")]
mod protocol_server;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a part of it is for measuring"))]
mod pvxs_report;
mod records;
mod refusal;
mod restart;
mod scan_menu;
mod scanning;
#[cfg(feature = "cli")]
mod server;
mod shell;
mod shell_counts;
mod soft_ioc;
mod start_up;
mod starting;
mod together;
mod values;

pub use crate::embedded::UnpackError;
pub use crate::missing::Missing;
pub use crate::process::ProcessError;
pub use builder::{Builder, MAX_FRAME_PIXELS, MAX_PVS, PVS_WITH_INDEX};
pub use counters::ServerCounters;
pub use log::{LogEvent, LogLine};
pub use many_iocs::ManyIocs;
pub use pool::Pool;
pub use restart::Restart;
pub use scan_menu::SCAN_RATES_HZ;
pub use soft_ioc::SoftIoc;

// For the program of this crate, which measures other servers too.
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use {
    crate::manifest::Holds,
    behind::WantedLink,
    catalogue::{
        Database, HostAddresses, ServerKind, Servers, StartsServers, UnknownServer, Wanted,
    },
    many_iocs::{SearchCount, SearchCounter, TimedSearches, searches_on_circuits},
    other_soft_ioc::OtherSoftIocError,
    scanning::MixedRates,
    server::{Counted, Server, ServerSampler},
};

use place::Place;

/// Why an IOC could not be started or did not answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IocError {
    /// The process failed.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// What it needs could not be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// The IOC ran but said that something is wrong with what it was given.
    #[error("the IOC refused its start-up: {reason}\n`{command}` in all printed:\n{output}")]
    Refused {
        /// What was seen.
        reason: String,
        /// The whole command line.
        command: String,
        /// Everything the IOC printed.
        output: String,
    },
    /// The server said what is not of the server protocol.
    #[error("the server broke its protocol: {reason}\n`{command}` in all printed:\n{output}")]
    Garbage {
        /// What is wrong, with what it said.
        reason: String,
        /// The whole command line.
        command: String,
        /// Everything the server printed.
        output: String,
    },
    /// The IOC's shell answered in words that are not known here. What it counted is
    /// not known then: it is never taken for 0.
    #[error(
        "cannot read the IOC's answer to `{command}`: {reason}. Answers of EPICS Base 3.15 to \
         7.0.10 are known; try `{command}` in a shell of this IOC, and see that nothing else \
         prints on its stdout. It answered:\n{answer}"
    )]
    UnknownAnswer {
        /// The command.
        command: String,
        /// What is not known.
        reason: String,
        /// Everything that it answered.
        answer: String,
    },
    /// The IOC serves, but not on the ports that it was given.
    #[error("the IOC did not get its ports: {reason}; is a server started by hand on port {port}?")]
    Ports {
        /// What was seen.
        reason: String,
        /// The port that it was to have.
        port: u16,
    },
    /// No ports are left for another IOC.
    #[error(
        "cannot reserve ports for an IOC: {reason}; end IOCs that are not needed any more, or \
         programs that hold these ports (`ss -tulpn` shows them)"
    )]
    NoPorts {
        /// What was seen.
        reason: String,
    },
    /// One IOC of several failed.
    #[error("IOC {number} of {iocs}, which has {pvs}: {error}")]
    OneOfMany {
        /// Which, from 1.
        number: usize,
        /// How many there are.
        iocs: usize,
        /// Its PVs, such as `gauge:0 to gauge:9`.
        pvs: String,
        /// What went wrong.
        error: Box<IocError>,
    },
    /// A server of another host failed there.
    #[error("on the host `{host}`: {message}")]
    Elsewhere {
        /// The host's name in the file of hosts.
        host: String,
        /// What happened there.
        message: String,
    },
    /// Its temporary directory could not be written.
    #[error("cannot {action}: {source}; free space there or set TMPDIR to another folder")]
    Files {
        /// What was tried, with the path.
        action: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It cannot run here at all.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// The caller requested something impossible.
    #[error("{0}")]
    InvalidRequest(String),
}
