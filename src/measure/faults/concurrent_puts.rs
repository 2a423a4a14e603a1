//! Clients that write where others are at work already: again to a record that has not completed,
//! and in the callback of a monitor.

use std::thread;
use std::time::{Duration, Instant};

use super::puts::{EARLY, missing, took_s};
use super::workers::{Outcome, Workers, subscribe_to_scalars};
use crate::ioc::Server;
use crate::measure::stop::Stop;
use crate::record::{FailureKind, PutsSeen};
use crate::scenario::SLOW_PUT;
use crate::worker_protocol::{Mode, Stage, StageCommand};

/// What takes so long never ends: two slow puts need 2 s, a put in a callback none.
const NEVER_ENDS: Duration = Duration::from_secs(8);

/// No value of a processed record is negative.
const FIRST: f64 = -1.0;
const SECOND: f64 = -2.0;

/// Workers arm their callbacks within this time.
const TO_ARM: Duration = Duration::from_millis(300);

/// The PV that is written in a callback, and the one whose callback it is: the server
/// processes them in this order.
const WRITTEN: usize = 0;
const MONITORED: usize = 1;

/// Writes twice to the slow record, the second time before it has completed.
pub(super) fn again(workers: &mut Workers) -> Result<(), Stop> {
    connect(workers, &[Stage::Put, Stage::Get])?;
    let put = StageCommand {
        pvs: Some(vec![0, 0]),
        values: Some(vec![FIRST, SECOND]),
        ..StageCommand::new(Stage::Put, Mode::Bulk)
    };
    let (outcomes, took) = asked(workers, &put)?;
    let mut held = held(workers)?.into_iter();
    // The next client finds a record that has completed.
    thread::sleep(SLOW_PUT * 2);
    for (worker, outcome) in workers.all().iter_mut().zip(outcomes) {
        let held = held.next().flatten();
        let Some(outcome) = outcome else { continue };
        let is_confirmed = outcome.is_ok();
        let Some(seen) = worker.puts_of(outcome, 2, took >= NEVER_ENDS)? else { continue };
        // The record completes twice, one time after the other.
        let least_s = EARLY * 2.0 * SLOW_PUT.as_secs_f64();
        worker.fault().puts = Some(PutsSeen {
            early: usize::from(seen.took_s.is_some_and(|took_s| took_s < least_s)),
            swallowed: usize::from(is_confirmed && held != Some(SECOND)),
            ..seen
        });
    }
    Ok(())
}

/// Writes in the callback of a monitor.
pub(super) fn in_callback(workers: &mut Workers, ioc: &mut dyn Server) -> Result<(), Stop> {
    connect(workers, &[Stage::Subscribe, Stage::PutInCallback])?;
    let subscribe = StageCommand { pvs: Some(vec![MONITORED]), ..subscribe_to_scalars(0) };
    workers.ask(|_| Ok(vec![subscribe.clone()]))?;
    let put = StageCommand {
        pvs: Some(vec![WRITTEN]),
        values: Some(vec![FIRST]),
        ..StageCommand::new(Stage::PutInCallback, Mode::Bulk)
    };
    let began = Instant::now();
    let pending = workers.begin(|_| Ok(vec![put.clone()]))?;
    workers.meanwhile(&pending, TO_ARM)?;
    ioc.tick()?;
    let outcomes = workers.outcomes(pending)?;
    let took = began.elapsed();
    for (worker, outcome) in workers.all().iter_mut().zip(outcomes) {
        let Some(outcome) = outcome else { continue };
        let is_confirmed = outcome.is_ok();
        let Some(seen) = worker.puts_of(outcome, 1, took >= NEVER_ENDS)? else { continue };
        let missing = if is_confirmed { missing(ioc, &[FIRST])? } else { 0 };
        worker.fault().puts = Some(PutsSeen { missing, ..seen });
    }
    Ok(())
}

fn connect(workers: &mut Workers, needed: &[Stage]) -> Result<(), Stop> {
    let connected = workers.ask(|worker| {
        worker.require(needed)?;
        Ok(worker.plain(&[Stage::Context, Stage::Create, Stage::Connect]))
    })?;
    drop(connected);
    Ok(())
}

/// What came of a command, and how long all took.
fn asked(
    workers: &mut Workers,
    command: &StageCommand,
) -> Result<(Vec<Option<Outcome>>, Duration), Stop> {
    let began = Instant::now();
    let pending = workers.begin(|_| Ok(vec![command.clone()]))?;
    let outcomes = workers.outcomes(pending)?;
    Ok((outcomes, began.elapsed()))
}

/// What the record holds, as each client reads it; none where it cannot.
fn held(workers: &mut Workers) -> Result<Vec<Option<f64>>, Stop> {
    let (outcomes, _) = asked(workers, &StageCommand::new(Stage::Get, Mode::Bulk))?;
    let value = |outcome: Option<Outcome>| {
        let answers = outcome?.ok()?;
        answers.last()?.done.values.as_ref()?.first().copied()
    };
    Ok(outcomes.into_iter().map(value).collect())
}

impl super::workers::FaultWorker {
    /// What came of `asked` puts, where that is no failure of another kind: then it leaves. An
    /// error that comes in time is no failure.
    fn puts_of(
        &mut self,
        outcome: Outcome,
        asked: usize,
        is_over: bool,
    ) -> Result<Option<PutsSeen>, Stop> {
        let seen = PutsSeen { asked, ..PutsSeen::default() };
        match outcome {
            Ok(answers) => Ok(Some(PutsSeen { took_s: took_s(&answers), ..seen })),
            Err(failure) if failure.kind == FailureKind::TimedOut => {
                self.warn(&failure.message);
                self.end_session();
                Ok(Some(PutsSeen { deadlocks: 1, ..seen }))
            }
            Err(failure) if failure.kind == FailureKind::StageFailed => {
                self.warn(&failure.message);
                Ok(Some(PutsSeen { deadlocks: usize::from(is_over), ..seen }))
            }
            Err(failure) => {
                self.leave(Stop::Failed(failure))?;
                Ok(None)
            }
        }
    }
}
