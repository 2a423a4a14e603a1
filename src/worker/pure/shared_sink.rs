//! Updates that the runtime's threads bring and the worker's thread waits for.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::worker::completions::{Failure, NotRunning, UpdateSink};
use crate::worker::future_client::Sink;
use crate::worker::updates::Numbering;
use crate::worker_protocol::{Monitor, Updates};

/// A sink that tasks on several threads share. The runtime needs no driving.
pub(super) type SharedSink = Arc<UpdateSink<String>>;

impl Sink<String> for SharedSink {
    fn new(monitor: Monitor, pvs: usize) -> SharedSink {
        Arc::new(UpdateSink::new(monitor, pvs))
    }

    fn begin(&self, pvs: &[usize]) -> Numbering {
        UpdateSink::begin(self, pvs)
    }

    fn wait_for_first(
        &mut self,
        _: &Runtime,
        pvs: &[usize],
        deadline: Instant,
    ) -> Result<(), NotRunning<String>> {
        UpdateSink::wait_for_first(self, pvs, deadline)
    }

    fn begin_collecting(&mut self, _: &Runtime) {
        UpdateSink::begin_collecting(self);
    }

    fn take_updates(&mut self, _: &Runtime, duration: Duration) {
        thread::sleep(duration);
    }

    fn taken(&mut self) -> Result<Updates, Failure<String>> {
        UpdateSink::taken(self)
    }
}
