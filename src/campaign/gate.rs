//! The gate: limits as tests by name, each decided on records that the limits of
//! one scenario share.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::screening::{Screening, ScreeningEvent};
use super::store::{Store, Writing};
use super::{IfBusy, header, measuring_lock, now_utc};
use crate::approach::Approach;
use crate::ioc::Servers;
use crate::judge::{Limits, Outcome, Planned, Verdict, expected_verdicts, judge};
use crate::measure::{Candidate, Plan, PlannedConfiguration, Progress, this_machine};
use crate::process::processes_left;
use crate::record::{ApproachFacts, End, Line, RunRecords};

/// Fresh blocks of a configuration at most: enough for the sign test of a whole family.
const MOST_FRESH_BLOCKS: usize = 24;

/// How long processes may take to end; any that remain count as left.
const TIME_TO_LEAVE: Duration = Duration::from_secs(3);

/// The gate's result for one limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GateResult {
    /// As expected.
    Good,
    /// As expected or better, but an expectation needs an update.
    Remark(String),
    /// Not decided on this machine at this time, with the reason.
    Undecided(String),
    /// Worse than expected, or not measured: the figure and by how much.
    Red(String),
}

/// Configurations that are measured together, and the names of their limits.
#[derive(Debug)]
struct Group {
    /// The scenario and the server, such as `connect-softioc`.
    name: String,
    /// The configurations.
    configurations: Vec<PlannedConfiguration>,
    /// The names of the limits that it decides.
    limits: Vec<String>,
}

/// The gate. It measures a group when the first of its limits is requested.
#[derive(Debug)]
pub struct Gate {
    limits: Limits,
    servers: Servers,
    candidates: Vec<Candidate>,
    groups: Vec<Group>,
    store: Store,
    /// The verdicts of measured groups, by the group's name.
    decided: BTreeMap<String, Result<Vec<Verdict>, String>>,
}

impl Gate {
    /// A gate over the groups of `configurations`. It stores records in `folder`, and uses
    /// those that another process of the same test run has stored there.
    pub fn new(
        mut limits: Limits,
        configurations: Vec<PlannedConfiguration>,
        servers: Servers,
        candidates: Vec<Candidate>,
        folder: &Path,
    ) -> Gate {
        let groups = groups(&limits, configurations, &servers, &candidates);
        // Each group is decided by itself: together they are wrong as often as one run.
        limits.false_alarms /= groups.len().max(1) as f64;
        let store = Store::new(folder);
        Gate { limits, servers, candidates, groups, store, decided: BTreeMap::new() }
    }

    /// The names of all limits, in the order in which they are measured.
    pub fn names(&self) -> Vec<String> {
        self.groups.iter().flat_map(|group| group.limits.iter().cloned()).collect()
    }

    /// Decides one limit; measures its group first if necessary, and blocks meanwhile.
    pub fn decide(&mut self, name: &str) -> GateResult {
        let Some(group) =
            self.groups.iter().position(|group| group.limits.iter().any(|limit| limit == name))
        else {
            return GateResult::Red(format!("{name} is no limit of this gate"));
        };
        let key = self.groups[group].name.clone();
        if !self.decided.contains_key(&key) {
            let verdicts = self.verdicts_of(group);
            self.decided.insert(key.clone(), verdicts);
        }
        match &self.decided[&key] {
            Ok(verdicts) => said_of(name, verdicts),
            Err(why) => GateResult::Red(format!("nothing was measured: {why}")),
        }
    }

    fn verdicts_of(&self, group: usize) -> Result<Vec<Verdict>, String> {
        let group = &self.groups[group];
        // Whoever comes first measures; others that wait here find the records.
        let _lock = measuring_lock(IfBusy::Wait, |waiting| eprintln!("gate: {waiting}"))
            .map_err(|error| error.to_string())?;
        if let Some(records) = self.store.read(&group.name)? {
            return Ok(judge(&records, &self.limits).verdicts);
        }
        let records = self.measure(group).inspect_err(|why| self.store.fail(&group.name, why))?;
        Ok(judge(&records, &self.limits).verdicts)
    }

