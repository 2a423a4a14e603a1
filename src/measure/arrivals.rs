//! Compares the updates that arrived with those that the server made: no I/O, no clock.

use crate::frame;
use crate::record::Pixels;
use crate::scenario::{PROCESSED_FACTOR, pv_name};
use crate::units::counted;
use crate::worker_protocol::UpdateRun;

/// The updates that one IOC process made, from its start or a subscription to its end.
#[derive(Debug, Clone)]
pub(super) struct IocInstance {
    /// Updates that arrived earlier, on the monotonic clock, belong to the previous process.
    pub(super) from_ns: u64,
    /// The number of each PV's update at the subscription; none where it is unknown, because
    /// clients reconnected at a time of their own.
    pub(super) first: Option<Vec<u64>>,
    /// The number of each PV's last update.
    pub(super) last: Vec<u64>,
}

/// How many updates of one IOC process were expected and arrived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) expected: u64,
    pub(super) received: u64,
    /// Frames that arrived twice in a row.
    pub(super) repeated: u64,
    /// Lost updates that the server made after the last that arrived.
    pub(super) late: u64,
    /// Subscriptions whose last update arrived.
    pub(super) caught_up: usize,
    /// When each subscription's first update of this instance arrived: those of the
    /// first monitor of every PV, then those of the second, and so on.
    pub(super) began_ns: Vec<Option<u64>>,
    /// The lost updates, late ones included.
    pub(super) gaps: Vec<Gap>,
}

/// Consecutive lost updates of one PV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) pv: usize,
    /// When the next update arrived; none where there was none.
    pub(super) seen_ns: Option<u64>,
    pub(super) updates: u64,
}

/// The subscriptions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subscribed {
    /// The size of frames; none for scalars.
    pub(super) pixels: Option<Pixels>,
    /// Subscriptions to each PV.
    pub(super) monitors: usize,
}

/// Counts the updates of each instance.
///
/// # Errors
/// A sentence on the first wrong update: of another PV, torn, twice, out of order, or never
/// made.
pub(super) fn tally(
    runs: &[UpdateRun],
    instances: &[IocInstance],
    subscribed: Subscribed,
) -> Result<Vec<Tally>, String> {
    let mut tallies = Vec::new();
    for (number, instance) in instances.iter().enumerate() {
        let until_ns = instances.get(number + 1).map_or(u64::MAX, |next| next.from_ns);
        let own: Vec<&UpdateRun> = runs
            .iter()
            .filter(|run| (instance.from_ns..until_ns).contains(&run.start_ns))
            .collect();
        tallies.push(tally_of(&own, instance, subscribed)?);
    }
    Ok(tallies)
}

fn tally_of(
    runs: &[&UpdateRun],
    instance: &IocInstance,
    subscribed: Subscribed,
) -> Result<Tally, String> {
    let Subscribed { pixels, monitors } = subscribed;
    let pvs = instance.last.len();
    let mut tally = Tally { began_ns: vec![None; pvs * monitors], ..Tally::default() };
    let first_of = |pv: usize| instance.first.as_ref().map(|first| first[pv]);
    check_counts(instance, pixels)?;
    let mut next: Vec<u64> =
        (0..pvs * monitors).map(|one| first_of(one % pvs).unwrap_or(0)).collect();
    for run in runs {
        if run.count == 0 {
            return Err(format!(
                "an empty run of updates arrived from {}",
                name_of(run.pv, pixels)
            ));
        }
        let last =
            *instance.last.get(run.pv).ok_or_else(|| format!("there is no PV {}", run.pv))?;
        if run.monitor >= monitors {
            return Err(format!("{} has no monitor {}", name_of(run.pv, pixels), run.monitor));
        }
        let one = run.monitor * pvs + run.pv;
        let mut numbers = match pixels {
            Some(pixels) => frame_numbers(run, pixels)?,
            None => scalar_numbers(run)?,
        };
        // The server sends an array as it is when its turn comes, so two events in
        // a row may bring the newer frame twice. Scalars are copied into the queue.
        let is_known = tally.began_ns[one].is_some();
        if pixels.is_some() && is_known && numbers.start + 1 == next[one] {
            tally.repeated += 1;
            numbers.start += 1;
        }
        check_order(&numbers, next[one], last)
            .map_err(|wrong| wrong.replace("{}", &name_of(run.pv, pixels)))?;
        if tally.began_ns[one].is_some() || first_of(run.pv).is_some() {
            tally.note_gap(run.pv, Some(run.start_ns), numbers.start - next[one]);
        }
        next[one] = numbers.end;
        tally.received += numbers.end - numbers.start;
        if tally.began_ns[one].is_none() {
            tally.began_ns[one] = Some(run.start_ns);
            tally.expected += last + 1 - first_of(run.pv).unwrap_or(numbers.start);
        }
    }
    for (one, next) in next.into_iter().enumerate() {
        let last = instance.last[one % pvs];
        tally.caught_up += usize::from(next == last + 1);
        let late = match (tally.began_ns[one], first_of(one % pvs)) {
            (Some(_), _) => last + 1 - next,
            (None, Some(first)) => {
                tally.expected += last + 1 - first;
                last + 1 - first
            }
            (None, None) => 0,
        };
        tally.late += late;
        tally.note_gap(one % pvs, None, late);
    }
    Ok(tally)
}

