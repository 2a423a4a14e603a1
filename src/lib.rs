//! Measures EPICS clients and IOCs at scale and checks every value.

pub mod approach;
pub mod campaign;
mod channel_access;
pub mod embedded;
pub mod frame;
pub mod ioc;
pub mod judge;
pub mod manifest;
pub mod measure;
pub mod metric;
pub mod process;
pub mod protocol;
pub mod python_site;
pub mod record;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod system_packages;
pub mod units;
pub mod worker;
pub mod worker_protocol;

mod sys;

/// The EPICS Base of the softIoc, of `libca` and of `epics-ca`: version and
/// source.
pub const BASE: &str =
    concat!(env!("EPICS_GAUGE_BASE_VERSION"), " (", env!("EPICS_GAUGE_BASE_SOURCE"), ")");

/// The compiler that built them.
pub const COMPILER: &str = env!("EPICS_GAUGE_CXX");

/// pvxs, which serves and speaks pvAccess here: version and source; or why this
/// build has none.
#[cfg(feature = "pvaccess")]
pub const PV_ACCESS: Result<&str, &str> =
    Ok(concat!(env!("GAUGE_PVXS_VERSION"), " (", env!("GAUGE_PVXS_SOURCE"), ")"));
#[cfg(not(feature = "pvaccess"))]
#[expect(missing_docs, reason = "as above")]
pub const PV_ACCESS: Result<&str, &str> = Err("built without the feature pvaccess");
