//! Clients that write: to a slow record, to one that refuses, and without waiting.

use std::time::{Duration, Instant};

use super::workers::Workers;
use crate::ioc::Server;
use crate::measure::session::Answer;
use crate::measure::stop::Stop;
use crate::record::{FailureKind, PutsSeen};
use crate::scenario::{PutKind, SLOW_PUT};
use crate::worker_protocol::{Mode, Stage, StageCommand};

/// An IOC's timer ends a little early at most.
pub(super) const EARLY: f64 = 0.9;

/// Values that nobody waits for may take this long to be in their records.
const TO_ARRIVE: Duration = Duration::from_secs(5);

const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Connects and writes.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    pvs: usize,
    kind: PutKind,
) -> Result<(), Stop> {
    let stage = if kind == PutKind::Unconfirmed { Stage::PutUnconfirmed } else { Stage::Put };
    workers.ask(|worker| {
        worker.require(&[stage])?;
        Ok(worker.plain(&[Stage::Context, Stage::Create, Stage::Connect]))
    })?;
    if kind == PutKind::Unconfirmed {
        // The values of a client before this one are not its own.
        ioc.tick()?;
    }
    // No value of a processed record is negative.
    let values: Vec<f64> = (0..pvs).map(|pv| -(pv as f64) - 1.0).collect();
    let put = StageCommand { values: Some(values.clone()), ..StageCommand::new(stage, Mode::Bulk) };
    let asked = workers.begin(|_| Ok(vec![put.clone()]))?;
    let answers = match kind {
        PutKind::Refused => return refused(workers, asked),
        _ => workers.finish(asked)?,
    };
    let missing = match kind {
        PutKind::Unconfirmed => missing(ioc, &values)?,
        _ => 0,
    };
    for (worker, answers) in workers.all().iter_mut().zip(answers) {
        let Some(took_s) = answers.as_deref().and_then(took_s) else { continue };
        let is_early = kind == PutKind::Slow && took_s < EARLY * SLOW_PUT.as_secs_f64();
        worker.fault().puts = Some(PutsSeen {
            asked: pvs,
            early: usize::from(is_early),
            missing,
            took_s: Some(took_s),
            ..PutsSeen::default()
        });
    }
    Ok(())
}

/// An error is what is wanted.
fn refused(workers: &mut Workers, asked: super::workers::Asked) -> Result<(), Stop> {
    let outcomes = workers.outcomes(asked)?;
    for (worker, outcome) in workers.all().iter_mut().zip(outcomes) {
        let seen = match outcome {
            None => continue,
            Some(Ok(answers)) => {
                PutsSeen { asked: 1, swallowed: 1, took_s: took_s(&answers), ..PutsSeen::default() }
            }
            Some(Err(failure)) if failure.kind == FailureKind::StageFailed => {
                PutsSeen { asked: 1, ..PutsSeen::default() }
            }
            Some(Err(failure)) => {
                worker.leave(Stop::Failed(failure))?;
                continue;
            }
        };
        worker.fault().puts = Some(seen);
    }
    Ok(())
}

pub(super) fn took_s(answers: &[Answer]) -> Option<f64> {
    let done = &answers.last()?.done;
    Some(done.end_ns.saturating_sub(done.start_ns) as f64 / 1e9)
}

/// How many of these values are not in the records in the end.
pub(super) fn missing(ioc: &mut dyn Server, values: &[f64]) -> Result<usize, Stop> {
    let began = Instant::now();
    loop {
        let mut missing = 0;
        for (pv, value) in values.iter().enumerate() {
            missing += usize::from(ioc.stored_value(pv)? != *value);
        }
        if missing == 0 || began.elapsed() > TO_ARRIVE {
            return Ok(missing);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
