//! What arrived while something happened, against what the server made and when it could
//! answer: no I/O, no clock.

use crate::record::{Away, FaultRun, FaultUpdates, GetsSeen, Recovered, Reports, Timeline};
use crate::scenario::{PROCESSED_FACTOR, pv_name};
use crate::worker_protocol::{Done, GetAttempt, StateChange, UpdateRun};

/// A stopped server may still send what it had begun.
const STOPPING_NS: u64 = 50_000_000;

/// A get that ends this much later than its timeout says is late: a Python worker on a busy
/// machine may take half of that.
const GET_MARGIN_S: f64 = 1.0;

/// Channel Access reports a circuit that is silent for 35 s, pvAccess after 53 s: a server
/// that is away this long must be reported by either.
const MUST_BE_REPORTED_NS: u64 = 60_000_000_000;

/// For so long after it came back, a PV may bring the same value twice.
const COMING_BACK_NS: u64 = 1_000_000_000;

/// So many periods an update may be old when it arrives as the newest.
const NEWEST_WITHIN: f64 = 2.0;

/// How long the slices of a timeline are, in seconds.
const SLICE_S: f64 = 0.5;

const SECOND_NS: f64 = 1e9;

/// What happened.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    pub(super) pvs: usize,
    /// The PV that does not come back.
    pub(super) missing: Option<usize>,
    pub(super) rate_hz: f64,
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) absences: Vec<Absence>,
    pub(super) instances: Vec<Instance>,
    pub(super) get_timeout_s: f64,
}

/// A time in which the server could not answer.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Absence {
    pub(super) from_ns: u64,
    /// From here on it may have answered.
    pub(super) until_ns: u64,
    /// From here on it certainly did.
    pub(super) served_ns: u64,
    /// Whether its circuits were closed, which clients notice at once.
    pub(super) is_kill: bool,
}

/// One life of the server.
#[derive(Debug, Clone, Default)]
pub(super) struct Instance {
    /// What arrived earlier is of the one before.
    pub(super) from_ns: u64,
    /// The number of each PV's last update.
    pub(super) last: Vec<u64>,
    /// When the updates stopped.
    pub(super) scanned_until_ns: u64,
}

/// What one worker brought.
#[derive(Debug, Clone, Default)]
pub(super) struct Arrived {
    pub(super) runs: Vec<UpdateRun>,
    /// None where its library reports nothing.
    pub(super) states: Option<Vec<StateChange>>,
    pub(super) gets: Vec<GetAttempt>,
}

impl Arrived {
    pub(super) fn of(done: Done, reports_states: bool) -> Arrived {
        let updates = done.updates.unwrap_or_default();
        Arrived {
            runs: updates.runs,
            states: reports_states.then_some(updates.states),
            gets: done.gets,
        }
    }
}

/// One update of a PV.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Update {
    at_ns: u64,
    instance: usize,
    /// None of a value that no PV of this name ever has.
    number: Option<u64>,
}

/// What came of every worker, in the same order.
pub(super) fn analyse(course: &Course, arrived: &[Option<Arrived>]) -> Vec<Option<FaultRun>> {
    let updates: Vec<Option<Vec<Vec<Update>>>> = arrived
        .iter()
        .map(|own| own.as_ref().map(|own| updates_by_pv(course, &own.runs)))
        .collect();
    let seen = Seen::of(course, updates.iter().flatten());
    let of_one = |(own, updates): (&Option<Arrived>, &Option<Vec<Vec<Update>>>)| {
        let (own, updates) = (own.as_ref()?, updates.as_ref()?);
        Some(One { course, own, updates }.fault_run(&seen))
    };
    arrived.iter().zip(&updates).map(of_one).collect()
}

fn updates_by_pv(course: &Course, runs: &[UpdateRun]) -> Vec<Vec<Update>> {
    let mut by_pv = vec![Vec::new(); course.pvs];
    for run in runs.iter().filter(|run| run.pv < course.pvs) {
        let instance = course.instance_at(run.start_ns);
        let number = number_of(run.pv, run.first);
        // A run of more than one has the time of its first only.
        by_pv[run.pv].push(Update { at_ns: run.start_ns, instance, number });
    }
    by_pv
}

