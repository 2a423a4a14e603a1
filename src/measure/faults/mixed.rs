//! A camera, slow and fast PVs in one client: whether the one keeps the other waiting.

use std::ops::Range;
use std::time::Duration;

use super::workers::{FaultWorker, Workers};
use crate::frame;
use crate::ioc::Server;
use crate::measure::single::rates_of;
use crate::measure::stop::{Stop, failed, garbage};
use crate::record::{FailureKind, FaultUpdates, KindSeen, MixedSeen};
use crate::scenario::{FRAME_PV, MixedLoad, PROCESSED_FACTOR, pv_name};
use crate::worker_protocol::{
    Content, Mode, Monitor, Reported, Stage, StageCommand, UpdateRun, Updates,
};

/// The worker's turn to begin collecting before the server begins to update.
const HEAD_START: Duration = Duration::from_millis(200);

/// What is on its way when the updates end has this long to arrive.
const DRAIN: Duration = Duration::from_millis(1500);

/// The worker collects this much longer than the rest is planned to take: a server ends a scan
/// of 1 Hz within a second.
const SPARE: Duration = Duration::from_secs(2);

/// So many of a hundred latencies are not longer.
const PERCENTILE: f64 = 0.99;

/// The camera is the first PV of the job.
const FRAMES: usize = 1;

/// Subscribes to all, lets the server update each kind at its rate, and looks at what arrived.
pub(super) fn run(
    workers: &mut Workers,
    ioc: &mut dyn Server,
    load: &MixedLoad,
) -> Result<(), Stop> {
    workers.ask(|worker| {
        worker.require(&[Stage::Subscribe])?;
        check_mixed(worker)?;
        let mut commands = worker.plain(&[Stage::Context, Stage::Create, Stage::Connect]);
        commands.push(subscribe(load));
        Ok(commands)
    })?;
    if workers.is_empty() {
        return Ok(());
    }
    let counted_before = ioc.counted()?;
    let seconds = (HEAD_START + load.lasts + DRAIN + SPARE).as_secs_f64();
    let collect =
        StageCommand { seconds: Some(seconds), ..StageCommand::new(Stage::Collect, Mode::Bulk) };
    let asked = workers.begin(|_| Ok(vec![collect.clone()]))?;
    workers.meanwhile(&asked, HEAD_START)?;
    ioc.start_mixed_scanning(rates_of(*load))?;
    workers.meanwhile(&asked, load.lasts)?;
    ioc.stop_scanning()?;
    let made = Made { load, frames: ioc.frame_count()?, processed: ioc.processed()? };
    let merged = ioc.counted()?.since(&counted_before).merged_updates;
    let answers = workers.finish(asked)?;
    for (worker, answers) in workers.all().iter_mut().zip(answers) {
        let Some(updates) = answers.and_then(|mut own| own.pop()?.done.updates) else { continue };
        match made.against(&updates) {
            Ok((mixed, all)) => {
                worker.fault().mixed = Some(mixed);
                worker.fault().updates = Some(FaultUpdates { server_merged: merged, ..all });
            }
            Err(stop) => worker.leave(stop)?,
        }
    }
    Ok(())
}

/// A worker that knows one content for all PVs cannot take frames and scalars together.
fn check_mixed(worker: &FaultWorker) -> Result<(), Stop> {
    if worker.hello().is_none_or(|hello| hello.reports.contains(&Reported::Mixed)) {
        return Ok(());
    }
    let message = "it takes no frames, or its worker knows one content for all PVs of a job \
                   (no `mixed` in the `reports` of its hello), so it was not tried";
    Err(failed(FailureKind::Unable, None, message))
}

fn subscribe(load: &MixedLoad) -> StageCommand {
    let hz =
        load.frames_hz + load.slow_hz * load.slow_pvs as f64 + load.fast_hz * load.fast_pvs as f64;
    let pvs = FRAMES + load.slow_pvs + load.fast_pvs;
    let monitor = Monitor {
        content: Content::Scalars,
        step: PROCESSED_FACTOR,
        room: (hz * (load.lasts + SPARE).as_secs_f64()) as usize + pvs,
        monitors: 1,
        callback_s: None,
        frames: FRAMES,
        may_be_silent: false,
    };
    StageCommand { monitor: Some(monitor), ..StageCommand::new(Stage::Subscribe, Mode::Bulk) }
}

