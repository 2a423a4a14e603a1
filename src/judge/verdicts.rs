//! Decides every wanted verdict: first on the blocks of all approaches and then, where those
//! are over a limit, on fresh ones.

use std::collections::BTreeSet;

use super::confirmation::{self, Suspect};
use super::contended;
use super::expected::{PROCESSES_LEFT, Wanted, wanted};
use super::failed::FailedApproaches;
use super::limits::{GROWTH_RUN_S, Limits, Relative};
use super::planned::Planned;
use super::samples::{self, ByBlock, by_block, by_part, pooled_interval};
use super::verdict::{NOT_JUDGED, Outcome, Verdict};
use crate::lookup::Lookup;
use crate::metric::{Metric, Pooled, has_failed, is_wrong};
use crate::protocol::Protocol;
use crate::record::{FailureKind, Record, RunRecords};
use crate::scenario::Configuration;
use crate::stats::{Interval, median};
use crate::worker_protocol::Mode;

/// Verdicts by configuration and approach.
pub(super) struct Verdicts {
    pub(super) all: Vec<Verdict>,
    /// Verdicts that need a longer run.
    pub(super) too_short: Vec<Verdict>,
}

/// All verdicts; fresh records are judged apart from the others.
pub(super) fn verdicts(run: &RunRecords, limits: &Limits) -> Verdicts {
    let judged = run.records.iter().filter(|record| record.side.is_none());
    let (fresh, screening): (Vec<&Record>, Vec<&Record>) =
        judged.partition(|record| record.confirms);
    let failed = FailedApproaches::of(&run.records);
    let judging = Judging { run, screening, fresh, failed };
    let configurations = judging.configurations();
    let all = wanted(limits, &configurations, &run.run.approaches);
    let (mut verdicts, mut measures, mut suspects) = (Vec::new(), Vec::new(), Vec::new());
    let mut too_short = Vec::new();
    for wanted in &all {
        match judging.judged(wanted) {
            None => {}
            Some(Judged::TooShort(verdict)) => too_short.push(verdict),
            Some(Judged::Given { verdict, suspect }) => {
                suspects.extend(suspect.map(|suspect| (verdicts.len(), suspect)));
                verdicts.push(verdict);
                measures.push(wanted.measure);
            }
        }
    }
    confirmation::decide(&mut verdicts, &suspects, limits.false_alarms);
    let judged = [judging.screening.as_slice(), &judging.fresh].concat();
    for (verdict, measure) in verdicts.iter_mut().zip(measures) {
        contended::withdraw(verdict, measure, &judged);
    }
    verdicts.extend(of_processes_left(run, limits));
    Verdicts { all: verdicts, too_short }
}

struct Judging<'a> {
    run: &'a RunRecords,
    screening: Vec<&'a Record>,
    fresh: Vec<&'a Record>,
    failed: FailedApproaches,
}

/// The result for a wanted verdict.
enum Judged {
    /// It is decided, with its fresh blocks where it needs them.
    Given { verdict: Verdict, suspect: Option<Suspect> },
    /// A longer run would decide it.
    TooShort(Verdict),
}

/// A figure, less the figure that it is compared with.
struct Taken {
    values: Vec<f64>,
    interval: Option<Interval>,
}

impl<'a> Judging<'a> {
    /// The configurations of the records, each with the approaches that have one.
    fn configurations(&self) -> Vec<Planned> {
        let mut configurations: Vec<Planned> = Vec::new();
        for record in &self.screening {
            let configuration = Configuration::of(record);
            let known =
                configurations.iter_mut().find(|planned| planned.configuration == configuration);
            match known {
                Some(planned) if planned.approaches.contains(&record.approach) => {}
                Some(planned) => planned.approaches.push(record.approach.clone()),
                None => configurations.push(Planned {
                    configuration,
                    protocols: vec![Protocol::Ca, Protocol::Pva],
                    approaches: vec![record.approach.clone()],
                }),
            }
        }
        configurations
    }

