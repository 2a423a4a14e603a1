//! Measures and judges in turn, until all is decided or the blocks are used up.
//!
//! `measure` computes no statistics and `judge` starts nothing; this module connects them.

mod cache;
mod calibrating;
mod comparison;
mod copies;
mod gate;
mod header;
mod link_check;
mod lock;
mod measured;
mod pools;
mod revision;
mod screening;
mod store;

pub use cache::{keep_calibration, kept_calibrations, read_calibration};
pub use calibrating::{Draws, calibration_of, label};
pub use comparison::{Ended, compare_in_pairs};
pub use copies::Copies;
pub use gate::{Gate, GateResult};
pub use header::{candidates, header, now_utc};
pub use link_check::{LinkCheckError, LinkChecked, LinkLine, check_link};
pub use lock::{IfBusy, LockError, MeasuringLock, measuring_lock};
pub use measured::gate_of;
pub use pools::{INJECTED, Pool, measure_pools};
pub use revision::{AskedRevision, revision};
pub use screening::{Screened, Screening, ScreeningEvent};