/// What the server made, by its own count.
struct Made<'a> {
    load: &'a MixedLoad,
    frames: u64,
    /// By the index of the scalars.
    processed: Vec<u64>,
}

impl Made<'_> {
    /// What arrived of it, by kind and in all.
    fn against(&self, updates: &Updates) -> Result<(MixedSeen, FaultUpdates), Stop> {
        let pvs = FRAMES + self.processed.len();
        if updates.latencies_by_pv.len() != pvs {
            let lists = updates.latencies_by_pv.len();
            let message = format!("`latencies_by_pv` has {lists} lists for {pvs} PVs");
            return Err(garbage(Some(Stage::Collect), message));
        }
        let slow = FRAMES..FRAMES + self.load.slow_pvs;
        let mut all = FaultUpdates::default();
        let mixed = MixedSeen {
            frames: self.kind(0..FRAMES, updates, &mut all),
            slow: self.kind(slow.clone(), updates, &mut all),
            fast: self.kind(slow.end..pvs, updates, &mut all),
        };
        Ok((mixed, all))
    }

    fn kind(&self, pvs: Range<usize>, updates: &Updates, all: &mut FaultUpdates) -> KindSeen {
        let mut seen = KindSeen::default();
        for pv in pvs.clone() {
            let (received, lost) = self.pv(pv, updates, all);
            seen.received += received;
            seen.lost += lost;
        }
        all.received += seen.received;
        all.lost += seen.lost;
        seen.p99_s = p99_s(&updates.latencies_by_pv[pvs]);
        seen
    }

    /// How many updates of a PV arrived, and how many did not after the first that did.
    fn pv(&self, pv: usize, updates: &Updates, all: &mut FaultUpdates) -> (u64, u64) {
        let (mut received, mut lost, mut before) = (0, 0, None);
        for run in updates.runs.iter().filter(|run| run.pv == pv) {
            for nth in 0..run.count {
                let number = self.number(pv, run, nth);
                let next = before.map_or(number, |before: u64| Some(before + 1));
                let Some((number, next)) = number.zip(next).filter(|(is, next)| is >= next) else {
                    note_wrong(all, pv, run);
                    continue;
                };
                lost += number - next;
                received += 1;
                before = Some(number);
            }
        }
        let made = self.made(pv);
        all.last_missing += usize::from(before != Some(made));
        (received, lost + before.map_or(made, |before| made - before))
    }

    /// The number of an update; none of one that the server did not make.
    fn number(&self, pv: usize, run: &UpdateRun, nth: u64) -> Option<u64> {
        let Some(index) = pv.checked_sub(FRAMES) else {
            let (width, height) = self.load.pixels;
            let sum = frame::sum(run.first as u32, width as usize * height as usize);
            let is_whole = nth == 0 && run.sums.first() == Some(&sum);
            return Some(run.first as u64).filter(|number| is_whole && *number <= self.frames);
        };
        let value = run.first + nth as f64 * PROCESSED_FACTOR;
        let number = ((value - index as f64) / PROCESSED_FACTOR).round();
        let is_exact = number >= 0.0 && number * PROCESSED_FACTOR + index as f64 == value;
        (is_exact && number <= self.made(pv) as f64).then_some(number as u64)
    }

    /// The number of the last update of a PV.
    fn made(&self, pv: usize) -> u64 {
        match pv.checked_sub(FRAMES) {
            None => self.frames,
            Some(index) => self.processed[index],
        }
    }
}

fn note_wrong(all: &mut FaultUpdates, pv: usize, run: &UpdateRun) {
    all.wrong += 1;
    let name = pv.checked_sub(FRAMES).map_or(FRAME_PV.to_owned(), pv_name);
    let first = run.first;
    all.first_wrong.get_or_insert_with(|| {
        format!("an update of {name} with {first} came twice, out of order, torn or from nowhere")
    });
}

