//! What a native approach is to the worker's loop.

use std::collections::BTreeMap;
use std::time::Duration;

use super::per_pv_times::PerPvTimes;
use crate::worker_protocol::{Ask, Job, Mode, Monitor, Reply, Reported, Stage, Updates};

/// Why a stage could not be finished: a sentence that names the first PV
/// concerned.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct StageError(pub(super) String);

/// A library that answers typed questions. It keeps its subscription from `monitor` to
/// `updates`, and nothing else.
pub(super) trait Asker {
    /// What the library's documented call comes to, within `timeout`.
    fn ask(&mut self, ask: &Ask, timeout: Duration) -> Reply;
}

/// One approach at work on one job: its context with all that is in it.
///
/// Every method blocks until its stage is finished and gives up after the job's
/// timeout. PVs are named by their index in [`Job::pvs`].
pub(super) trait Client: Sized {
    /// The approach's name in the catalogue.
    const APPROACH: &'static str;

    /// Versions of everything below the approach.
    fn versions() -> BTreeMap<String, String>;

    /// The stages that this approach can separate.
    fn stages() -> Vec<Stage> {
        all_stages()
    }

    /// Whether a thread that did not make the client may close it. [`Client::stages`] of such
    /// a client has [`Stage::CloseElsewhere`].
    const CLOSES_ELSEWHERE: bool = false;

    /// What answers typed questions; none where the library is not asked yet.
    fn asker() -> Option<Box<dyn Asker>> {
        None
    }

    /// What it can report beside updates.
    fn reports() -> Vec<Reported> {
        vec![Reported::States, Reported::Gets, Reported::Unconnected, Reported::Mixed]
    }

    /// The stage `context`: makes the library's context; touches no PV.
    fn new(job: &Job) -> Result<Self, StageError>;

    /// Makes the channel objects of all PVs.
    fn create(&mut self) -> Result<(), StageError>;

    /// Waits until all PVs are connected. In serial mode nothing was created
    /// before: each PV is created and connected before the next is begun.
    fn connect(&mut self, mode: Mode) -> Result<(), StageError>;

    /// Seeks all PVs at once and waits until all but `absent` are connected, which no server
    /// has; returns those that are not. Only asked for where [`Client::reports`] has it.
    fn connect_without(&mut self, absent: &[usize]) -> Result<Vec<usize>, StageError> {
        let _ = absent;
        Err(StageError("the approach cannot connect without some of its PVs".to_owned()))
    }

    /// Reads plain `DBR_DOUBLE` values of `pvs`, in that order; in serial mode it
    /// marks `times` whenever one is there.
    fn get(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError>;

    /// Reads `pvs` one after another by the library's ordinary get with its defaults, and
    /// marks `times` at each. Where the library has no other get than a plain one, that is
    /// it.
    fn get_default(
        &mut self,
        pvs: &[usize],
        times: &mut PerPvTimes,
    ) -> Result<Vec<f64>, StageError> {
        self.get(Mode::Serial, pvs, times)
    }

    /// Writes `values` to `pvs` and waits for each server's confirmation; in serial
    /// mode it marks `times` at each.
    fn put(
        &mut self,
        mode: Mode,
        pvs: &[usize],
        values: &[f64],
        times: &mut PerPvTimes,
    ) -> Result<(), StageError>;

    /// Writes `values` to `pvs` by the library's put that does not wait for the server. Only
    /// asked for where [`Client::stages`] has it.
    fn put_unconfirmed(&mut self, pvs: &[usize], values: &[f64]) -> Result<(), StageError>;

    /// From now on its stages give up after `timeout`.
    fn set_timeout(&mut self, timeout: Duration);

    /// Subscribes to value changes of `pvs` and waits until each has sent its
    /// first update. No library of ours has a call for one after the other, so
    /// `mode` only says when the next is begun.
    fn subscribe(&mut self, mode: Mode, pvs: &[usize], monitor: Monitor) -> Result<(), StageError>;

    /// From now on latencies count.
    fn begin_collecting(&mut self) -> Result<(), StageError>;

    /// Takes updates for `duration`.
    fn take_updates(&mut self, duration: Duration) -> Result<(), StageError>;

    /// All that arrived since [`Client::subscribe`] began, or since the last call.
    fn taken(&mut self) -> Result<Updates, StageError>;

    /// Takes updates for `duration` and reports them.
    #[cfg(test)]
    fn collect(&mut self, duration: Duration) -> Result<Updates, StageError> {
        self.begin_collecting()?;
        self.take_updates(duration)?;
        self.taken()
    }

    /// Ends all subscriptions and drops the channels of all PVs; the context stays, and
    /// [`Client::create`], [`Client::connect`] and [`Client::subscribe`] may come again.
    fn disconnect(&mut self) -> Result<(), StageError>;

    /// Ends the context with all that is in it.
    fn close(self) -> Result<(), StageError> {
        drop(self);
        Ok(())
    }

    /// What it counted of its own work in the stage that just ended, such as
    /// searches that it sent; most libraries count nothing.
    fn counters(&mut self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }
}

/// All stages but those that are `missing`.
pub(super) fn stages_without(missing: &[Stage]) -> Vec<Stage> {
    all_stages().into_iter().filter(|stage| !missing.contains(stage)).collect()
}

/// The stages of a library that does one after the other.
pub(super) fn all_stages() -> Vec<Stage> {
    vec![
        Stage::Context,
        Stage::Create,
        Stage::Connect,
        Stage::Get,
        Stage::Put,
        Stage::PutUnconfirmed,
        Stage::GetDefault,
        Stage::Subscribe,
        Stage::Disconnect,
        Stage::Close,
    ]
}