    /// None where nothing was measured and nothing failed.
    fn judged(&self, wanted: &Wanted) -> Option<Judged> {
        if wanted.measure.is_of_failures() {
            return Some(Judged::Given { verdict: self.of_failures(wanted), suspect: None });
        }
        let (measure, planned) = (wanted.measure, wanted.planned);
        let own = samples::own(&self.screening, measure, planned, &wanted.facts.name);
        let numbers: BTreeSet<usize> = own.iter().map(|record| record.block).collect();
        let draft = Verdict { blocks: numbers.len(), ..draft(wanted) };
        if !self.is_measured(measure, planned) {
            return None;
        }
        let not_judged = |reason: String| Judged::Given {
            verdict: Verdict { reason: Some(reason), ..draft.clone() },
            suspect: None,
        };
        if let Some(reason) = self.failure(wanted) {
            return Some(not_judged(reason));
        }
        let other = match self.compared_with(wanted) {
            Ok(other) => other,
            Err(reason) => return Some(not_judged(reason)),
        };
        let draft = Verdict { compared_with: other.clone(), ..draft.clone() };
        let screening = self.taken(&self.screening, wanted, other.as_deref());
        let given = screening.interval.map(|interval| Outcome::of(&interval, draft.limit));
        if is_too_short(&own, wanted) && given.unwrap_or(Outcome::Undecided) == Outcome::Undecided {
            let reason =
                format!("{NOT_JUDGED}the run is too short; --seconds {GROWTH_RUN_S} decides it");
            let (figure, reason) = (screening.interval, Some(reason));
            return Some(Judged::TooShort(Verdict { figure, reason, ..draft }));
        }
        let Some((interval, outcome)) = screening.interval.zip(given) else {
            return self.why_not(&own, wanted).map(not_judged);
        };
        let fresh = self.taken(&self.fresh, wanted, other.as_deref());
        let verdict = Verdict { figure: Some(interval), outcome, ..draft };
        let suspect = confirmation::is_suspect(&verdict, measure).then(|| Suspect {
            is_of_losses: measure == Metric::UpdatesLost,
            samples: fresh.values,
            interval: fresh.interval,
        });
        let reason = (outcome == Outcome::Undecided).then(|| confirmation::why_undecided(&verdict));
        Some(Judged::Given { verdict: Verdict { reason, ..verdict }, suspect })
    }

    /// Whether the workers of a configuration went as far as this figure, or failed; those that
    /// only connect end before most. One that was not tried, because it was unable, does not show
    /// how far they were to go.
    fn is_measured(&self, measure: Metric, planned: &Configuration) -> bool {
        let (Metric::Time(_) | Metric::Cpu(_) | Metric::Each(..)) = measure else { return true };
        let mut records = self.screening.iter().filter(|record| planned.holds(record));
        let failed = |record: &Record| {
            record.failure.as_ref().is_some_and(|failure| failure.kind != FailureKind::Unable)
        };
        records.any(|record| failed(record) || measure.of(record).is_some())
    }

    /// Why there is no figure although no worker failed. None if the reason is unknown, so that
    /// the verdict is reported as missing.
    fn why_not(&self, own: &[&Record], wanted: &Wanted) -> Option<String> {
        let first = own.iter().find_map(|record| record.failure.as_ref());
        let is_watched = own.iter().any(|record| record.monitored.is_some());
        match wanted.measure {
            _ if first.is_some() => first.map(|failure| {
                format!("{NOT_JUDGED}{}", failure.message.lines().next().unwrap_or_default())
            }),
            Metric::Subscriptions if is_watched => {
                Some(format!("{NOT_JUDGED}this server does not count subscriptions"))
            }
            Metric::BytesOverLeast if is_watched => {
                Some(format!("{NOT_JUDGED}this system does not count a process's bytes"))
            }
            metric if metric.row().pooled == Pooled::Growth && is_watched => {
                Some(format!("{NOT_JUDGED}there are too few samples of memory"))
            }
            _ => None,
        }
    }