fn p99_s(by_pv: &[Vec<(i64, u64)>]) -> Option<f64> {
    let mut latencies: Vec<(i64, u64)> = by_pv.iter().flatten().copied().collect();
    latencies.sort_unstable();
    let all: u64 = latencies.iter().map(|(_, count)| count).sum();
    let wanted = (all as f64 * PERCENTILE).ceil() as u64;
    let mut passed = 0;
    let found = latencies.into_iter().find(|(_, count)| {
        passed += count;
        passed >= wanted
    });
    found.filter(|_| all > 0).map(|(latency_ns, _)| latency_ns as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: MixedLoad = MixedLoad {
        pixels: (4, 4),
        frames_hz: 120.0,
        slow_pvs: 1,
        slow_hz: 1.0,
        fast_pvs: 1,
        fast_hz: 100.0,
        lasts: Duration::from_secs(1),
    };

    fn run(pv: usize, first: f64, count: u64, sums: &[u64]) -> UpdateRun {
        UpdateRun { pv, monitor: 0, first, count, start_ns: 0, sums: sums.to_vec() }
    }

    fn frame_run(number: u32) -> UpdateRun {
        run(0, f64::from(number), 1, &[frame::sum(number, 16)])
    }

    fn scalars(pv: usize, number: u64, count: u64) -> UpdateRun {
        run(pv, number as f64 * PROCESSED_FACTOR + (pv - FRAMES) as f64, count, &[])
    }

    /// Three frames, two updates of the slow PV and four of the fast one.
    fn honest() -> Vec<UpdateRun> {
        let frames = (5..=7).map(frame_run);
        frames.chain([scalars(1, 1, 2), scalars(2, 3, 4)]).collect()
    }

    fn seen(runs: Vec<UpdateRun>) -> (MixedSeen, FaultUpdates) {
        let made = Made { load: &LOAD, frames: 7, processed: vec![2, 6] };
        let latencies_by_pv = vec![vec![(5_000_000, 99), (9_000_000, 1)], vec![(7, 1)], vec![]];
        let updates = Updates { runs, latencies_by_pv, ..Updates::default() };
        made.against(&updates).unwrap_or_else(|_| panic!("there are three lists"))
    }

    fn lost(mixed: &MixedSeen) -> [u64; 3] {
        [mixed.frames.lost, mixed.slow.lost, mixed.fast.lost]
    }

    #[test]
    fn all_that_was_made_has_arrived_with_the_latency_of_its_kind() {
        let (mixed, all) = seen(honest());
        assert_eq!((lost(&mixed), all.wrong, all.last_missing), ([0; 3], 0, 0));
        assert_eq!((mixed.frames.received, mixed.slow.received, mixed.fast.received), (3, 2, 4));
        assert_eq!((mixed.frames.p99_s, mixed.slow.p99_s), (Some(0.005), Some(7e-9)));
        assert_eq!(mixed.fast.p99_s, None);
    }

    #[test]
    fn what_is_lost_is_lost_by_its_own_kind() {
        let mut runs = honest();
        runs.remove(1);
        let (mixed, all) = seen(runs);
        assert_eq!((lost(&mixed), all.wrong, all.last_missing), ([1, 0, 0], 0, 0));
        let mut runs = honest();
        runs[3].count = 1;
        let (mixed, all) = seen(runs);
        assert_eq!((lost(&mixed), all.wrong, all.last_missing), ([0, 1, 0], 0, 1));
    }

    #[test]
    fn what_comes_twice_or_torn_or_from_nowhere_is_wrong() {
        let wrong = |more: UpdateRun| seen([honest(), vec![more]].concat()).1.wrong;
        assert_eq!(wrong(frame_run(7)), 1);
        assert_eq!(wrong(run(0, 8.0, 1, &[frame::sum(8, 16)])), 1);
        assert_eq!(wrong(scalars(2, 7, 1)), 1);
        assert_eq!(wrong(scalars(1, 2, 1)), 1);
        assert_eq!(wrong(run(1, 0.5, 1, &[])), 1);
        let mut torn = honest();
        torn[1].sums[0] += 1;
        assert_eq!(seen(torn).1.wrong, 1);
    }

    #[test]
    fn a_list_of_latencies_is_there_for_each_pv() {
        let made = Made { load: &LOAD, frames: 7, processed: vec![2, 6] };
        assert!(made.against(&Updates::default()).is_err());
    }
}