impl Tally {
    /// Subscriptions that have brought nothing.
    pub(super) fn silent(&self) -> u64 {
        self.began_ns.iter().filter(|began_ns| began_ns.is_none()).count() as u64
    }

    fn note_gap(&mut self, pv: usize, seen_ns: Option<u64>, updates: u64) {
        if updates > 0 {
            self.gaps.push(Gap { pv, seen_ns, updates });
        }
    }
}

/// The IOC's counts of its own updates never fall.
fn check_counts(instance: &IocInstance, pixels: Option<Pixels>) -> Result<(), String> {
    let firsts = instance.first.iter().flatten();
    match firsts.zip(&instance.last).enumerate().find(|(_, (first, last))| first > last) {
        None => Ok(()),
        Some((pv, (first, last))) => {
            let name = name_of(pv, pixels);
            let first = counted(*first as usize, "update");
            Err(format!("the IOC counted {first} of {name}, and {last} later"))
        }
    }
}

/// Checks that updates arrive in order, and that none is newer than the server's last. `{}` in
/// the error stands for the PV.
fn check_order(numbers: &std::ops::Range<u64>, next: u64, last: u64) -> Result<(), String> {
    if numbers.start < next {
        let number = numbers.start;
        return Err(format!(
            "update {number} of {{}} arrived twice or out of order: {next} was the next"
        ));
    }
    if numbers.end > last + 1 {
        let invented = numbers.end - 1;
        return Err(format!("update {invented} of {{}} arrived, but the IOC made {last} at most"));
    }
    Ok(())
}

/// A value encodes its PV and how often that was processed.
fn scalar_numbers(run: &UpdateRun) -> Result<std::ops::Range<u64>, String> {
    let index = run.first % PROCESSED_FACTOR;
    let is_unprocessed = run.first == 0.0 && run.count == 1;
    if index != run.pv as f64 && !is_unprocessed {
        return Err(format!("{} sent {}, which it never had", pv_name(run.pv), run.first));
    }
    let first = (run.first / PROCESSED_FACTOR) as u64;
    numbers_of(first, run.count)
}

/// A frame's sum shows whether all its pixels belong to the same frame.
fn frame_numbers(run: &UpdateRun, pixels: Pixels) -> Result<std::ops::Range<u64>, String> {
    if run.sums.len() as u64 != run.count {
        let (sums, frames) = (counted(run.sums.len(), "sum"), counted(run.count as usize, "frame"));
        return Err(format!("{sums} came for {frames}"));
    }
    let first = run.first as u64;
    for (number, sum) in (first..).zip(&run.sums) {
        let number = u32::try_from(number).map_err(|_| format!("frame {number} does not exist"))?;
        let whole = frame::sum(number, pixels.count());
        if *sum != whole {
            return Err(format!(
                "frame {number} arrived torn: its pixels sum to {sum}, those of the whole frame \
                 to {whole}"
            ));
        }
    }
    numbers_of(first, run.count)
}

/// The numbers of `count` updates from `first` on.
fn numbers_of(first: u64, count: u64) -> Result<std::ops::Range<u64>, String> {
    let end = first.checked_add(count);
    end.map(|end| first..end).ok_or_else(|| format!("{count} updates from {first} on cannot be"))
}