/// The number of the update with this value. A record that was never processed holds 0
/// whatever its index.
fn number_of(pv: usize, value: f64) -> Option<u64> {
    let number = ((value - pv as f64) / PROCESSED_FACTOR).round();
    let is_exact = value == 0.0 || number * PROCESSED_FACTOR + pv as f64 == value;
    (is_exact && number >= 0.0).then_some(number as u64)
}

impl Course {
    fn instance_at(&self, at_ns: u64) -> usize {
        self.instances.iter().rposition(|instance| instance.from_ns <= at_ns).unwrap_or(0)
    }

    fn seconds(&self, at_ns: u64) -> f64 {
        (at_ns as f64 - self.start_ns as f64) / SECOND_NS
    }

    /// The absence within which `at_ns` lies: certainly no answer was made then.
    fn absence_at(&self, at_ns: u64) -> Option<&Absence> {
        self.absences
            .iter()
            .find(|absence| (absence.from_ns + STOPPING_NS..absence.until_ns).contains(&at_ns))
    }

    /// The PVs that are to come back.
    fn wanted(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.pvs).filter(|pv| Some(*pv) != self.missing)
    }

    /// Whether an update of the last instance was the newest when it arrived: the server
    /// makes them at its rate up to the last.
    fn is_newest(&self, pv: usize, update: &Update) -> bool {
        let Some((at, last)) = self.instances.len().checked_sub(1).zip(self.instances.last())
        else {
            return false;
        };
        let (Some(number), Some(last_number)) = (update.number, last.last.get(pv)) else {
            return false;
        };
        let before_end_s =
            (last.scanned_until_ns as f64 - update.at_ns as f64).max(0.0) / SECOND_NS;
        let made = *last_number as f64 - (before_end_s * self.rate_hz).ceil();
        update.instance == at && number as f64 + NEWEST_WITHIN >= made
    }
}

/// The newest number of each PV that any client had, and when: a server's own proof that it
/// had made it.
struct Seen {
    /// By instance and PV, in the order of time, numbers rising.
    newest: Vec<Vec<Vec<(u64, u64)>>>,
}

impl Seen {
    fn of<'a>(course: &Course, all: impl Iterator<Item = &'a Vec<Vec<Update>>>) -> Seen {
        let mut newest = vec![vec![Vec::new(); course.pvs]; course.instances.len()];
        for (pv, update) in all
            .flat_map(|by_pv| by_pv.iter().enumerate())
            .flat_map(|(pv, own)| own.iter().map(move |update| (pv, update)))
        {
            let made = course.instances[update.instance].last.get(pv).copied().unwrap_or(0);
            // A client may make up numbers, but not those of the server's own count.
            if let Some(number) = update.number.filter(|number| *number <= made) {
                newest[update.instance][pv].push((update.at_ns, number));
            }
        }
        for seen in newest.iter_mut().flatten() {
            seen.sort_unstable();
            let mut most = None;
            seen.retain(|(_, number)| {
                let is_newer = most.is_none_or(|most| *number > most);
                most = most.max(Some(*number));
                is_newer
            });
        }
        Seen { newest }
    }

    fn newest_at(&self, instance: usize, pv: usize, at_ns: u64) -> Option<u64> {
        let seen = self.newest.get(instance)?.get(pv)?;
        let before = seen.partition_point(|(seen_ns, _)| *seen_ns < at_ns);
        before.checked_sub(1).map(|last| seen[last].1)
    }
}

/// One worker.
struct One<'a> {
    course: &'a Course,
    own: &'a Arrived,
    updates: &'a [Vec<Update>],
}

