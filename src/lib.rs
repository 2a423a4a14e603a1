//! Measures EPICS clients and IOCs at scale and checks every value.
//!
//! What is meant for other crates is [`ioc`]: a real, isolated IOC for a test. Tests need
//! nothing else of this crate, so they leave the rest out:
//!
//! ```toml
//! [dev-dependencies]
//! epics-gauge = { version = "0.1", default-features = false, features = ["ioc"] }
//! ```
//!
//! The modules behind the feature `cli` are public for the program and its tests alone.
//! They are left out of this documentation and may change at any time.

#[cfg(not(feature = "ioc"))]
compile_error!("choose the feature `cli` (the default), or `ioc` for the softIoc fixture alone");

#[cfg(feature = "ioc")]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a part of it is for clients"))]
mod channel_access;
#[cfg(feature = "ioc")]
#[doc(hidden)]
pub mod embedded;
#[cfg(feature = "ioc")]
pub mod frame;
#[cfg(feature = "ioc")]
pub mod ioc;
#[cfg(feature = "ioc")]
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "a part of it is for clients"))]
#[doc(hidden)]
pub mod lookup;
#[cfg(feature = "ioc")]
mod missing;
#[cfg(feature = "ioc")]
mod named;
#[cfg(feature = "ioc")]
#[doc(hidden)]
pub mod process;

#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod approach;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod campaign;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod conform;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod hosts;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod judge;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod link;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod manifest;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod measure;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod metric;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod protocol;
#[cfg(feature = "cli")]
mod pv_access;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod python_site;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod record;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod report;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod scenario;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod stats;
#[cfg(feature = "cli")]
mod sys;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod system_packages;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod units;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod worker;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod worker_protocol;

/// The EPICS Base of the softIoc, of `libca` and of `epics-ca`: version and
/// source.
#[cfg(feature = "ioc")]
pub const BASE: &str =
    concat!(env!("EPICS_GAUGE_BASE_VERSION"), " (", env!("EPICS_GAUGE_BASE_SOURCE"), ")");

/// The compiler that built them.
#[cfg(feature = "ioc")]
pub const COMPILER: &str = env!("EPICS_GAUGE_CXX");

/// pvxs, which serves and speaks pvAccess here: version and source; or why this
/// build has none.
#[cfg(feature = "pvaccess")]
pub const PV_ACCESS: Result<&str, &str> =
    Ok(concat!(env!("GAUGE_PVXS_VERSION"), " (", env!("GAUGE_PVXS_SOURCE"), ")"));
#[cfg(not(feature = "pvaccess"))]
#[expect(missing_docs, reason = "as above")]
pub const PV_ACCESS: Result<&str, &str> = Err("built without the feature pvaccess");