    fn measure(&self, group: &Group) -> Result<RunRecords, String> {
        let plan = Plan {
            configurations: group.configurations.clone(),
            seed: u64::from(StdRng::from_os_rng().random::<u32>()),
            timeout: None,
            most_memory_bytes: this_machine().memory_bytes / 4,
            first_block: 0,
            confirms: false,
            done: Vec::new(),
        };
        let approaches: Vec<Approach> =
            self.candidates.iter().map(|candidate| candidate.approach.clone()).collect();
        let header = header(&approaches, plan.seed, plan.blocks(), Vec::new());
        let mut writing = self.store.begin(&group.name)?;
        writing.add(&Line::Run(Box::new(header.clone())))?;
        let screening = Screening {
            begun: Vec::new(),
            plan: &plan,
            servers: &self.servers,
            candidates: &self.candidates,
            limits: &self.limits,
            most_fresh: MOST_FRESH_BLOCKS,
        };
        let mut tried = screening.run(header, |event| written(event, &mut writing))?;
        let end = End {
            ended_utc: now_utc(),
            interrupted: !tried.completed,
            processes_left: processes_left(TIME_TO_LEAVE),
            server_clock: None,
        };
        writing.add(&Line::End(end.clone()))?;
        if !tried.completed {
            return Err("interrupted".to_owned());
        }
        writing.finish()?;
        tried.records.end = Some(end);
        Ok(tried.records)
    }
}

fn written(event: ScreeningEvent<'_>, writing: &mut Writing) -> Result<(), String> {
    match event {
        ScreeningEvent::Worker(Progress::Finished { record, .. }) => {
            writing.add(&Line::Record(record))
        }
        _ => Ok(()),
    }
}

/// The configurations of each scenario on each server, and the limits that they decide.
fn groups(
    limits: &Limits,
    configurations: Vec<PlannedConfiguration>,
    servers: &Servers,
    candidates: &[Candidate],
) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for planned in configurations {
        let name = format!("{}-{}", planned.scenario, planned.server);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.configurations.push(planned),
            None => groups.push(Group { name, configurations: vec![planned], limits: Vec::new() }),
        }
    }
    let facts: Vec<ApproachFacts> =
        candidates.iter().map(|candidate| candidate.approach.facts()).collect();
    for group in &mut groups {
        let configurations: Vec<Planned> =
            group.configurations.iter().map(|one| planned(one, servers)).collect();
        group.limits = expected_verdicts(limits, &configurations, &facts);
    }
    groups.retain(|group| !group.limits.is_empty());
    groups
}

fn planned(planned: &PlannedConfiguration, servers: &Servers) -> Planned {
    let protocols = servers.get(&planned.server).map(|kind| kind.protocols.clone());
    Planned {
        configuration: planned.configuration(),
        protocols: protocols.unwrap_or_default(),
        approaches: planned.approaches.clone(),
    }
}

/// The gate's result for the limit `name`, by the verdicts of its group.
fn said_of(name: &str, verdicts: &[Verdict]) -> GateResult {
    let Some(verdict) = verdicts.iter().find(|verdict| verdict.name == name) else {
        return GateResult::Red(format!("{name} has no verdict: nothing was measured for it"));
    };
    match verdict.outcome {
        Outcome::Within if verdict.is_better_than_expected() => GateResult::Remark(format!(
            "{}; it is better than expected: the limits file wants an update",
            verdict.explain()
        )),
        Outcome::Within => GateResult::Good,
        _ if verdict.is_red() => GateResult::Red(verdict.explain()),
        // It is expected to be over, and cannot break its limit further.
        Outcome::Over | Outcome::Failed => GateResult::Good,
        Outcome::Undecided if verdict.may_be_over() => GateResult::Good,
        Outcome::Undecided => GateResult::Undecided(verdict.explain()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(outcome: Outcome, expected_over: Option<&str>) -> Verdict {
        let expected_over = expected_over.map(str::to_owned);
        Verdict { outcome, expected_over, ..Verdict::example() }
    }

    fn result_of(outcome: Outcome, expected_over: Option<&str>) -> GateResult {
        let verdict = verdict(outcome, expected_over);
        said_of(&verdict.name.clone(), &[verdict])
    }

    #[test]
    fn red_is_what_is_worse_than_expected() {
        assert!(matches!(result_of(Outcome::Over, None), GateResult::Red(_)));
        assert!(matches!(result_of(Outcome::Failed, None), GateResult::Red(_)));
        assert_eq!(result_of(Outcome::Within, None), GateResult::Good);
        assert_eq!(result_of(Outcome::Over, Some("known")), GateResult::Good);
        assert_eq!(result_of(Outcome::Undecided, Some("known")), GateResult::Good);
    }

    #[test]
    fn undecided_is_reported_and_better_than_expected_is_remarked() {
        assert!(matches!(result_of(Outcome::Undecided, None), GateResult::Undecided(_)));
        assert!(matches!(result_of(Outcome::Within, Some("known")), GateResult::Remark(_)));
    }

    #[test]
    fn a_limit_without_a_verdict_is_red() {
        let GateResult::Red(why) = said_of("connect::mine::n10::over_fastest", &[]) else {
            panic!("it is not red");
        };
        assert!(why.contains("nothing was measured for it"));
    }
}