fn name_of(pv: usize, pixels: Option<Pixels>) -> String {
    match pixels {
        Some(_) => crate::scenario::FRAME_PV.to_owned(),
        None => pv_name(pv),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Pixels = Pixels { width: 4, height: 2 };
    const FRAMES: Subscribed = Subscribed { pixels: Some(FRAME), monitors: 1 };
    const SCALARS: Subscribed = Subscribed { pixels: None, monitors: 1 };

    fn run(pv: usize, first: u64, count: u64) -> UpdateRun {
        let first = pv as f64 + first as f64 * PROCESSED_FACTOR;
        UpdateRun { pv, monitor: 0, first, count, start_ns: 10, sums: Vec::new() }
    }

    fn frames(first: u64, sums: Vec<u64>) -> UpdateRun {
        UpdateRun {
            pv: 0,
            monitor: 0,
            first: first as f64,
            count: sums.len() as u64,
            start_ns: 10,
            sums,
        }
    }

    fn instance(first: u64, last: Vec<u64>) -> IocInstance {
        IocInstance { from_ns: 0, first: Some(vec![first; last.len()]), last }
    }

    fn one(runs: &[UpdateRun], instance: IocInstance) -> Result<Tally, String> {
        tally(runs, &[instance], SCALARS).map(|mut tallies| tallies.remove(0))
    }

    #[test]
    fn everything_that_was_made_arrived() {
        let tally = one(&[run(0, 1, 5), run(1, 1, 4)], instance(1, vec![5, 4])).unwrap();
        assert_eq!((tally.expected, tally.received, tally.late), (9, 9, 0));
        assert_eq!(tally.caught_up, 2);
    }

    #[test]
    fn a_gap_is_lost_and_a_missing_end_is_late() {
        let tally = one(&[run(0, 1, 2), run(0, 5, 2)], instance(1, vec![9])).unwrap();
        assert_eq!((tally.expected, tally.received, tally.late), (9, 4, 3));
        assert_eq!(tally.caught_up, 0);
        let gap = |seen_ns, updates| Gap { pv: 0, seen_ns, updates };
        assert_eq!(tally.gaps, [gap(Some(10), 2), gap(None, 3)]);
    }

    #[test]
    fn a_pv_that_never_sent_anything_has_lost_everything() {
        let tally = one(&[run(0, 1, 5)], instance(1, vec![5, 5])).unwrap();
        assert_eq!((tally.expected, tally.received, tally.late), (10, 5, 5));
    }

    #[test]
    fn what_the_server_never_made_so_is_an_error_with_its_number() {
        let wrong = |runs: &[UpdateRun]| one(runs, instance(1, vec![5, 5])).unwrap_err();
        assert!(wrong(&[run(0, 1, 2), run(0, 2, 1)]).contains("update 2 of gauge:0 arrived twice"));
        assert!(wrong(&[run(0, 3, 1), run(0, 1, 1)]).contains("update 1 of gauge:0"));
        assert!(wrong(&[run(0, 1, 6)]).contains("update 6 of gauge:0 arrived, but"));
        assert!(wrong(&[run(7, 1, 1)]).contains("there is no PV 7"));
        let of_another = UpdateRun { pv: 0, ..run(1, 1, 1) };
        assert!(wrong(&[of_another]).contains("gauge:0 sent 1048577, which it never had"));
    }

    #[test]
    fn counts_and_numbers_that_cannot_be_are_errors() {
        let falls = IocInstance { from_ns: 0, first: Some(vec![7]), last: vec![5] };
        let error = one(&[], falls).unwrap_err();
        assert!(error.contains("counted 7 updates of gauge:0, and 5 later"), "{error}");
        let instance = || instance(1, vec![5]);
        let error = one(&[run(0, 1, u64::MAX)], instance()).unwrap_err();
        assert!(error.contains("updates from 1 on cannot be"), "{error}");
        let error = one(&[run(0, 1, 0)], instance()).unwrap_err();
        assert!(error.contains("an empty run of updates"), "{error}");
    }

    #[test]
    fn a_torn_frame_is_an_error_with_its_number() {
        let whole = |number| frame::sum(number, FRAME.count());
        let check = |sums| tally(&[frames(7, sums)], &[instance(7, vec![8])], FRAMES);
        assert_eq!(check(vec![whole(7), whole(8)]).unwrap()[0].received, 2);
        let error = check(vec![whole(7), whole(8) + 1]).unwrap_err();
        assert!(error.contains("frame 8 arrived torn"), "{error}");
        assert!(tally(&[run(0, 7, 1)], &[instance(7, vec![8])], FRAMES).is_err());
    }

    #[test]
    fn a_frame_right_after_itself_is_counted_and_one_from_before_is_an_error() {
        let sums = |numbers: std::ops::RangeInclusive<u32>| {
            numbers.map(|number| frame::sum(number, FRAME.count())).collect::<Vec<u64>>()
        };
        let check = |second: UpdateRun| {
            tally(&[frames(1, sums(1..=3)), second], &[instance(1, vec![5])], FRAMES)
        };
        let again = check(frames(3, sums(3..=5))).unwrap().remove(0);
        assert_eq!((again.received, again.expected, again.repeated), (5, 5, 1));
        assert_eq!(again.caught_up, 1);
        assert!(check(frames(2, sums(2..=5))).unwrap_err().contains("update 2 of gauge:frame"));
    }

    #[test]
    fn every_subscription_to_a_pv_is_counted_for_itself() {
        let twice = Subscribed { monitors: 2, ..SCALARS };
        let second = UpdateRun { monitor: 1, ..run(1, 1, 2) };
        let runs = [run(0, 1, 3), UpdateRun { monitor: 1, ..run(0, 1, 3) }, run(1, 1, 3), second];
        let tally = |runs: &[UpdateRun]| {
            tally(runs, &[instance(1, vec![3, 3])], twice).map(|mut tallies| tallies.remove(0))
        };
        let all = tally(&runs).unwrap();
        assert_eq!((all.expected, all.received, all.late, all.caught_up), (12, 11, 1, 3));
        let without = tally(&runs[..3]).unwrap();
        assert_eq!((without.expected, without.received, without.late), (12, 9, 3));
        let error = tally(&[UpdateRun { monitor: 2, ..run(0, 1, 1) }]).unwrap_err();
        assert!(error.contains("gauge:0 has no monitor 2"), "{error}");
    }

    #[test]
    fn each_pv_has_a_first_and_a_last_update_of_its_own() {
        let twice = Subscribed { monitors: 2, ..SCALARS };
        let instance = IocInstance { from_ns: 0, first: Some(vec![1, 4]), last: vec![3, 9] };
        let of = |pv, monitor, first, count| UpdateRun { monitor, ..run(pv, first, count) };
        // The first subscription lost its first update, the second got none.
        let runs = [of(0, 0, 2, 2), of(0, 1, 1, 3), of(1, 1, 4, 6)];
        let tally = tally(&runs, &[instance], twice).unwrap().remove(0);
        assert_eq!((tally.expected, tally.received, tally.late), (18, 11, 6));
        assert_eq!(tally.caught_up, 3);
        let gap = |pv, seen_ns, updates| Gap { pv, seen_ns, updates };
        assert_eq!(tally.gaps, [gap(0, Some(10), 1), gap(1, None, 6)]);
    }

    #[test]
    fn numbers_begin_again_in_a_second_life() {
        let second = |first, count| UpdateRun { start_ns: 200, ..run(1, first, count) };
        let runs = [run(0, 1, 5), run(1, 1, 5), second(3, 2)];
        let again = IocInstance { from_ns: 100, first: None, last: vec![4, 4] };
        let tallies = tally(&runs, &[instance(1, vec![5, 5]), again], SCALARS).unwrap();
        assert_eq!((tallies[0].expected, tallies[0].received), (10, 10));
        assert_eq!((tallies[1].expected, tallies[1].received), (2, 2));
        assert_eq!(tallies[1].began_ns, [None, Some(200)]);
        assert_eq!(tallies[1].caught_up, 1);
    }

    #[test]
    fn a_record_that_was_never_processed_sends_zero_whatever_its_index() {
        let zero = UpdateRun { pv: 3, count: 1, ..run(0, 0, 1) };
        let tally = one(&[zero, run(3, 1, 2)], instance(0, vec![0, 0, 0, 2])).unwrap();
        assert_eq!((tally.received, tally.expected), (3, 6));
    }
}
