//! What arrived on subscriptions, recorded in callbacks and summed up afterwards.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock::{nanoseconds, read};
use super::latency_over_time::{Timed, latency_over_time};
use crate::worker_protocol::{Content, Monitor, StateChange, UpdateRun, Updates};

/// Digits of a latency that are kept.
const LATENCY_DIGITS: u32 = 3;

/// From the Unix epoch to the start of 1990, which EPICS counts from.
const EPICS_EPOCH_S: i64 = 631_152_000;

/// So many 16 bit numbers never overflow a sum of 32 bit, in which a processor
/// adds more of them at once than in 64 bit.
const ADDENDS: usize = 1 << 16;

/// What one update holds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Update {
    pub(super) number: f64,
    /// That of a frame's pixels, else 0.
    pub(super) sum: u64,
    /// The server's time stamp, since the Unix epoch.
    pub(super) stamp_ns: i64,
}

/// One update with its subscription and when it arrived, since the Unix epoch.
#[derive(Debug, Clone, Copy, Default)]
struct Entry {
    subscription: u32,
    update: Update,
    arrived_ns: i64,
}

/// The numbers of a job's subscriptions: those to a PV are as far from one another
/// as the job has PVs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbering {
    pvs: usize,
    monitors: usize,
}

impl Numbering {
    /// For `monitor.monitors` subscriptions to each of `pvs` PVs.
    pub(super) fn new(monitor: Monitor, pvs: usize) -> Numbering {
        Numbering { pvs, monitors: monitor.monitors }
    }

    /// How many numbers there are.
    pub(super) fn count(self) -> usize {
        self.pvs * self.monitors
    }

    /// The numbers of the subscriptions to `pv`, from monitor 0 on.
    pub(super) fn of_pv(self, pv: usize) -> impl Iterator<Item = usize> {
        (0..self.monitors).map(move |monitor| monitor * self.pvs + pv)
    }

    /// The PV of a subscription.
    pub(super) fn pv(self, subscription: usize) -> usize {
        subscription % self.pvs.max(1)
    }

    /// Which of its PV's subscriptions it is.
    pub(super) fn monitor(self, subscription: usize) -> usize {
        subscription / self.pvs.max(1)
    }
}

/// The updates of all subscriptions, in the order of arrival. Room is made, and
/// touched, before the first of them, so that recording one allocates nothing.
#[derive(Debug)]
pub(super) struct UpdateLog {
    numbering: Numbering,
    entries: Vec<Entry>,
    recorded: usize,
    step: f64,
    monitor: Monitor,
    /// Updates that arrived before this moment have no latency.
    latencies_from_ns: i64,
    /// What the monotonic clock is behind the one since the Unix epoch.
    epoch_ns: i64,
    /// What the library reported of connections.
    states: Vec<StateChange>,
}

impl UpdateLog {
    /// Makes room for the updates of `monitor` among `pvs` PVs.
    pub(super) fn new(monitor: Monitor, pvs: usize) -> UpdateLog {
        UpdateLog {
            numbering: Numbering::new(monitor, pvs),
            entries: vec![Entry { subscription: u32::MAX, ..Entry::default() }; monitor.room],
            recorded: 0,
            step: monitor.step,
            monitor,
            latencies_from_ns: i64::MAX,
            epoch_ns: now_ns(libc::CLOCK_REALTIME) - now_ns(libc::CLOCK_MONOTONIC),
            states: Vec::new(),
        }
    }

    /// Records an update of a subscription, by its number in [`Numbering`], and when
    /// it arrived.
    pub(super) fn record(
        &mut self,
        subscription: usize,
        Arrived(arrived_ns): Arrived,
        update: Update,
    ) {
        let entry = Entry { subscription: subscription as u32, update, arrived_ns };
        match self.entries.get_mut(self.recorded) {
            Some(place) => *place = entry,
            None => self.entries.push(entry),
        }
        self.recorded += 1;
    }

    /// Records that a PV is connected now, or that it no longer is.
    pub(super) fn record_state(&mut self, pv: usize, connected: bool) {
        let at_ns = nanoseconds(read(libc::CLOCK_MONOTONIC));
        self.states.push(StateChange { pv, at_ns, connected });
    }

    /// How many updates were recorded since the last [`UpdateLog::take`].
    pub(super) fn recorded(&self) -> usize {
        self.recorded
    }

