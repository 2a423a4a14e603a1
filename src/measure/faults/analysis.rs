//! What arrived while something happened, against what the server made and when it could
//! answer: no I/O, no clock.

mod course;
mod gets;

pub(super) use self::course::{Absence, Course, Instance};
use self::course::{SECOND_NS, Update, number_of};
use self::gets::Seen;
use crate::record::{Away, FaultRun, FaultUpdates, Recovered, Reports, Timeline};
use crate::scenario::pv_name;
use crate::worker_protocol::{Done, GetAttempt, StateChange, UpdateRun};

/// Channel Access reports a circuit that is silent for 35 s, pvAccess after 53 s: a server
/// that is away this long must be reported by either.
const MUST_BE_REPORTED_NS: u64 = 60_000_000_000;

/// For so long after it came back, a PV may bring the same value twice.
const COMING_BACK_NS: u64 = 1_000_000_000;

/// How long the slices of a timeline are, in seconds.
const SLICE_S: f64 = 0.5;

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
            gets: (!self.own.gets.is_empty()).then(|| seen.of_gets(course, &self.own.gets)),
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
mod tests;