    /// The figures of an approach against those of another.
    fn taken(&self, records: &[&'a Record], wanted: &Wanted, other: Option<&str>) -> Taken {
        let (measure, planned) = (wanted.measure, wanted.planned);
        let own = samples::own(records, measure, planned, &wanted.facts.name);
        let others = other.map(|other| samples::own(records, measure, planned, other));
        let figures = by_block(records, &own, measure, planned);
        let over = match &others {
            None => figures.clone(),
            Some(others) => difference(&figures, &by_block(records, others, measure, planned)),
        };
        let finer = by_part(&own, measure, &figures).map(|parts| match &others {
            None => parts,
            Some(others) => {
                let others = by_part(others, measure, &figures).unwrap_or_default();
                difference(&parts, &others)
            }
        });
        let interval = pooled_interval(&own, measure, finer.as_ref().unwrap_or(&over));
        Taken { values: over.into_values().collect(), interval }
    }

    fn figures_of(&self, records: &[&'a Record], wanted: &Wanted, approach: &str) -> ByBlock {
        let own = samples::own(records, wanted.measure, wanted.planned, approach);
        by_block(records, &own, wanted.measure, wanted.planned)
    }

    /// Whether an approach failed in this configuration and so cannot be a reference.
    fn has_failed(&self, wanted: &Wanted, approach: &str) -> bool {
        let own = |records| samples::own(records, wanted.measure, wanted.planned, approach);
        let all = [own(&self.screening), own(&self.fresh)].concat();
        all.iter().any(|record| self.failed.holds(record))
    }

    /// The approach that the figure is compared with. The fastest is that of the blocks of all
    /// approaches, for fresh blocks too.
    fn compared_with(&self, wanted: &Wanted) -> Result<Option<String>, String> {
        let has_figures = |name: &str| {
            if self.has_failed(wanted, name) {
                return None;
            }
            let figures = self.figures_of(&self.screening, wanted, name);
            (!figures.is_empty()).then(|| median(&figures.into_values().collect::<Vec<_>>()))
        };
        let approaches = &self.run.run.approaches;
        match wanted.relative {
            Relative::Nothing => Ok(None),
            Relative::Floor => match self.run.run.floor_of(wanted.facts.protocol) {
                Some(floor) if has_figures(&floor.name).is_some() => Ok(Some(floor.name.clone())),
                Some(floor) => {
                    Err(format!("{NOT_JUDGED}the floor `{}` failed or has no figure", floor.name))
                }
                None => Err(format!("{NOT_JUDGED}no floor was measured")),
            },
            Relative::Fastest => Ok(approaches
                .iter()
                .filter(|facts| !facts.floor)
                .filter_map(|facts| Some((&facts.name, has_figures(&facts.name)?)))
                .min_by(|(_, a), (_, b)| a.total_cmp(b))
                .map(|(name, _)| name.clone())),
        }
    }

    /// The reason that names the verdict on a failed worker of this configuration; none without
    /// a failure.
    fn failure(&self, wanted: &Wanted) -> Option<String> {
        let of_approach =
            |records| samples::own(records, wanted.measure, wanted.planned, &wanted.facts.name);
        let own = [of_approach(&self.screening), of_approach(&self.fresh)].concat();
        let (kind, record) = own.iter().find_map(|record| match record {
            _ if is_wrong(record) => Some(("values_wrong", record)),
            _ if has_failed(record) => Some(("workers_failed", record)),
            _ => None,
        })?;
        let name = Configuration::of(record).name_with(&wanted.facts.name);
        Some(format!("{NOT_JUDGED}failed, see {name}::{kind}"))
    }

    /// How many workers failed, in all blocks.
    fn of_failures(&self, wanted: &Wanted) -> Verdict {
        let counts = match wanted.measure {
            Metric::ValuesWrong => is_wrong,
            _ => has_failed,
        };
        let of =
            |records| samples::own(records, wanted.measure, wanted.planned, &wanted.facts.name);
        let (screening, fresh) = (of(&self.screening), of(&self.fresh));
        let all = [screening.as_slice(), &fresh].concat();
        let failed: Vec<&&Record> = all.iter().filter(|record| counts(record)).collect();
        let first = failed.first().and_then(|record| record.failure.as_ref());
        let outcome = match failed.len() as f64 > wanted.limit.most {
            true => Outcome::Failed,
            false => Outcome::Within,
        };
        Verdict {
            figure: Some(Interval::exact(failed.len() as f64, all.len())),
            outcome,
            reason: first.map(|failure| {
                let stage = failure.stage.map_or(String::new(), |stage| format!(" in {stage}"));
                let message = failure.message.lines().next().unwrap_or_default();
                format!("{}{stage}: {message}", failure.kind.name())
            }),
            blocks: all.len(),
            ..draft(wanted)
        }
    }
}

/// Whether these runs, without a failure, may be too short for a verdict.
fn is_too_short(own: &[&Record], wanted: &Wanted) -> bool {
    !wanted.is_certain
        && own.iter().any(|record| record.monitored.is_some())
        && own.iter().all(|record| record.failure.is_none())
}

/// Blocks see the same moment of the machine, so differences are taken within them.
fn difference(own: &ByBlock, other: &ByBlock) -> ByBlock {
    own.iter().filter_map(|(block, figure)| Some((*block, figure - other.get(block)?))).collect()
}

/// The verdict before any figure.
fn draft(wanted: &Wanted) -> Verdict {
    let (planned, limit) = (wanted.planned, wanted.limit);
    Verdict {
        name: wanted.name.clone(),
        approach: wanted.facts.name.clone(),
        floor: wanted.facts.floor,
        scenario: Some(planned.scenario),
        server: planned.server.clone(),
        metric: wanted.measure,
        unit: wanted.measure.unit(),
        load: planned.load,
        many_iocs: planned.many_iocs,
        fault: planned.fault.clone(),
        pvs: planned.pvs,
        connected: planned.mode,
        lookup: planned.lookup,
        relative: wanted.relative,
        compared_with: None,
        figure: None,
        limit: limit.most,
        derivation: limit.derivation.clone(),
        outcome: Outcome::Undecided,
        expected_over: limit.expected_over(&wanted.facts.name).map(str::to_owned),
        expected_near: limit.expected_near(&wanted.facts.name).map(str::to_owned),
        expectation: format!("{}:{}", wanted.file, limit.line_of_expectation(&wanted.facts.name)),
        reason: None,
        blocks: 0,
        fresh_blocks: 0,
        more_blocks: None,
        p: None,
    }
}

/// The verdict on processes that outlived the run; none for a run that was cut off.
fn of_processes_left(run: &RunRecords, limits: &Limits) -> Option<Verdict> {
    let limit = limits.of_the_run(Metric::ProcessesLeft)?;
    let left = run.end.as_ref()?.processes_left;
    let (figure, outcome) = match left {
        None => (None, Outcome::Undecided),
        Some(count) if count as f64 > limit.most => (Some(count), Outcome::Over),
        Some(count) => (Some(count), Outcome::Within),
    };
    Some(Verdict {
        name: PROCESSES_LEFT.to_owned(),
        approach: String::new(),
        floor: false,
        scenario: None,
        server: String::new(),
        metric: Metric::ProcessesLeft,
        unit: Metric::ProcessesLeft.unit(),
        load: None,
        many_iocs: None,
        fault: None,
        pvs: 0,
        connected: Mode::Bulk,
        lookup: Lookup::default(),
        relative: Relative::Nothing,
        compared_with: None,
        figure: figure.map(|count| Interval::exact(count as f64, 1)),
        limit: limit.most,
        derivation: limit.derivation.clone(),
        outcome,
        expected_over: limit.reason.clone(),
        expected_near: None,
        expectation: format!("{}:{}", limits.file, limit.line),
        reason: left.is_none().then(|| format!("{NOT_JUDGED}this system does not count them")),
        blocks: 1,
        fresh_blocks: 0,
        more_blocks: None,
        p: None,
    })
}
