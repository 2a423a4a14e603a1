//! Clients that a forked process or several threads use: they work as documented, or fail clearly.

use std::time::Duration;

use super::workers::{FaultWorker, Outcome, Workers, subscribe_to_scalars};
use crate::ioc::Server;
use crate::measure::session::Answer;
use crate::measure::stop::Stop;
use crate::record::{FailureKind, SharedUse};
use crate::scenario::{PROCESSED_FACTOR, SharedBy};
use crate::worker_protocol::{Mode, Stage, StageCommand, UpdateRun};

/// How long updates are taken: the server makes one of each PV.
const COLLECTED: Duration = Duration::from_millis(1500);
const HEAD_START: Duration = Duration::from_millis(300);

/// Has each client used by somebody else beside itself.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    pvs: usize,
    by: SharedBy,
) -> Result<(), Stop> {
    match by {
        SharedBy::ForkAfterImport => {
            prepare(workers, &[Stage::GetForked], &[])?;
            read(workers, ioc, pvs, Stage::GetForked)
        }
        SharedBy::ForkAfterUse => {
            let before = [Stage::Context, Stage::Create, Stage::Connect, Stage::Get];
            prepare(workers, &[Stage::Get, Stage::GetForked], &before)?;
            read(workers, ioc, pvs, Stage::GetForked)?;
            // The child must not have taken the parent's answers, or left it old ones.
            ioc.tick()?;
            read(workers, ioc, pvs, Stage::Get)
        }
        SharedBy::Threads => {
            let needed = [Stage::GetThreads, Stage::SubscribeThreads];
            prepare(workers, &needed, &[Stage::Context, Stage::Create, Stage::Connect])?;
            read(workers, ioc, pvs, Stage::GetThreads)?;
            monitor(workers, ioc, pvs)
        }
    }
}

fn prepare(workers: &mut Workers, needed: &[Stage], before: &[Stage]) -> Result<(), Stop> {
    let answers = workers.ask(|worker| {
        worker.require(needed)?;
        Ok(if before.is_empty() { Vec::new() } else { worker.plain(before) })
    })?;
    drop(answers);
    Ok(())
}

/// Reads all PVs by `stage` and compares the values with the server's own.
fn read(workers: &mut Workers, ioc: &mut dyn Server, pvs: usize, stage: Stage) -> Result<(), Stop> {
    let outcomes = asked(workers, vec![StageCommand::new(stage, Mode::Bulk)])?;
    for (worker, outcome) in workers.all().iter_mut().zip(outcomes) {
        let Some(outcome) = outcome else { continue };
        let wrong = |answers: &[Answer]| {
            let values = answers.last().and_then(|answer| answer.done.values.as_deref());
            let values = values.unwrap_or_default();
            (0..pvs).filter(|pv| values.get(*pv) != Some(&ioc.expected_value(*pv))).count()
        };
        worker.note_shared(stage, outcome, wrong)?;
    }
    Ok(())
}

/// Subscribes to all PVs from several threads; each must bring the update that is made then.
fn monitor(workers: &mut Workers, ioc: &mut dyn Server, pvs: usize) -> Result<(), Stop> {
    let stage = Stage::SubscribeThreads;
    let subscribe = StageCommand { stage, ..subscribe_to_scalars(0) };
    let outcomes = asked(workers, vec![subscribe])?;
    for (worker, outcome) in workers.all().iter_mut().zip(outcomes) {
        if let Some(outcome) = outcome {
            worker.note_shared(stage, outcome, |_| 0)?;
        }
    }
    let collect = StageCommand {
        seconds: Some(COLLECTED.as_secs_f64()),
        ..StageCommand::new(Stage::Collect, Mode::Bulk)
    };
    let pending = workers.begin(|_| Ok(vec![collect.clone()]))?;
    workers.meanwhile(&pending, HEAD_START)?;
    ioc.tick()?;
    let outcomes = workers.outcomes(pending)?;
    for (worker, outcome) in workers.all().iter_mut().zip(outcomes) {
        let Some(outcome) = outcome else { continue };
        let wrong = |answers: &[Answer]| {
            let updates = answers.last().and_then(|answer| answer.done.updates.as_ref());
            let runs = updates.map(|updates| &*updates.runs).unwrap_or_default();
            (0..pvs).filter(|pv| last_of(runs, *pv) != Some(ioc.expected_value(*pv))).count()
        };
        worker.note_shared(Stage::Collect, outcome, wrong)?;
    }
    Ok(())
}

/// The last value that a PV brought.
fn last_of(runs: &[UpdateRun], pv: usize) -> Option<f64> {
    let run = runs.iter().rfind(|run| run.pv == pv)?;
    Some(run.first + run.count.saturating_sub(1) as f64 * PROCESSED_FACTOR)
}

fn asked(workers: &mut Workers, commands: Vec<StageCommand>) -> Result<Vec<Option<Outcome>>, Stop> {
    let pending = workers.begin(|_| Ok(commands.clone()))?;
    workers.outcomes(pending)
}

impl FaultWorker {
    /// Adds what came of a stage; `wrong` counts the PVs with a wrong value in its answers. An
    /// error is clear, so it is kept and the worker ends; who hangs or crashed ends too.
    fn note_shared(
        &mut self,
        stage: Stage,
        outcome: Outcome,
        wrong: impl Fn(&[Answer]) -> usize,
    ) -> Result<(), Stop> {
        let failure = match outcome {
            Ok(answers) => {
                self.shared().wrong += wrong(&answers);
                return Ok(());
            }
            Err(failure) => failure,
        };
        let shared = self.shared();
        match failure.kind {
            FailureKind::TimedOut => shared.hangs = true,
            FailureKind::Crashed => shared.crashes = true,
            FailureKind::StageFailed => shared.error = Some(failure.message.clone()),
            _ => return self.leave(Stop::Failed(failure)),
        }
        if stage == Stage::Get {
            // Nothing that a library may refuse: only its child did that.
            let pvs = self.record_pvs();
            self.shared().wrong += pvs;
        }
        self.warn(&failure.message);
        // What a child left behind is seen in its parent.
        if stage != Stage::GetForked {
            self.end_session();
        }
        Ok(())
    }

    fn shared(&mut self) -> &mut SharedUse {
        self.fault().shared.get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_pv_is_that_of_its_last_run() {
        let run = |pv, number: f64, count| UpdateRun {
            pv,
            monitor: 0,
            first: number * PROCESSED_FACTOR + pv as f64,
            count,
            start_ns: 0,
            sums: Vec::new(),
        };
        let runs = [run(1, 1.0, 2), run(0, 1.0, 1), run(1, 5.0, 1)];
        assert_eq!(last_of(&runs, 1), Some(5.0 * PROCESSED_FACTOR + 1.0));
        assert_eq!(last_of(&runs, 0), Some(PROCESSED_FACTOR));
        assert_eq!(last_of(&runs, 2), None);
    }
}
