//! The inside of a worker process: one approach, driven over stdin and stdout
//! by the messages of [`crate::worker_protocol`]. Knows nothing of the harness.

mod clock;
pub mod epics_ca;
pub mod libca;
mod natives;
mod per_pv_times;
#[cfg(feature = "pure-rust")]
pub mod pure;
#[cfg(feature = "pvaccess")]
pub mod pvxs;
mod serve;
mod slowdown;
mod updates;
pub mod wire;

pub use natives::{Serve, native, native_names};
pub use per_pv_times::PerPvTimes;

use std::collections::BTreeMap;

use std::time::Duration;

use crate::worker_protocol::{Job, Mode, Monitor, Stage, Updates};

/// Why a stage could not be finished: a sentence that names the first PV
/// concerned.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StageError(pub String);

/// One approach, as the worker's loop drives it.
///
/// Every method blocks until its stage is finished and gives up after the job's
/// timeout. PVs are named by their index in [`Job::pvs`].
pub trait Client {
    /// The approach's name in the catalogue.
    fn approach(&self) -> &'static str;

    /// Versions of everything below the approach.
    fn versions(&self) -> BTreeMap<String, String>;

    /// The stages that this approach can separate.
    fn stages(&self) -> Vec<Stage> {
        vec![
            Stage::Context,
            Stage::Create,
            Stage::Connect,
            Stage::Get,
            Stage::Put,
            Stage::Subscribe,
        ]
    }

    /// Makes the library's context and remembers the job; touches no PV.
    fn context(&mut self, job: &Job) -> Result<(), StageError>;

    /// Makes the channel objects of all PVs.
    fn create(&mut self) -> Result<(), StageError>;

    /// Waits until all PVs are connected. In serial mode nothing was created
    /// before: each PV is created and connected before the next is begun.
    fn connect(&mut self, mode: Mode) -> Result<(), StageError>;

    /// Reads plain `DBR_DOUBLE` values of `pvs`, in that order; in serial mode it
    /// marks `times` whenever one is there.
    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError>;

    /// Writes `values` to `pvs` and waits for each server's confirmation; in serial
    /// mode it marks `times` at each.
    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError>;

    /// Subscribes to value changes of `pvs` and waits until each has sent its
    /// first update. No library of ours has a call for one after the other, so
    /// `mode` only says when the next is begun.
    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError>;

    /// Takes updates for `duration` and tells all that arrived since
    /// [`Client::subscribe`] began, or since the last call.
    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError>;

    /// What it counted of its own work in the stage that just ended, such as
    /// searches that it sent; most libraries count nothing.
    fn counters(&mut self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}