    /// From now on latencies count.
    pub(super) fn begin_collecting(&mut self) {
        self.latencies_from_ns = now_ns(libc::CLOCK_REALTIME);
    }

    /// Takes all updates, in the form of the protocol.
    pub(super) fn take(&mut self) -> Updates {
        let states = std::mem::take(&mut self.states);
        let entries = &self.entries[..self.recorded];
        let updates = Updates {
            runs: self.runs(entries),
            latencies: self.latencies(entries),
            latency_over_time: latency_over_time(self.timed(entries), self.numbering.pvs),
            latencies_by_pv: self.latencies_by_pv(entries),
            counters: BTreeMap::new(),
            states,
        };
        self.recorded = 0;
        updates
    }

    fn runs(&self, entries: &[Entry]) -> Vec<UpdateRun> {
        const NONE: usize = usize::MAX;
        let mut runs: Vec<UpdateRun> = Vec::new();
        // Each subscription's latest run.
        let mut latest = vec![NONE; self.numbering.count()];
        for Entry { subscription, update, arrived_ns } in entries {
            let subscription = *subscription as usize;
            let pv = self.numbering.pv(subscription);
            let has_sums = self.monitor.content_of(pv) == Content::Frames;
            let at = &mut latest[subscription];
            let follows =
                |run: &&mut UpdateRun| update.number == run.first + run.count as f64 * self.step;
            match runs.get_mut(*at).filter(follows) {
                Some(run) => {
                    run.count += 1;
                    run.sums.extend(has_sums.then_some(update.sum));
                }
                None => {
                    *at = runs.len();
                    runs.push(UpdateRun {
                        pv,
                        monitor: self.numbering.monitor(subscription),
                        first: update.number,
                        count: 1,
                        start_ns: u64::try_from(arrived_ns - self.epoch_ns).unwrap_or(0),
                        sums: has_sums.then_some(update.sum).into_iter().collect(),
                    });
                }
            }
        }
        runs
    }

    /// The updates that have a latency.
    fn timed(&self, entries: &[Entry]) -> impl Iterator<Item = Timed> + Clone {
        let collected = entries.iter().filter(|entry| entry.arrived_ns >= self.latencies_from_ns);
        collected.map(|entry| Timed {
            pv: self.numbering.pv(entry.subscription as usize),
            arrived_ns: entry.arrived_ns - self.epoch_ns,
            latency_ns: rounded(entry.arrived_ns - entry.update.stamp_ns),
        })
    }

    fn latencies(&self, entries: &[Entry]) -> Vec<(i64, u64)> {
        counted_together(self.timed(entries).map(|one| one.latency_ns).collect())
    }

    /// None where all PVs bring the same.
    fn latencies_by_pv(&self, entries: &[Entry]) -> Vec<Vec<(i64, u64)>> {
        if self.monitor.frames == 0 {
            return Vec::new();
        }
        let mut by_pv = vec![Vec::new(); self.numbering.pvs];
        for one in self.timed(entries) {
            by_pv[one.pv].push(one.latency_ns);
        }
        by_pv.into_iter().map(counted_together).collect()
    }
}

/// Latencies in order, with the count of each.
fn counted_together(mut latencies: Vec<i64>) -> Vec<(i64, u64)> {
    latencies.sort_unstable();
    latencies.chunk_by(|one, next| one == next).map(|same| (same[0], same.len() as u64)).collect()
}

/// When an update arrived, since the Unix epoch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrived(i64);

impl Arrived {
    /// Just now. To be asked for as soon as the library hands over the update,
    /// before anything is done with it.
    pub(super) fn now() -> Arrived {
        Arrived(now_ns(libc::CLOCK_REALTIME))
    }
}

/// How much longer each callback is to take; nothing where that is no time.
pub(super) fn callback_of(monitor: Monitor) -> Duration {
    Duration::try_from_secs_f64(monitor.callback_s.unwrap_or_default()).unwrap_or_default()
}

/// A time stamp of EPICS, in seconds since 1990 and ns, since the Unix epoch.
pub(super) fn stamp_ns(seconds: u32, nanoseconds: u32) -> i64 {
    (i64::from(seconds) + EPICS_EPOCH_S) * 1_000_000_000 + i64::from(nanoseconds)
}

/// The number of the frame that begins with the pixels `first` and `second`.
pub(super) fn frame_number(first: u16, second: u16) -> f64 {
    f64::from(u32::from(first) + (u32::from(second) << 16))
}

