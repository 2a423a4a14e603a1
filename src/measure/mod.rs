//! Runs workers against IOCs and records what they do; computes no statistics.

mod answers;
mod arrivals;
mod block;
mod capacity;
mod connect;
#[cfg(test)]
mod conversations;
mod cores;
mod default_get;
mod driven;
mod driver;
mod faults;
mod floor;
mod latency_over_time;
mod linked;
mod lookup;
mod losses;
mod machine;
mod many_iocs;
mod monitor;
mod pairs;
mod past;
mod plan;
#[cfg(test)]
mod scripted;
mod session;
mod single;
mod stop;
mod transport;
mod usage_recorder;
mod witness;

pub use floor::{Shown, ShownStage, Took, Traffic, show as show_floor};
pub use machine::this_machine;
pub use pairs::{PairRunner, SideSetup};
pub use plan::{DoneWorker, Plan, PlannedConfiguration};

use std::collections::BTreeMap;
use std::time::Duration;

use rand::seq::SliceRandom;

use crate::approach::Approach;
use crate::ioc::Servers;
use crate::process::Command;
use crate::python_site::Missing;
use crate::record::{Failure, FailureKind, Record};
use crate::worker_protocol::Hello;
use block::BlockRunner;
use faults::FaultBlock;
use many_iocs::SharedIocs;
use session::{Session, Timeouts};
use stop::Stop;

/// An approach with the command that starts its worker, or the reason why there is none.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// From the catalogue.
    pub approach: Approach,
    /// What starts it.
    pub command: Result<Command, Missing>,
}

/// What a run reports while it is in progress.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A worker is started.
    Started {
        /// The configuration.
        planned: &'a PlannedConfiguration,
        /// The approach.
        approach: &'a str,
    },
    /// An approach has finished a configuration.
    Done,
    /// A worker has ended, with success or a failure.
    Finished {
        /// Its record.
        record: Box<Record>,
        /// What it printed on stderr.
        log: String,
    },
    /// A worker is skipped because it failed in this configuration before.
    LeftOut,
}

/// Runs all blocks of `plan`; blocks until they have ended. Calls `report` before and after
/// each worker.
///
/// Returns false when the user interrupted it.
///
/// # Errors
/// The first error of `report`, which stops the run.
pub fn run<E>(
    plan: &Plan,
    servers: &Servers,
    candidates: &[Candidate],
    mut report: impl FnMut(Progress<'_>) -> Result<(), E>,
) -> Result<bool, E> {
    let mut random = plan.random();
    let mut failed = plan.failed_before();
    let mut failed_starts = BTreeMap::new();
    let mut shared_iocs = SharedIocs::default();
    for block in 0..plan.blocks() {
        let mut configurations = plan.configurations.clone();
        configurations.retain(|planned| planned.blocks > block);
        configurations.shuffle(&mut random);
        // Many IOCs come last, the fewest first: an approach that is slow with one skips the
        // larger ones.
        configurations.sort_by_key(|planned| planned.many_iocs.map(|_| planned.pvs));
        let (of_faults, others): (Vec<_>, Vec<_>) =
            configurations.into_iter().partition(|planned| planned.fault.is_some());
        for planned in &others {
            let mut runner = BlockRunner {
                plan,
                servers,
                planned,
                block: plan.first_block + block,
                ioc: None,
                failed: &mut failed,
                failed_starts: &mut failed_starts,
                shared_iocs: &mut shared_iocs,
            };
            if !runner.run(candidates, &mut random, &mut report)? {
                return Ok(false);
            }
        }
        let block = FaultBlock { plan, servers, candidates, block: plan.first_block + block };
        if !block.run(&of_faults, &mut random, &mut report)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Starts a worker, reads its hello and ends it.
///
/// # Errors
/// The failure that its record would hold.
pub fn handshake(command: &Command) -> Result<Hello, Failure> {
    let timeouts = Timeouts::new(None, Duration::ZERO);
    let outcome = Session::start(command, timeouts).and_then(|mut session| {
        let hello = session.hello()?;
        session.end();
        Ok(hello)
    });
    match outcome {
        Ok(hello) => Ok(hello),
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Interrupted) => Err(Failure {
            kind: FailureKind::Crashed,
            stage: None,
            message: "interrupted".to_owned(),
        }),
    }
}