impl One<'_> {
    fn fault_run(&self, seen: &Seen) -> FaultRun {
        let course = self.course;
        let away = |absence: &Absence| Away {
            from_s: course.seconds(absence.from_ns),
            until_s: course.seconds(absence.served_ns),
        };
        let back_ns = self.back_ns();
        FaultRun {
            away: course.absences.iter().map(away).collect(),
            reports: self.reports(),
            gets: (!self.own.gets.is_empty()).then(|| self.gets(seen)),
            recovered: (!course.absences.is_empty()).then(|| self.recovered(&back_ns)),
            updates: Some(self.fault_updates(&back_ns)),
            timeline: Some(self.timeline(&back_ns)),
            ..FaultRun::default()
        }
    }

    /// When the newest value of each PV arrived first after the last absence; none where it
    /// never did.
    fn back_ns(&self) -> Vec<Option<u64>> {
        let served_ns = self.course.absences.last().map_or(0, |absence| absence.until_ns);
        let back = |(pv, own): (usize, &Vec<Update>)| {
            let is_back =
                |update: &&Update| update.at_ns >= served_ns && self.course.is_newest(pv, update);
            own.iter().find(is_back).map(|update| update.at_ns)
        };
        self.updates.iter().enumerate().map(back).collect()
    }

    fn recovered(&self, back_ns: &[Option<u64>]) -> Recovered {
        let served_ns = self.course.absences.last().map_or(0, |absence| absence.served_ns);
        let mut took_s: Vec<f64> = self
            .course
            .wanted()
            .filter_map(|pv| back_ns[pv])
            .map(|at_ns| at_ns.saturating_sub(served_ns) as f64 / SECOND_NS)
            .collect();
        took_s.sort_by(f64::total_cmp);
        Recovered {
            wanted: self.course.wanted().count(),
            recovered: took_s.len(),
            median_s: took_s.get(took_s.len().saturating_sub(1) / 2).copied(),
            slowest_s: took_s.last().copied(),
        }
    }

    fn reports(&self) -> Option<Reports> {
        let states = self.own.states.as_ref()?;
        let first = self.course.absences.first()?;
        let must = first.is_kill || first.until_ns - first.from_ns >= MUST_BE_REPORTED_NS;
        // Those that the library reports when the server is back already count too.
        let next_ns = self.course.absences.get(1).map_or(u64::MAX, |second| second.from_ns);
        let reported_ns = |pv: usize| {
            let of_pv = |state: &&StateChange| {
                state.pv == pv
                    && !state.connected
                    && (first.from_ns..next_ns).contains(&state.at_ns)
            };
            states.iter().filter(of_pv).map(|state| state.at_ns).min()
        };
        let all: Vec<u64> = (0..self.course.pvs).filter_map(reported_ns).collect();
        let in_time = all.iter().filter(|at_ns| first.is_kill || **at_ns < first.until_ns).count();
        let slowest_ns = all.iter().max().map(|at_ns| at_ns - first.from_ns);
        let wanted = if must { self.course.pvs } else { 0 };
        let falsely = |pv: &usize| {
            let is_false = |state: &StateChange| {
                state.pv == *pv && state.connected && self.course.absence_at(state.at_ns).is_some()
            };
            states.iter().any(is_false)
        };
        Some(Reports {
            disconnected: all.len(),
            wanted,
            missing: wanted.saturating_sub(in_time),
            slowest_s: slowest_ns.map(|ns| ns as f64 / SECOND_NS),
            falsely_connected: (0..self.course.pvs).filter(falsely).count(),
        })
    }

    fn gets(&self, seen: &Seen) -> GetsSeen {
        let mut gets = GetsSeen::default();
        let most_s = self.course.get_timeout_s + GET_MARGIN_S;
        for get in &self.own.gets {
            let absence = self.course.absence_at(get.start_ns);
            let took_s = get.end_ns.saturating_sub(get.start_ns) as f64 / SECOND_NS;
            gets.late += usize::from(took_s > most_s);
            match get.value {
                Some(value) => {
                    gets.answered += usize::from(absence.is_some());
                    if let Some(why) = self.why_stale(get, value, absence, seen) {
                        gets.stale += 1;
                        gets.first_stale.get_or_insert(why);
                    }
                }
                None => gets.failed += usize::from(absence.is_some() && took_s <= most_s),
            }
        }
        gets
    }

    /// Why no server can have sent this value to this get; none where one can.
    fn why_stale(
        &self,
        get: &GetAttempt,
        value: f64,
        absence: Option<&Absence>,
        seen: &Seen,
    ) -> Option<String> {
        let course = self.course;
        let asked_s = course.seconds(get.start_ns);
        let name = pv_name(get.pv);
        if absence.is_some_and(|absence| get.end_ns < absence.until_ns) {
            let (from, until) = (asked_s, course.seconds(get.end_ns));
            return Some(format!(
                "{name} answered {value} at {until:.2} s to a get of {from:.2} s, while the server \
                 could not answer"
            ));
        }
        let instance = course.instance_at(get.start_ns);
        // Between two lives either may have answered.
        if course.instance_at(get.end_ns) != instance || absence.is_some_and(|one| one.is_kill) {
            return None;
        }
        let known = seen.newest_at(instance, get.pv, get.start_ns)?;
        let is_old = number_of(get.pv, value).is_none_or(|number| number < known);
        is_old.then(|| {
            format!(
                "{name} answered {value} to a get of {asked_s:.2} s, when update {known} of it had \
                 arrived before"
            )
        })
    }

    fn fault_updates(&self, back_ns: &[Option<u64>]) -> FaultUpdates {
        let mut all = FaultUpdates::default();
        for (pv, own) in self.updates.iter().enumerate() {
            self.count_updates(pv, own, &mut all);
        }
        let is_there = |pv: &usize| self.course.absences.is_empty() || back_ns[*pv].is_some();
        all.last_missing =
            self.course.wanted().filter(is_there).filter(|pv| !self.has_last(*pv)).count();
        all
    }

    /// Whether the last update that arrived of a PV is the last that the server made.
    fn has_last(&self, pv: usize) -> bool {
        let made = self.course.instances.last().and_then(|instance| instance.last.get(pv));
        let last = self.updates[pv].iter().rev().find(|update| update.number.is_some());
        last.is_some_and(|update| update.number == made.copied())
    }

    fn count_updates(&self, pv: usize, own: &[Update], all: &mut FaultUpdates) {
        let mut before: Option<(u64, Update)> = None;
        for update in own {
            let made = self.course.instances[update.instance].last.get(pv).copied().unwrap_or(0);
            let Some(number) = update.number.filter(|number| *number <= made) else {
                let at_s = self.course.seconds(update.at_ns);
                all.note_wrong(|| {
                    format!("an update of {} at {at_s:.2} s is none that the IOC made", pv_name(pv))
                });
                continue;
            };
            let of_same = before.filter(|(_, last)| last.instance == update.instance);
            if let Some((last, last_update)) = of_same {
                let came_back = self.came_back(pv, last_update.at_ns, update.at_ns);
                let is_old = number < last || number == last && !came_back;
                if is_old {
                    let at_s = self.course.seconds(update.at_ns);
                    all.note_wrong(|| {
                        format!(
                            "update {number} of {} arrived at {at_s:.2} s, after update {last}",
                            pv_name(pv)
                        )
                    });
                    continue;
                }
                if !came_back {
                    all.lost += number - last - 1;
                }
            }
            all.received += 1;
            before = Some((number, *update));
        }
        let last = self.course.instances.len().saturating_sub(1);
        if let Some((number, update)) = before.filter(|(_, update)| update.instance == last) {
            let made = self.course.instances[update.instance].last.get(pv).copied().unwrap_or(0);
            all.lost += made.saturating_sub(number);
        }
    }

    /// Whether a PV may have come back between two moments, or just before: the first update
    /// of a subscription is the value of the moment, which may have arrived before. libca
    /// also reads each PV of a circuit that answers again, beside the updates that come; TCP
    /// may let it answer some seconds after a cut has ended.
    fn came_back(&self, pv: usize, from_ns: u64, to_ns: u64) -> bool {
        let from_ns = from_ns.saturating_sub(COMING_BACK_NS);
        let between = |at_ns: u64| (from_ns..=to_ns).contains(&at_ns);
        let first_since = |from_ns: u64| {
            let mut times = self.updates[pv].iter().map(|update| update.at_ns);
            times.find(|at_ns| *at_ns >= from_ns)
        };
        let was_away = self.course.absences.iter().any(|absence| {
            between(absence.until_ns) || first_since(absence.until_ns).is_some_and(between)
        });
        let mut states = self.own.states.iter().flatten();
        was_away || states.any(|state| state.pv == pv && between(state.at_ns))
    }

    fn timeline(&self, back_ns: &[Option<u64>]) -> Timeline {
        let course = self.course;
        let length_s = course.seconds(course.end_ns).max(0.0);
        let mut updates = vec![0; (length_s / SLICE_S).ceil() as usize];
        for update in self.updates.iter().flatten().filter(|one| one.at_ns >= course.start_ns) {
            let slice = (course.seconds(update.at_ns) / SLICE_S) as usize;
            if let Some(count) = updates.get_mut(slice) {
                *count += 1;
            }
        }
        let from_ns = course.absences.first().map_or(u64::MAX, |absence| absence.from_ns);
        let states = self.own.states.iter().flatten();
        let disconnected_ns = states
            .filter(|state| !state.connected && state.at_ns >= from_ns)
            .map(|state| state.at_ns)
            .min();
        let recovered_ns =
            course.wanted().filter_map(|pv| back_ns[pv]).max().filter(|_| from_ns != u64::MAX);
        Timeline {
            slice_s: SLICE_S,
            updates,
            disconnected_s: disconnected_ns.map(|at_ns| course.seconds(at_ns)),
            recovered_s: recovered_ns.map(|at_ns| course.seconds(at_ns)),
        }
    }
}