/// The number of a frame and the sum of its pixels, as unsigned. What an IOC
/// sends before its first frame is empty: number and sum 0.
pub(super) fn number_and_sum(pixels: &[i16]) -> (f64, u64) {
    let pixel = |index: usize| pixels.get(index).map_or(0, |pixel| pixel.cast_unsigned());
    // So few addends stay below 2^32; a check at each of them takes time.
    let add = |sum: u32, pixel: &i16| sum.wrapping_add(u32::from(pixel.cast_unsigned()));
    let sums = pixels.chunks(ADDENDS).map(|pixels| pixels.iter().fold(0, add));
    (frame_number(pixel(0), pixel(1)), sums.map(u64::from).sum())
}

/// To [`LATENCY_DIGITS`] digits.
fn rounded(latency_ns: i64) -> i64 {
    let digits = latency_ns.unsigned_abs().checked_ilog10().unwrap_or(0) + 1;
    let unit = 10_i64.pow(digits.saturating_sub(LATENCY_DIGITS));
    (latency_ns + latency_ns.signum() * unit / 2) / unit * unit
}

fn now_ns(clock: libc::clockid_t) -> i64 {
    i64::try_from(read(clock).as_nanos()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    impl UpdateLog {
        fn record_now(&mut self, subscription: usize, number: f64, sum: u64, stamp_ns: i64) {
            self.record(subscription, Arrived::now(), Update { number, sum, stamp_ns });
        }
    }

    fn log(content: Content, step: f64) -> UpdateLog {
        UpdateLog::new(
            Monitor {
                content,
                step,
                room: 2,
                monitors: 1,
                callback_s: None,
                frames: 0,
                may_be_silent: false,
            },
            2,
        )
    }

    fn shape(updates: &Updates) -> Vec<(usize, f64, u64)> {
        updates.runs.iter().map(|run| (run.pv, run.first, run.count)).collect()
    }

    #[test]
    fn updates_that_follow_on_one_another_are_one_run_for_each_pv() {
        let mut log = log(Content::Scalars, 10.0);
        for number in [0.0, 10.0, 20.0] {
            log.record_now(0, number, 0, 0);
            log.record_now(1, number + 1.0, 0, 0);
        }
        assert_eq!(log.recorded(), 6);
        assert_eq!(shape(&log.take()), [(0, 0.0, 3), (1, 1.0, 3)]);
        assert_eq!((log.recorded(), shape(&log.take())), (0, vec![]));
    }

    #[test]
    fn a_run_starts_when_its_first_update_arrived_on_the_monotonic_clock() {
        let mut log = log(Content::Scalars, 1.0);
        log.begin_collecting();
        let second_ns = 1_000_000_000;
        let around_ns = now_ns(libc::CLOCK_MONOTONIC) as u64;
        log.record_now(0, 1.0, 0, 0);
        let updates = log.take();
        // The other clock may be set meanwhile, but hardly by a second.
        let is_near = |start_ns: u64| start_ns.abs_diff(around_ns) < second_ns;
        assert!(is_near(updates.runs[0].start_ns), "{updates:?}");
        let series = updates.latency_over_time.unwrap();
        assert!(is_near(series.slices[0].start_ns), "{series:?}");
    }

    #[test]
    fn each_of_a_pvs_subscriptions_has_runs_of_its_own() {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 1.0,
            room: 2,
            monitors: 2,
            callback_s: None,
            frames: 0,
            may_be_silent: false,
        };
        let numbering = Numbering::new(monitor, 3);
        assert_eq!((numbering.count(), numbering.pv(5)), (6, 2));
        assert_eq!(numbering.of_pv(2).collect::<Vec<_>>(), [2, 5]);
        let mut log = UpdateLog::new(monitor, 3);
        for (subscription, number) in [(2, 1.0), (5, 1.0), (5, 2.0), (2, 3.0)] {
            log.record_now(subscription, number, 0, 0);
        }
        let updates = log.take();
        let shape = updates.runs.iter().map(|run| (run.pv, run.monitor, run.first, run.count));
        let expected = [(2, 0, 1.0, 1), (2, 1, 1.0, 2), (2, 0, 3.0, 1)];
        assert_eq!(shape.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_gap_a_repetition_and_a_step_back_begin_a_run() {
        let mut log = log(Content::Scalars, 1.0);
        for number in [1.0, 2.0, 4.0, 4.0, 3.0] {
            log.record_now(0, number, 0, 0);
        }
        assert_eq!(shape(&log.take()), [(0, 1.0, 2), (0, 4.0, 1), (0, 4.0, 1), (0, 3.0, 1)]);
    }

    #[test]
    fn the_sums_of_frames_stay_with_their_frames() {
        let mut log = log(Content::Frames, 1.0);
        for (number, sum) in [(1.0, 11), (2.0, 12), (5.0, 15)] {
            log.record_now(0, number, sum, 0);
        }
        let sums: Vec<Vec<u64>> = log.take().runs.into_iter().map(|run| run.sums).collect();
        assert_eq!(sums, [vec![11, 12], vec![15]]);
    }

    #[test]
    fn frames_and_scalars_of_one_job_are_distinguished() {
        let monitor = Monitor {
            content: Content::Scalars,
            step: 10.0,
            room: 4,
            monitors: 1,
            callback_s: None,
            frames: 1,
            may_be_silent: false,
        };
        let mut log = UpdateLog::new(monitor, 2);
        log.begin_collecting();
        for (pv, number, sum) in [(0, 1.0, 11), (1, 1.0, 0), (0, 2.0, 12), (1, 11.0, 0)] {
            log.record_now(pv, number, sum, now_ns(libc::CLOCK_REALTIME));
        }
        let updates = log.take();
        assert_eq!(shape(&updates), [(0, 1.0, 1), (1, 1.0, 2), (0, 2.0, 1)]);
        let sums: Vec<&[u64]> = updates.runs.iter().map(|run| &*run.sums).collect();
        assert_eq!(sums, [&[11][..], &[], &[12]]);
        let counts = |latencies: &Vec<(i64, u64)>| latencies.iter().map(|(_, count)| count).sum();
        let counts: Vec<u64> = updates.latencies_by_pv.iter().map(counts).collect();
        assert_eq!(counts, [2, 2]);
    }

    #[test]
    fn latencies_count_from_collecting_on() {
        let mut log = log(Content::Scalars, 1.0);
        log.record_now(0, 1.0, 0, 0);
        log.begin_collecting();
        let stamp_ns = now_ns(libc::CLOCK_REALTIME) - 5_000_000_000;
        log.record_now(0, 2.0, 0, stamp_ns);
        let latencies = log.take().latencies;
        assert_eq!(latencies.len(), 1);
        assert!((5_000_000_000..6_000_000_000).contains(&latencies[0].0), "{latencies:?}");
        assert_eq!(latencies[0].1, 1);
    }

    #[test]
    fn equal_latencies_are_counted_together_in_order() {
        let mut log = log(Content::Scalars, 1.0);
        log.begin_collecting();
        let Arrived(arrived_ns) = Arrived::now();
        for latency_ns in [90, 70, 90, -5] {
            let update = Update { number: 0.0, sum: 0, stamp_ns: arrived_ns - latency_ns };
            log.record(0, Arrived(arrived_ns), update);
        }
        assert_eq!(log.take().latencies, [(-5, 1), (70, 1), (90, 2)]);
    }

    #[test]
    fn a_stamp_counts_from_1990() {
        // `date -u -d 2024-02-29T12:00:00 +%s` minus that of 1990-01-01.
        assert_eq!(stamp_ns(1_078_056_000, 7), 1_709_208_000_000_000_007);
    }

    #[test]
    fn a_frame_has_the_number_of_its_first_pixels_and_the_sum_of_all() {
        let ramp: Vec<i16> = (0..150_000_u32).map(|index| (index * 7) as u16 as i16).collect();
        let sum: u64 = (0..150_000_u32).map(|index| u64::from((index * 7) as u16)).sum();
        assert_eq!(number_and_sum(&ramp), (f64::from(7 << 16), sum));
        assert_eq!(number_and_sum(&[-1; 1 << 17]), (f64::from(u32::MAX), 65_535 << 17));
        assert_eq!(number_and_sum(&[]), (0.0, 0));
    }

    #[test]
    fn a_latency_keeps_three_digits() {
        assert_eq!(rounded(123_456), 123_000);
        assert_eq!(rounded(-999_600), -1_000_000);
        assert_eq!(rounded(7), 7);
        assert_eq!(rounded(0), 0);
    }
}
