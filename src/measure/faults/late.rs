//! Clients that look for an IOC which starts after them.

use std::time::Duration;

use super::crew::Crew;
use crate::ioc::Server;
use crate::measure::stop::Stop;
use crate::process::monotonic_ns;
use crate::record::Recovered;
use crate::worker_protocol::Stage;

/// Kills the IOC, lets clients look for it, and starts it again `after` that.
pub(super) fn run(crew: &mut Crew, ioc: &mut dyn Server, after: Duration) -> Result<(), Stop> {
    ioc.crash();
    let contexts = crew.ask(|member| Ok(member.plain(&[Stage::Context])))?;
    drop(contexts);
    let asked = crew.begin(|member| Ok(member.plain(&[Stage::Create, Stage::Connect])))?;
    crew.meanwhile(&asked, after)?;
    ioc.restart(None)?;
    let served_ns = monotonic_ns();
    let answers = crew.finish(asked)?;
    for (member, answers) in crew.all().iter_mut().zip(answers) {
        let Some(connected) = answers.as_ref().and_then(|answers| answers.last()) else { continue };
        let pvs = member.record_pvs();
        let slowest_s = connected.done.end_ns.saturating_sub(served_ns) as f64 / 1e9;
        member.fault().recovered = Some(Recovered {
            wanted: pvs,
            recovered: pvs,
            median_s: None,
            slowest_s: Some(slowest_s),
        });
    }
    Ok(())
}
