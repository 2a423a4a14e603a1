//! Gets while something happened: answered, failed in time, late or stale.

use super::course::{Absence, Course, SECOND_NS, Update, number_of};
use crate::record::GetsSeen;
use crate::scenario::pv_name;
use crate::worker_protocol::GetAttempt;

/// A get that ends this much later than its timeout says is late: a Python worker on a busy
/// machine may take half of that.
const GET_MARGIN_S: f64 = 1.0;

/// The newest number of each PV that any client had, and when: a server's own proof that it
/// had made it.
pub(super) struct Seen {
    /// By instance and PV, in the order of time, numbers rising.
    newest: Vec<Vec<Vec<(u64, u64)>>>,
}

impl Seen {
    pub(super) fn of<'a>(course: &Course, all: impl Iterator<Item = &'a Vec<Vec<Update>>>) -> Seen {
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

    /// What came of the gets of one worker.
    pub(super) fn of_gets(&self, course: &Course, attempts: &[GetAttempt]) -> GetsSeen {
        let mut gets = GetsSeen::default();
        let most_s = course.get_timeout_s + GET_MARGIN_S;
        for get in attempts {
            let absence = course.absence_at(get.start_ns);
            let took_s = get.end_ns.saturating_sub(get.start_ns) as f64 / SECOND_NS;
            gets.late += usize::from(took_s > most_s);
            match get.value {
                Some(value) => {
                    gets.answered += usize::from(absence.is_some());
                    if let Some(why) = self.why_stale(course, get, value, absence) {
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
        course: &Course,
        get: &GetAttempt,
        value: f64,
        absence: Option<&Absence>,
    ) -> Option<String> {
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
        let known = self.newest_at(instance, get.pv, get.start_ns)?;
        let is_old = number_of(get.pv, value).is_none_or(|number| number < known);
        is_old.then(|| {
            format!(
                "{name} answered {value} to a get of {asked_s:.2} s, when update {known} of it had \
                 arrived before"
            )
        })
    }
}