impl FaultUpdates {
    fn note_wrong(&mut self, why: impl FnOnce() -> String) {
        self.wrong += 1;
        self.first_wrong.get_or_insert_with(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const S: u64 = 1_000 * MS;

    /// When the figures begin.
    const START: u64 = 100 * S;

    fn update(pv: usize, at_ns: u64, number: u64) -> UpdateRun {
        UpdateRun {
            pv,
            monitor: 0,
            first: pv as f64 + PROCESSED_FACTOR * number as f64,
            count: 1,
            start_ns: at_ns,
            sums: Vec::new(),
        }
    }

    /// Two PVs at 10 Hz, stopped from 2 s to 7 s, until 12 s: 20 updates, none, 50 updates.
    fn frozen() -> Course {
        let absence = Absence {
            from_ns: START + 2 * S,
            until_ns: START + 7 * S,
            served_ns: START + 7 * S,
            is_kill: false,
        };
        Course {
            pvs: 2,
            missing: None,
            rate_hz: 10.0,
            start_ns: START,
            end_ns: START + 13 * S,
            absences: vec![absence],
            instances: vec![Instance {
                from_ns: 0,
                last: vec![70, 70],
                scanned_until_ns: START + 12 * S,
            }],
            get_timeout_s: 2.0,
        }
    }

    /// What an honest client has of each PV of [`frozen`].
    fn honest() -> Arrived {
        let at = |number: u64| {
            let pause = if number > 20 { 5 * S } else { 0 };
            START + number * 100 * MS + pause
        };
        let of = |pv: usize| (0..=70).map(move |number| update(pv, at(number), number));
        Arrived { runs: of(0).chain(of(1)).collect(), states: Some(Vec::new()), gets: Vec::new() }
    }

    fn one(course: &Course, own: Arrived) -> FaultRun {
        analyse(course, &[Some(own), None]).remove(0).unwrap()
    }

    fn get(from_ms: u64, until_ms: u64, number: Option<u64>) -> GetAttempt {
        GetAttempt {
            pv: 0,
            start_ns: START + from_ms * MS,
            end_ns: START + until_ms * MS,
            value: number.map(|number| PROCESSED_FACTOR * number as f64),
            error: number.is_none().then(|| "timeout".to_owned()),
        }
    }

    fn gets(attempts: &[GetAttempt]) -> GetsSeen {
        one(&frozen(), Arrived { gets: attempts.to_vec(), ..honest() }).gets.unwrap()
    }

    fn state(pv: usize, at_ms: u64, connected: bool) -> StateChange {
        StateChange { pv, at_ns: START + at_ms * MS, connected }
    }

    #[test]
    fn an_honest_client_lost_nothing_and_came_back_at_once() {
        let run = one(&frozen(), honest());
        let updates = run.updates.unwrap();
        assert_eq!((updates.lost, updates.wrong, updates.last_missing), (0, 0, 0));
        let recovered = run.recovered.unwrap();
        assert_eq!((recovered.wanted, recovered.recovered), (2, 2));
        assert!((recovered.slowest_s.unwrap() - 0.1).abs() < 1e-9, "{recovered:?}");
        assert_eq!(run.reports.unwrap().missing, 0, "5 s are within every timeout");
        assert_eq!(run.timeline.unwrap().updates.len(), 26);
    }

    #[test]
    fn a_value_that_comes_while_the_server_is_stopped_is_stale() {
        let seen = gets(&[
            get(1_000, 1_001, Some(10)),
            get(3_000, 3_001, Some(20)),
            get(4_000, 6_000, None),
            get(6_500, 7_050, Some(20)),
        ]);
        assert_eq!((seen.answered, seen.failed, seen.late, seen.stale), (2, 1, 0, 1));
        assert!(seen.first_stale.unwrap().contains("could not answer"));
    }

    #[test]
    fn a_value_that_somebody_had_been_sent_a_newer_one_of_is_stale() {
        assert_eq!(gets(&[get(1_050, 1_051, Some(10))]).stale, 0);
        let seen = gets(&[get(1_050, 1_051, Some(9))]);
        assert_eq!(seen.stale, 1);
        assert!(seen.first_stale.unwrap().contains("update 10"));
    }

    #[test]
    fn a_get_that_ends_long_after_its_timeout_is_late() {
        let seen = gets(&[get(2_500, 5_600, None), get(2_500, 5_400, None)]);
        assert_eq!((seen.late, seen.failed), (1, 1));
    }

    #[test]
    fn a_connection_to_a_stopped_server_is_none() {
        let states = vec![state(0, 3_000, true), state(1, 7_010, true), state(1, 1_000, true)];
        let own = Arrived { states: Some(states), ..honest() };
        let reports = one(&frozen(), own).reports.unwrap();
        assert_eq!((reports.falsely_connected, reports.missing), (1, 0));
        let silent = one(&frozen(), Arrived { states: None, ..honest() });
        assert_eq!(silent.reports, None);
    }

    #[test]
    fn a_long_stop_must_be_reported_of_every_pv() {
        let mut course = frozen();
        let shift = 90 * S;
        course.absences[0].until_ns += shift;
        course.absences[0].served_ns += shift;
        let states = vec![state(0, 37_000, false)];
        let own = Arrived { states: Some(states), ..honest() };
        let reports = one(&course, own).reports.unwrap();
        assert_eq!((reports.wanted, reports.missing, reports.disconnected), (2, 1, 1));
        assert!((reports.slowest_s.unwrap() - 35.0).abs() < 1e-9, "{reports:?}");
    }

    #[test]
    fn a_pv_that_stays_away_never_recovers_and_is_not_counted_twice() {
        let mut own = honest();
        own.runs.retain(|run| run.pv == 0 || run.start_ns < START + 2 * S);
        let run = one(&frozen(), own);
        let (recovered, updates) = (run.recovered.unwrap(), run.updates.unwrap());
        assert_eq!((recovered.wanted, recovered.recovered), (2, 1));
        assert_eq!(updates.last_missing, 0, "{updates:?}");
    }

    #[test]
    fn an_old_value_after_the_stop_is_no_recovery() {
        let mut own = honest();
        // The queue of before comes first, the newest value 3 s later.
        own.runs.retain(|run| run.pv == 0 || !(16..50).contains(&(run.first as u64 >> 20)));
        own.runs.push(update(1, START + 7_050 * MS, 15));
        own.runs.sort_by_key(|run| run.start_ns);
        let recovered = one(&frozen(), own).recovered.unwrap();
        assert!((recovered.slowest_s.unwrap() - 3.0).abs() < 0.2, "{recovered:?}");
    }

    #[test]
    fn updates_that_come_twice_or_backwards_or_from_nowhere_are_wrong() {
        let with = |update: UpdateRun| {
            let mut own = honest();
            own.runs.push(update);
            own.runs.sort_by_key(|run| run.start_ns);
            one(&frozen(), own).updates.unwrap()
        };
        assert_eq!(with(update(0, START + 1_050 * MS, 10)).wrong, 1);
        assert_eq!(with(update(0, START + 1_050 * MS, 3)).wrong, 1);
        assert_eq!(with(update(0, START + 1_050 * MS, 71)).wrong, 1);
        // The first update after the stop may be the value that was there, and once more.
        assert_eq!(with(update(0, START + 7_010 * MS, 20)).wrong, 0);
        assert_eq!(with(update(0, START + 7_110 * MS, 21)).wrong, 0);
        assert_eq!(with(update(0, START + 9_050 * MS, 40)).wrong, 1);
        assert_eq!(with(update(0, START + 7_110 * MS, 20)).wrong, 1);
        let torn = with(UpdateRun { first: 0.5, ..update(0, START + 1_050 * MS, 0) });
        assert!(torn.first_wrong.unwrap().contains("none that the IOC made"));
    }

    #[test]
    fn a_value_may_come_twice_when_a_pv_is_back_later_than_its_server() {
        let mut own = honest();
        // The circuit answers 3 s after the server does, with what it held back and a reading.
        for run in &mut own.runs {
            if run.start_ns > START + 7 * S {
                run.start_ns = run.start_ns.max(START + 10 * S);
            }
        }
        own.runs.push(update(0, START + 10_120 * MS, 51));
        own.runs.sort_by_key(|run| run.start_ns);
        assert_eq!(one(&frozen(), own.clone()).updates.unwrap().wrong, 0);
        own.runs.push(update(0, START + 11_950 * MS, 68));
        own.runs.sort_by_key(|run| run.start_ns);
        assert_eq!(one(&frozen(), own).updates.unwrap().wrong, 1);
    }

    #[test]
    fn the_last_value_of_a_burst_is_missed_by_who_loses_it() {
        let course = Course { absences: Vec::new(), ..frozen() };
        let mut own = honest();
        own.runs.retain(|run| run.pv == 1 || run.first != PROCESSED_FACTOR * 70.0);
        let updates = one(&course, own).updates.unwrap();
        assert_eq!((updates.last_missing, updates.lost, updates.wrong), (1, 1, 0));
    }

    #[test]
    fn numbers_begin_again_after_a_restart_and_the_missing_pv_is_not_wanted() {
        let mut course = frozen();
        course.absences[0].is_kill = true;
        course.missing = Some(0);
        course.instances[0].last = vec![20, 20];
        course.instances.push(Instance {
            from_ns: START + 7 * S,
            last: vec![0, 50],
            scanned_until_ns: START + 12 * S,
        });
        let at = |number: u64| START + 7 * S + number * 100 * MS;
        let mut own = honest();
        own.runs.retain(|run| run.start_ns < START + 2 * S + 1);
        own.runs.extend((1..=50).map(|number| update(1, at(number), number)));
        own.states = Some(vec![state(0, 2_001, false), state(1, 2_001, false)]);
        let run = one(&course, own);
        let (recovered, updates) = (run.recovered.unwrap(), run.updates.unwrap());
        assert_eq!((recovered.wanted, recovered.recovered), (1, 1));
        assert_eq!((updates.wrong, updates.lost, updates.last_missing), (0, 0, 0));
        assert_eq!(run.reports.unwrap().missing, 0);
    }

    #[test]
    fn values_are_numbers_of_updates_or_nobodys() {
        assert_eq!(number_of(3, 3.0 + 2.0 * PROCESSED_FACTOR), Some(2));
        assert_eq!(number_of(3, 0.0), Some(0));
        assert_eq!(number_of(3, 4.0), None);
        assert_eq!(number_of(3, -1.0), None);
    }
}
