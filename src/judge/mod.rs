//! From records to verdicts; no I/O, no clock.

mod advice;
mod bottleneck;
mod calibration;
mod capacity;
pub mod compared;
mod comparison;
mod confirmation;
mod contended;
mod default_gets;
mod expected;
mod failed;
mod faults;
mod figures;
pub mod history;
mod latency_series;
mod limits;
mod lookups;
mod losses;
mod many_iocs;
mod matters;
mod monitors;
pub mod pair_metrics;
mod planned;
mod samples;
mod scale;
mod scaling;
mod time_series;
mod unreached;
mod verdict;
mod verdicts;
pub mod worker_figures;

pub use advice::{Advice, Slower};
pub use bottleneck::Bottleneck;
pub use calibration::{
    CALIBRATION_FORMAT, Calibrated, Calibration, FOUND_AT_LEAST, MetricRates, Outcomes, PairsUsed,
    Pool, Rate, Redrawn, SmallestFound, WholeRuns, calibrate, redraw, smallest_found,
};
pub use capacity::{Capacity, capacities};
pub use comparison::{Change, Comparison, MetricChange, Pairs, Rule, Step, compare, next_step};
pub use confirmation::{Confirmation, FALSE_ALARMS, LOOKS, blocks_for_the_sign_test, to_confirm};
pub use contended::is_contended;
pub use default_gets::DefaultGets;
pub use expected::expected_verdicts;
use faults::fault_cells;
pub use faults::{FaultCell, FaultState};
use figures::figures;
pub use figures::{Figures, Modal, Row, of_most_pvs};
pub use latency_series::{LatencyAt, LatencySeries, SlowPv};
pub use limits::{GROWTH_RUN_S, Limit, Limits, LimitsError, Measured, Relative};
pub use lookups::{LookupRow, Lookups};
use lookups::{headline, lookups};
pub use losses::{LossCauses, UpdateCounts};
pub use many_iocs::{ManyIocsGrowth, ManyIocsRow, many_iocs_growth, many_iocs_rows};
pub use matters::{BUDGET_S, Crossing, Matters, matters};
use monitors::monitors;
pub use monitors::{Memory, MonitorFigures, MonitorRow};
pub use planned::Planned;
pub use scale::{Flow, Published, Scale, ScaleFigures, ScaleRow, scale};
pub use scaling::Scaling;
use scaling::scaling;
pub use time_series::{TimeSeries, time_series};
pub use unreached::Unreached;
use unreached::unreached;
pub use verdict::{Outcome, Verdict};

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{FailureKind, RunRecords};
use crate::scenario::is_answer;
use crate::scenario::{Configuration, Words};
pub use crate::stats::CONFIDENCE_WANTED;
use failed::FailedApproaches;
use verdicts::Verdicts;

/// Everything that the judge concludes from a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Judgement {
    /// The figures, one entry for each configuration and metric; of one by both lookups
    /// those by UDP.
    pub figures: Vec<Figures>,
    /// How connecting grows with the count of PVs; the same of lookups.
    pub scaling: Vec<Scaling>,
    /// The figures of monitor runs, one entry for each configuration.
    pub monitors: Vec<MonitorFigures>,
    /// The scale matrix, one entry for each server and client.
    pub scale: Vec<Scale>,
    /// The most updates that arrive without loss, from searches.
    pub capacities: Vec<Capacity>,
    /// The cost of connecting to many IOCs, by lookup, size and approach.
    pub many_iocs: Vec<ManyIocsRow>,
    /// How that grows with the size.
    pub many_iocs_growth: Vec<ManyIocsGrowth>,
    /// What faults did to each approach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<FaultCell>,
    /// The limits that were applied.
    pub limits: Limits,
    /// Connecting by UDP and by name server, side by side.
    pub lookups: Vec<Lookups>,
    /// A verdict for each limit, configuration and approach.
    pub verdicts: Vec<Verdict>,
    /// Verdicts that this run was too short for; each names the option that decides it. They
    /// are not known beforehand and so not among the others.
    pub too_short: Vec<Verdict>,
    /// Limits that apply from more PVs on than the run has.
    pub unreached: Vec<Unreached>,
    /// Which approach to take, on each server; empty when connecting was not judged.
    pub advice: Vec<Advice>,
    /// Workers that failed.
    pub failures: Vec<FailedWorkers>,
}

/// Failures of one approach, of one kind.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FailedWorkers {
    /// The approach.
    pub approach: String,
    /// What kind of failure.
    pub kind: FailureKind,
    /// How many workers failed so.
    pub count: usize,
    /// The configurations in which they did, such as `1 000 PVs bulk`.
    pub configurations: Vec<String>,
    /// The message of the first, possibly several lines.
    pub first: String,
}

/// Judges a run. The figures are those of the first blocks, which every approach has; fresh
/// blocks, which only confirm, count in the verdicts.
pub fn judge(run: &RunRecords, limits: &Limits) -> Judgement {
    let Verdicts { all: verdicts, too_short } = verdicts::verdicts(run, limits);
    let failures = failures(run);
    let failed = FailedApproaches::of(&run.records);
    let run = &without_fresh(run);
    let (mut figures, mut scaling) = (figures(run, &failed), scaling(run, &failed));
    headline(&mut figures, |one| {
        ((one.server.clone(), one.pvs, one.connected, one.metric), one.lookup)
    });
    headline(&mut scaling, |one| (one.server.clone(), one.lookup));
    Judgement {
        figures,
        scaling,
        lookups: lookups(run),
        monitors: monitors(run, &failed),
        scale: scale(run),
        capacities: capacities(run),
        many_iocs: many_iocs_rows(run),
        many_iocs_growth: many_iocs_growth(run),
        faults: fault_cells(run, &verdicts),
        advice: advice::advice(run, &verdicts),
        limits: limits.clone(),
        verdicts,
        too_short,
        unreached: unreached(run, limits),
        failures,
    }
}

fn without_fresh(run: &RunRecords) -> Cow<'_, RunRecords> {
    if !run.records.iter().any(|record| record.confirms) {
        return Cow::Borrowed(run);
    }
    let mut first = run.clone();
    first.records.retain(|record| !record.confirms);
    Cow::Owned(first)
}

fn failures(run: &RunRecords) -> Vec<FailedWorkers> {
    let mut failures: Vec<FailedWorkers> = Vec::new();
    for record in run.records.iter().filter(|record| !is_answer(record)) {
        let Some(failure) = &record.failure else { continue };
        let known = failures
            .iter_mut()
            .find(|known| known.approach == record.approach && known.kind == failure.kind);
        let configuration = Configuration::of_one(record).in_words(Words::List);
        match known {
            Some(known) => {
                known.count += 1;
                if !known.configurations.contains(&configuration) {
                    known.configurations.push(configuration);
                }
            }
            None => failures.push(FailedWorkers {
                approach: record.approach.clone(),
                kind: failure.kind,
                count: 1,
                configurations: vec![configuration],
                first: failure.message.clone(),
            }),
        }
    }
    failures
}
