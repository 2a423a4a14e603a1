//! Clients that end their contexts and their processes.

use std::time::{Duration, Instant};

use super::workers::{FaultWorker, Workers, subscribe_to_scalars};
use crate::ioc::Server;
use crate::measure::session::Session;
use crate::measure::stop::Stop;
use crate::record::Closed;
use crate::scenario::{CLOSE_HZ, CloseWhen};
use crate::worker_protocol::{Mode, Stage, StageCommand};

/// A process that takes longer hangs.
const HANGS_AFTER: Duration = Duration::from_secs(20);

/// How long updates come, or the IOC is gone, before clients close.
const BEFORE: Duration = Duration::from_secs(1);

/// How long one process is waited for before the next.
const TURN: Duration = Duration::from_millis(2);

/// A worker that was asked to close.
struct Closing {
    worker: usize,
    session: Session,
    asked: Instant,
}

/// Connects and subscribes, then closes everybody at once.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    when: CloseWhen,
) -> Result<(), Stop> {
    let close = match when {
        CloseWhen::LivingElsewhere => Stage::CloseElsewhere,
        _ => Stage::Close,
    };
    workers.ask(|worker| {
        worker.require(&[Stage::Subscribe, close])?;
        let mut commands = worker.plain(&[Stage::Context, Stage::Create, Stage::Connect]);
        commands.push(subscribe_to_scalars(0));
        Ok(commands)
    })?;
    match when {
        CloseWhen::Living | CloseWhen::LivingElsewhere => {}
        CloseWhen::Dead | CloseWhen::NameServerDead => ioc.crash(),
        CloseWhen::Updating => ioc.start_scanning(CLOSE_HZ)?,
    }
    let nothing = workers.begin(|_| Ok(Vec::new()))?;
    workers.meanwhile(&nothing, BEFORE)?;
    let mut closing = Vec::new();
    for (at, worker) in workers.all().iter_mut().enumerate() {
        let Some(mut session) = worker.take_session() else { continue };
        let asked = Instant::now();
        session.begin(&[StageCommand::new(close, Mode::Bulk)]);
        closing.push(Closing { worker: at, session, asked });
    }
    wait_for(workers.all(), closing)?;
    match when {
        CloseWhen::Living | CloseWhen::LivingElsewhere => Ok(()),
        CloseWhen::Dead | CloseWhen::NameServerDead => Ok(ioc.restart(None)?),
        CloseWhen::Updating => Ok(ioc.stop_scanning()?),
    }
}

/// Waits until every process has ended, or hangs.
fn wait_for(workers: &mut [FaultWorker], mut closing: Vec<Closing>) -> Result<(), Stop> {
    while !closing.is_empty() {
        for at in (0..closing.len()).rev() {
            let one = &mut closing[at];
            let until = one.session.now() + TURN;
            let (ended, took) = (one.session.ended(until)?, one.asked.elapsed());
            let closed = match ended {
                Some(status) => Closed {
                    took_s: Some(took.as_secs_f64()),
                    status: status.to_string(),
                    is_clean: status.success(),
                    hangs: false,
                },
                None if took > HANGS_AFTER => Closed {
                    took_s: None,
                    status: format!("still there after {} s", HANGS_AFTER.as_secs()),
                    is_clean: false,
                    hangs: true,
                },
                None => continue,
            };
            let Closing { worker, session, .. } = closing.swap_remove(at);
            workers[worker].fault().closed = Some(closed);
            workers[worker].keep_log(session.log());
        }
    }
    Ok(())
}
