//! Clients that look for PVs of which some do not exist.

use std::time::Duration;

use super::Finished;
use super::workers::{FaultWorker, Setup, Workers, subscribe_to_scalars};
use crate::ioc::{Server, TimedSearches};
use crate::measure::Candidate;
use crate::measure::session::Answer;
use crate::measure::stop::Stop;
use crate::record::{DeadSeen, Record};
use crate::scenario::{DEAD_WINDOW, is_dead, pv_name};
use crate::worker_protocol::{Done, Mode, Reported, Stage, StageCommand};

/// All approaches connect 10 000 PVs each at once, on the cores of one machine.
pub(super) const STAGE_TIMEOUT: Duration = Duration::from_secs(120);

/// What a worker calls searches that it counts itself.
const SEARCHES: &str = "searches";

/// The names of all PVs, dead ones among the others.
pub(super) fn names(pvs: usize, one_of: usize) -> Vec<String> {
    let name = |pv: usize| match is_dead(pv, one_of) {
        true => format!("gauge:dead:{pv}"),
        false => pv_name(pv),
    };
    (0..pvs).map(name).collect()
}

/// Those to measure further, and those that failed.
type Sorted<'a> = (Vec<(&'a Candidate, Record)>, Vec<Finished>);

/// Connects the PVs that exist, without the others, in processes of their own.
pub(super) fn alone<'a>(
    given: Vec<(&'a Candidate, Record)>,
    ioc: &mut dyn Server,
    setup: &Setup<'_>,
    one_of: usize,
) -> Result<Sorted<'a>, Stop> {
    let pvs = setup.planned.pvs;
    let setup = Setup {
        pvs: (0..pvs).filter(|pv| !is_dead(*pv, one_of)).map(pv_name).collect(),
        ..setup.clone()
    };
    let candidates: Vec<&Candidate> = given.iter().map(|(candidate, _)| *candidate).collect();
    let mut workers = Workers::start(given, ioc, &setup)?;
    let answers = workers.ask(|worker| connect(worker, Vec::new()))?;
    for (worker, answers) in workers.all().iter_mut().zip(answers) {
        if let Some(connected) = answers.as_ref().and_then(|answers| answers.last()) {
            let alone_s = seconds(&connected.done);
            worker.fault().dead = Some(DeadSeen { alone_s, ..DeadSeen::default() });
        }
    }
    let mut sorted = (Vec::new(), Vec::new());
    for (candidate, finished) in candidates.into_iter().zip(workers.end()) {
        match finished.record.failure {
            None => sorted.0.push((candidate, finished.record)),
            Some(_) => sorted.1.push(finished),
        }
    }
    Ok(sorted)
}

/// Connects all, and counts what clients do about those that do not exist.
pub(super) fn run(workers: &mut Workers, pvs: usize, one_of: usize) -> Result<(), Stop> {
    let dead: Vec<usize> = (0..pvs).filter(|pv| is_dead(*pv, one_of)).collect();
    let living = (0..pvs).find(|pv| !is_dead(*pv, one_of)).unwrap_or(0);
    let answers = workers.ask(|worker| {
        worker.require(&[Stage::Subscribe])?;
        let mut commands = connect(worker, dead.clone())?;
        // One subscription, so that a program of callbacks has a reason to run.
        commands.push(StageCommand { pvs: Some(vec![living]), ..subscribe_to_scalars(0) });
        commands.extend([collect(), collect()]);
        Ok(commands)
    })?;
    for (worker, answers) in workers.all().iter_mut().zip(answers) {
        let Some([.., connected, _, first, later]) = answers.as_deref() else { continue };
        let searches = worker.take_searches();
        let is_counted = connected.done.counters.contains_key(SEARCHES);
        let hertz = |window: &Answer| searches_hz(&window.done, searches.as_deref(), is_counted);
        let alone_s = worker.fault().dead.as_ref().map_or(0.0, |seen| seen.alone_s);
        worker.fault().dead = Some(DeadSeen {
            dead: dead.len(),
            falsely_connected: dead.len().saturating_sub(connected.done.unconnected.len()),
            alone_s,
            connect_s: seconds(&connected.done),
            searches_first_hz: hertz(first),
            searches_later_hz: hertz(later),
            idle_cpu_percent: later.done.cpu_ns as f64 / 1e7 / seconds(&later.done),
        });
    }
    Ok(())
}

fn connect(worker: &FaultWorker, absent: Vec<usize>) -> Result<Vec<StageCommand>, Stop> {
    worker.require_report(Reported::Unconnected, "which PVs are not connected")?;
    let mut commands = worker.plain(&[Stage::Context]);
    commands.push(StageCommand {
        absent: Some(absent),
        ..StageCommand::new(Stage::Connect, Mode::Bulk)
    });
    Ok(commands)
}

fn collect() -> StageCommand {
    StageCommand {
        seconds: Some(DEAD_WINDOW.as_secs_f64()),
        ..StageCommand::new(Stage::Collect, Mode::Bulk)
    }
}

fn seconds(done: &Done) -> f64 {
    done.end_ns.saturating_sub(done.start_ns) as f64 / 1e9
}

/// Searches per second of a stage: as they arrived, or by the worker's own count where it
/// counts.
fn searches_hz(done: &Done, arrived: Option<&[TimedSearches]>, is_counted: bool) -> Option<f64> {
    let within = |one: &&TimedSearches| (done.start_ns..done.end_ns).contains(&one.at_ns);
    let counted = match arrived {
        Some(arrived) => arrived.iter().filter(within).map(|one| one.searches).sum(),
        None if is_counted => done.counters.get(SEARCHES).copied().unwrap_or(0),
        None => return None,
    };
    Some(counted as f64 / seconds(done))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_pvs_stand_among_the_others() {
        let names = names(25, 10);
        assert_eq!(names.len(), 25);
        let dead = names.iter().filter(|name| name.starts_with("gauge:dead:"));
        assert_eq!(dead.collect::<Vec<_>>(), ["gauge:dead:0", "gauge:dead:10", "gauge:dead:20"]);
        assert_eq!(names[11], pv_name(11));
    }

    #[test]
    fn searches_are_counted_within_their_window_only() {
        let done = Done { start_ns: 1_000_000_000, end_ns: 3_000_000_000, ..done() };
        let at = |at_ns, searches| TimedSearches { at_ns, searches };
        let arrived = [at(999_999_999, 7), at(1_000_000_000, 3), at(2_900_000_000, 5)];
        assert_eq!(searches_hz(&done, Some(&arrived), false), Some(4.0));
        assert_eq!(searches_hz(&done, Some(&[]), false), Some(0.0));
        assert_eq!(searches_hz(&done, None, false), None);
        assert_eq!(searches_hz(&done, None, true), Some(0.0), "a floor that sent none");
    }

    fn done() -> Done {
        let text =
            r#"{"stage": "collect", "mode": "bulk", "start_ns": 0, "end_ns": 0, "cpu_ns": 0}"#;
        serde_json::from_str(text).unwrap()
    }
}
