//! What tests ask of a worker that monitors PVs.

use std::time::Duration;

use epics_gauge::scenario::PROCESSED_FACTOR;
use epics_gauge::worker_protocol::{Content, Mode, Monitor, Stage, StageCommand, Updates};

use crate::support::WorkerDriver;

/// A worker that has connected these PVs.
pub(crate) fn connected(
    approach: &str,
    environment: Vec<(String, String)>,
    pvs: Vec<String>,
) -> WorkerDriver {
    let mut worker = WorkerDriver::start(approach, environment);
    worker.job_of(pvs, 60.0);
    worker.stage(Stage::Context, Mode::Bulk);
    worker.stage(Stage::Connect, Mode::Bulk);
    worker
}

/// Makes `monitors` subscriptions to each PV.
pub(crate) fn subscribe_to_each(
    worker: &mut WorkerDriver,
    content: Content,
    mode: Mode,
    monitors: usize,
) -> Result<(), String> {
    let step = if content == Content::Scalars { PROCESSED_FACTOR } else { 1.0 };
    let monitor = Some(Monitor {
        content,
        step,
        room: 10_000,
        monitors,
        callback_s: None,
        frames: 0,
        may_be_silent: false,
    });
    let command = StageCommand { monitor, ..StageCommand::new(Stage::Subscribe, mode) };
    worker.run(&command).map(drop)
}

pub(crate) fn begin_collecting(worker: &WorkerDriver, duration: Duration) {
    let seconds = Some(duration.as_secs_f64());
    let command = StageCommand { seconds, ..StageCommand::new(Stage::Collect, Mode::Bulk) };
    worker.begin(&command);
}

pub(crate) fn collect(worker: &mut WorkerDriver, duration: Duration) -> Updates {
    begin_collecting(worker, duration);
    worker.finish().unwrap().updates.unwrap()
}
