//! A client that connects and disconnects again and again in one process.

use std::time::{Duration, Instant};

use super::workers::{FaultWorker, Workers};
use crate::ioc::Server;
use crate::measure::stop::Stop;
use crate::process::handles;
use crate::record::{Held, LeftOnServer};
use crate::scenario::PROCESSED_FACTOR;
use crate::worker_protocol::{Content, Mode, Monitor, Stage, StageCommand};

/// A server may take so long to forget a client.
const TO_FORGET: Duration = Duration::from_secs(3);

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Takes each worker through `rounds` rounds.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    pvs: usize,
    rounds: usize,
) -> Result<(), Stop> {
    // What a client before this one left is not its own.
    let before = left(ioc, pvs)?;
    workers.ask(|worker| {
        worker.require(&[Stage::Subscribe, Stage::Disconnect])?;
        Ok(worker.plain(&[Stage::Context]))
    })?;
    for _ in 0..rounds {
        let answers = workers.ask(|worker| Ok(round(worker)))?;
        for (worker, answers) in workers.all().iter_mut().zip(answers) {
            let Some(disconnected) = answers.as_ref().and_then(|answers| answers.last()) else {
                continue;
            };
            let done = &disconnected.done;
            let took_s = done.end_ns.saturating_sub(done.start_ns) as f64 / 1e9;
            worker.fault().disconnect_s.push(took_s / pvs.max(1) as f64);
            if let Some(held) = held(worker, ioc) {
                worker.fault().rounds.push(held);
            }
        }
    }
    let after = forgotten(ioc, pvs, before)?;
    let more = |after: Option<u64>, before: Option<u64>| {
        after.map(|after| after.saturating_sub(before.unwrap_or(0)))
    };
    for worker in workers.running() {
        worker.fault().left = Some(LeftOnServer {
            channels: more(after.channels, before.channels),
            subscriptions: more(after.subscriptions, before.subscriptions),
        });
    }
    Ok(())
}

fn round(worker: &FaultWorker) -> Vec<StageCommand> {
    let mut commands = worker.plain(&[Stage::Create, Stage::Connect]);
    let subscribe = StageCommand {
        monitor: Some(Monitor {
            content: Content::Scalars,
            step: PROCESSED_FACTOR,
            room: 0,
            monitors: 1,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        }),
        ..StageCommand::new(Stage::Subscribe, Mode::Bulk)
    };
    commands.extend([
        StageCommand::new(Stage::Get, Mode::Bulk),
        subscribe,
        StageCommand::new(Stage::Disconnect, Mode::Bulk),
    ]);
    commands
}

fn held(worker: &FaultWorker, ioc: &dyn Server) -> Option<Held> {
    let client = handles(worker.hello()?.pid)?;
    let server = handles(ioc.pid()).unwrap_or_default();
    Some(Held {
        client_bytes: client.rss_bytes,
        client_descriptors: client.descriptors,
        client_threads: client.threads,
        server_bytes: server.rss_bytes,
        server_descriptors: server.descriptors,
        server_threads: server.threads,
    })
}

fn left(ioc: &mut dyn Server, pvs: usize) -> Result<LeftOnServer, Stop> {
    let all: Vec<usize> = (0..pvs).collect();
    Ok(LeftOnServer { channels: ioc.channels()?, subscriptions: ioc.subscriptions_to(&all)? })
}

/// What is left when the server has forgotten what it forgets.
fn forgotten(ioc: &mut dyn Server, pvs: usize, before: LeftOnServer) -> Result<LeftOnServer, Stop> {
    let began = Instant::now();
    loop {
        let now = left(ioc, pvs)?;
        let is_more = now.channels > before.channels || now.subscriptions > before.subscriptions;
        if !is_more || began.elapsed() > TO_FORGET {
            return Ok(now);
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
