//! What faults did to each approach, one figure for each: the matrix of approaches and faults.

use schemars::JsonSchema;
use serde::Serialize;

use super::verdict::{Outcome, Verdict};
use crate::metric::{FaultFigure, Metric};
use crate::record::{Failure, FailureKind, Record, RunRecords, Scenario};
use crate::scenario::{Configuration, fault};

/// One approach through one fault.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FaultCell {
    /// The fault.
    pub fault: String,
    /// The server.
    pub server: String,
    /// The approach.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// How it came through.
    pub state: FaultState,
    /// The figure that stands for it: the first that broke its limit, else the fault's own.
    pub metric: Option<Metric>,
    /// That figure, in the unit of the metric; none where it was not measured.
    pub figure: Option<f64>,
    /// What broke a limit, as a verdict or a failure says it.
    pub problems: Vec<String>,
}

/// How an approach came through a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FaultState {
    /// Every limit holds.
    Ok,
    /// A limit is broken as expected, or nothing could be decided.
    Warn,
    /// A limit is broken, or the worker failed.
    Fail,
    /// It is known to be unable, and was not tried.
    Unable,
}

/// All of them, in the order of faults, servers and the catalogue.
pub(super) fn fault_cells(run: &RunRecords, verdicts: &[Verdict]) -> Vec<FaultCell> {
    let mut cells = Vec::new();
    for configuration in configurations(run) {
        for facts in &run.run.approaches {
            let own: Vec<&Record> = run
                .records
                .iter()
                .filter(|record| record.approach == facts.name && configuration.holds(record))
                .collect();
            if !own.is_empty() {
                cells.push(FaultCell {
                    approach: facts.name.clone(),
                    floor: facts.floor,
                    ..cell(&configuration, &own, verdicts, &facts.name)
                });
            }
        }
    }
    cells
}

fn configurations(run: &RunRecords) -> Vec<Configuration> {
    let mut all: Vec<Configuration> = Vec::new();
    for record in run.records.iter().filter(|record| record.scenario == Scenario::Faults) {
        let configuration = Configuration::of(record);
        if !all.contains(&configuration) {
            all.push(configuration);
        }
    }
    // Blocks go through faults in random order.
    let place = |one: &Configuration| {
        let name = one.fault.as_deref().unwrap_or_default();
        crate::scenario::FAULTS.iter().position(|fault| fault.name == name)
    };
    all.sort_by(|a, b| (place(a), &a.server).cmp(&(place(b), &b.server)));
    all
}

fn cell(
    configuration: &Configuration,
    own: &[&Record],
    verdicts: &[Verdict],
    approach: &str,
) -> FaultCell {
    let name = configuration.fault.clone().unwrap_or_default();
    let headline = fault(&name).ok().map(|fault| Metric::Fault(FaultFigure::headline(fault)));
    let mut cell = FaultCell {
        fault: name,
        server: configuration.server.clone(),
        approach: String::new(),
        floor: false,
        state: FaultState::Ok,
        metric: headline,
        figure: headline.and_then(|metric| worst(own, metric)),
        problems: Vec::new(),
    };
    let is_own = |verdict: &&Verdict| {
        verdict.approach == approach && verdict.configuration().as_ref() == Some(configuration)
    };
    if let Some(failure) = own.iter().find_map(|record| record.failure.as_ref()) {
        cell.fail(failure);
        return cell;
    }
    for verdict in verdicts.iter().filter(is_own) {
        let state = match verdict.outcome {
            Outcome::Within => FaultState::Ok,
            _ if verdict.is_red() => FaultState::Fail,
            Outcome::Over | Outcome::Undecided | Outcome::Failed => FaultState::Warn,
        };
        if state == FaultState::Ok {
            continue;
        }
        if state > cell.state {
            cell.state = state;
            cell.metric = Some(verdict.metric);
            cell.figure = verdict.figure.map(|figure| figure.median);
        }
        cell.problems.push(problem(own, verdict));
    }
    cell
}

impl FaultCell {
    fn fail(&mut self, failure: &Failure) {
        self.state = match failure.kind {
            FailureKind::Unable => FaultState::Unable,
            _ => FaultState::Fail,
        };
        (self.metric, self.figure) = (None, None);
        let first = failure.message.lines().next().unwrap_or_default();
        self.problems.push(format!("{}: {first}", failure.kind.name()));
    }
}

/// What a verdict says, with the first example of it.
fn problem(own: &[&Record], verdict: &Verdict) -> String {
    let figure = verdict.figure.map_or("-".to_owned(), |one| verdict.unit.amount(one.median));
    let example = own.iter().find_map(|record| {
        let run = record.fault.as_deref()?;
        match verdict.metric {
            Metric::Fault(FaultFigure::GetsStale) => run.gets.as_ref()?.first_stale.clone(),
            Metric::Fault(FaultFigure::UpdatesWrong) => run.updates.as_ref()?.first_wrong.clone(),
            Metric::Fault(FaultFigure::BadEnds | FaultFigure::Hangs) => {
                Some(run.closed.as_ref()?.status.clone())
            }
            _ => None,
        }
    });
    match example {
        None => format!("{} {figure}", verdict.metric),
        Some(example) => format!("{} {figure}: {example}", verdict.metric),
    }
}

/// The worst of several blocks.
fn worst(own: &[&Record], metric: Metric) -> Option<f64> {
    own.iter().filter_map(|record| metric.of(record)).reduce(f64::max)
}
