//! Clients that look for an IOC which starts after them.

use std::time::Duration;

use super::workers::Workers;
use crate::ioc::Server;
use crate::measure::stop::Stop;
use crate::process::monotonic_ns;
use crate::record::Recovered;
use crate::worker_protocol::Stage;

/// Kills the IOC, lets clients look for it, and starts it again `after` that.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    after: Duration,
) -> Result<(), Stop> {
    ioc.crash();
    let contexts = workers.ask(|worker| Ok(worker.plain(&[Stage::Context])))?;
    drop(contexts);
    let asked = workers.begin(|worker| Ok(worker.plain(&[Stage::Create, Stage::Connect])))?;
    workers.meanwhile(&asked, after)?;
    ioc.restart(None)?;
    let served_ns = monotonic_ns();
    let answers = workers.finish(asked)?;
    for (worker, answers) in workers.all().iter_mut().zip(answers) {
        let Some(connected) = answers.as_ref().and_then(|answers| answers.last()) else { continue };
        let pvs = worker.record_pvs();
        let slowest_s = connected.done.end_ns.saturating_sub(served_ns) as f64 / 1e9;
        worker.fault().recovered = Some(Recovered {
            wanted: pvs,
            recovered: pvs,
            median_s: None,
            slowest_s: Some(slowest_s),
        });
    }
    Ok(())
}
