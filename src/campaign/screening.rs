//! Judges approaches by limits: first screening blocks, then fresh blocks of each configuration
//! over a limit, until the verdict is decided or the blocks are used up.

use crate::ioc::Servers;
use crate::judge::{CONFIDENCE_WANTED, LOOKS, Limits, Verdict, judge, to_confirm};
use crate::measure::{self, Candidate, Plan, PlannedConfiguration, Progress};
use crate::metric::Unit;
use crate::record::{Record, Run, RunRecords};
use crate::stats::Interval;

/// The configurations, servers, approaches and limits of a screening.
pub struct Screening<'a> {
    /// The screening blocks.
    pub plan: &'a Plan,
    /// The servers.
    pub servers: &'a Servers,
    /// The approaches.
    pub candidates: &'a [Candidate],
    /// The limits.
    pub limits: &'a Limits,
    /// The most fresh blocks of a configuration. With 0, a figure over its limit stays
    /// undecided.
    pub most_fresh: usize,
    /// Records of a run that was interrupted, which this one continues.
    pub begun: Vec<Record>,
}

/// An event of a screening.
#[derive(Debug)]
pub enum ScreeningEvent<'a> {
    /// The progress of a worker.
    Worker(Progress<'a>),
    /// Fresh blocks of these configurations follow.
    Confirming(&'a [PlannedConfiguration]),
}

/// The result of a screening.
#[derive(Debug, Clone)]
pub struct Screened {
    /// The records, without an end.
    pub records: RunRecords,
    /// Whether it ran to its end; false when the user stopped it.
    pub completed: bool,
}

impl Screening<'_> {
    /// Measures; blocks for as long as that takes. `report` is called before and after each
    /// worker. `header` is the first line of the record file.
    ///
    /// Measures fresh blocks only of undecided configurations.
    ///
    /// # Errors
    /// The first error of `report`.
    pub fn run<E>(
        &self,
        header: Run,
        mut report: impl FnMut(ScreeningEvent<'_>) -> Result<(), E>,
    ) -> Result<Screened, E> {
        let begun = self.begun.clone();
        let mut records = RunRecords { run: header, records: begun, end: None };
        let mut plan = self.plan.clone();
        let (mut fresh, mut looks) = (0, 0);
        loop {
            let completed = measure::run(&plan, self.servers, self.candidates, |progress| {
                if let Progress::Finished { record, .. } = &progress {
                    records.records.push((**record).clone());
                }
                report(ScreeningEvent::Worker(progress))
            })?;
            if !completed {
                return Ok(Screened { records, completed });
            }
            let configurations =
                self.next_configurations(&records, self.most_fresh.saturating_sub(fresh));
            if configurations.is_empty() || looks == LOOKS {
                return Ok(Screened { records, completed });
            }
            report(ScreeningEvent::Confirming(&configurations))?;
            plan.first_block += plan.blocks();
            plan.configurations = configurations;
            plan.confirms = true;
            // Another order than before, from the same seed.
            plan.seed = plan.seed.wrapping_add(1);
            fresh += plan.blocks();
            looks += 1;
        }
    }

    /// The configurations of which fresh blocks are wanted, `most` of each at most.
    fn next_configurations(&self, records: &RunRecords, most: usize) -> Vec<PlannedConfiguration> {
        if most == 0 {
            return Vec::new();
        }
        let mut judgement = judge(records, self.limits);
        judgement.verdicts.retain(is_screened);
        let mut configurations = Vec::new();
        for wanted in to_confirm(&judgement) {
            let known = self
                .plan
                .configurations
                .iter()
                .find(|planned| planned.configuration() == wanted.configuration);
            configurations.extend(known.map(|planned| PlannedConfiguration {
                blocks: wanted.blocks.min(most),
                ..planned.clone().only(wanted.approaches.clone())
            }));
        }
        configurations
    }
}

/// Whether its first blocks could have decided it. Where they could not, more of them
/// are wanted first: fresh blocks confirm a suspicion, they do not replace a screening.
fn is_screened(verdict: &Verdict) -> bool {
    let has_interval = |figure: Interval| figure.confidence >= CONFIDENCE_WANTED;
    verdict.unit == Unit::Count || verdict.figure.is_some_and(has_interval)
}
