//! Measures EPICS clients and IOCs at scale and checks every value.

pub mod approach;
mod channel_access;
pub mod embedded;
pub mod frame;
pub mod ioc;
pub mod judge;
pub mod measure;
pub mod process;
pub mod protocol;
pub mod record;
pub mod report;
pub mod scenario;
pub mod stats;
pub mod units;
pub mod worker;

mod sys;

/// The EPICS Base of the softIoc, of `libca` and of `epics-ca`: version and
/// source.
pub const BASE: &str =
    concat!(env!("EPICS_GAUGE_BASE_VERSION"), " (", env!("EPICS_GAUGE_BASE_SOURCE"), ")");

/// The compiler that built them.
pub const COMPILER: &str = env!("EPICS_GAUGE_CXX");
