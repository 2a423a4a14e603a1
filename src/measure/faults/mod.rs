//! Faults: clients while something goes wrong. Where the figures are seconds all approaches run
//! side by side against one server, each in its own process, else one after another.

mod analysis;
mod block;
mod churn;
mod circuits;
mod close;
mod concurrent_puts;
mod dead;
mod late;
mod mixed;
mod monitored;
mod puts;
mod shared;
mod storm;
mod workers;

use std::time::Duration;

use super::plan::Bounds;
use super::session::Timeouts;
use super::stop::Stop;
use super::{Candidate, PlannedConfiguration, linked};
use crate::ioc::Server;
use crate::record::Record;
use crate::scenario::{
    FRAME_PV, FaultCourse, FaultDefinition, PutKind, REFUSING_PV, SLOW_PV, pv_name,
};
pub(super) use block::FaultBlock;
use workers::{Setup, Workers};

/// How long a stage may take, unless the user gives it: reconnecting may take libca 30 s.
const STAGE_TIMEOUT: Duration = Duration::from_secs(40);

/// The same where some libraries never end, and nobody has to reconnect.
const SHORT_TIMEOUT: Duration = Duration::from_secs(10);

fn usual_timeout(fault: &FaultDefinition) -> Duration {
    match fault.course {
        FaultCourse::Put(PutKind::Again | PutKind::InCallback) | FaultCourse::Shared(_) => {
            SHORT_TIMEOUT
        }
        FaultCourse::Dead { .. } => dead::STAGE_TIMEOUT,
        _ => STAGE_TIMEOUT,
    }
}

/// What one worker produced, with what it printed on stderr.
struct Finished {
    record: Record,
    log: String,
}

/// Takes workers through a fault; `records` are theirs, in the same order. Blocks for as
/// long as that takes.
///
/// # Errors
/// When the user stops it, or the server fails: that is the failure of every worker that has
/// none of its own.
fn measure(
    fault: &'static FaultDefinition,
    workers: Vec<(&Candidate, Record)>,
    ioc: &mut dyn Server,
    planned: &PlannedConfiguration,
    bounds: Bounds,
) -> Result<Vec<Finished>, Stop> {
    let is_dead = matches!(fault.course, FaultCourse::Dead { .. });
    let timeouts = Timeouts::new(bounds.timeout, usual_timeout(fault));
    let setup = Setup {
        planned,
        timeouts,
        pvs: pvs_of(fault, planned.pvs),
        counts_searches: is_dead,
        searches_at: None,
    };
    if let FaultCourse::Monitored(course) = fault.course
        && course.moves_server()
    {
        ioc.reserve_spare_ports()?;
    }
    linked::begin(ioc);
    let (workers, mut finished) = match fault.course {
        FaultCourse::Dead { one_of } => dead::alone(workers, ioc, &setup, one_of)?,
        FaultCourse::Storm { clients } => return storm::measure(workers, ioc, &setup, clients),
        _ => (workers, Vec::new()),
    };
    let mut workers = Workers::start(workers, ioc, &setup)?;
    let outcome = match fault.course {
        FaultCourse::Monitored(course) => monitored::run(&mut workers, ioc, planned.pvs, &course),
        FaultCourse::Late { after } => late::run(&mut workers, ioc, after),
        FaultCourse::Churn { rounds } => churn::run(&mut workers, ioc, planned.pvs, rounds),
        FaultCourse::Close(when) => close::run(&mut workers, ioc, when),
        FaultCourse::Put(PutKind::Again) => concurrent_puts::again(&mut workers),
        FaultCourse::Put(PutKind::InCallback) => concurrent_puts::in_callback(&mut workers, ioc),
        FaultCourse::Put(kind) => puts::run(&mut workers, ioc, planned.pvs, kind),
        FaultCourse::Dead { one_of } => dead::run(&mut workers, planned.pvs, one_of),
        FaultCourse::Storm { .. } => Ok(()),
        FaultCourse::Shared(by) => shared::run(&mut workers, ioc, planned.pvs, by),
        FaultCourse::Mixed(load) => mixed::run(&mut workers, ioc, &load),
    };
    workers.note_link(ioc);
    match outcome {
        Ok(()) => {}
        Err(Stop::Interrupted) => return Err(Stop::Interrupted),
        Err(Stop::Failed(failure)) => workers.fail_all(&failure),
    }
    finished.extend(workers.end());
    Ok(finished)
}

/// The names of the PVs that workers get.
fn pvs_of(fault: &FaultDefinition, pvs: usize) -> Vec<String> {
    match fault.course {
        FaultCourse::Put(PutKind::Slow | PutKind::Again) => vec![SLOW_PV.to_owned()],
        FaultCourse::Put(PutKind::Refused) => vec![REFUSING_PV.to_owned()],
        FaultCourse::Dead { one_of } => dead::names(pvs, one_of),
        // The camera comes first.
        FaultCourse::Mixed(load) => {
            let scalars = (0..load.slow_pvs + load.fast_pvs).map(pv_name);
            std::iter::once(FRAME_PV.to_owned()).chain(scalars).collect()
        }
        _ => (0..pvs).map(pv_name).collect(),
    }
}
