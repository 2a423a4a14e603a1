//! The write-ups' rule: over the limit choose the faster, under it the simplest.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::lookups::headline;
use super::{Outcome, Relative, Verdict};
use crate::metric::Metric;
use crate::record::{ApproachFacts, RunRecords, Scenario};

/// Which approach to take.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Advice {
    /// The server that it holds for.
    pub server: String,
    /// The count of PVs that it holds for; none when nothing was judged.
    pub pvs: Option<usize>,
    /// Approaches within every limit against the fastest, simplest first.
    pub acceptable: Vec<String>,
    /// Approaches over a limit against the fastest: the acceptable ones must be
    /// preferred to them for speed.
    pub too_slow: Vec<Slower>,
    /// Approaches with an undecided verdict: there is no advice on them.
    pub unknown: Vec<String>,
    /// Approaches that failed or brought wrong values: no choice.
    pub failed: Vec<String>,
    /// The simplest of the acceptable ones.
    pub simplest: Option<String>,
    /// Why it counts as the simplest.
    pub simplest_reason: Option<String>,
    /// Acceptable ones that were not considered for it, because nobody has ranked how simple
    /// they are.
    pub unranked: Vec<String>,
}

/// An approach that is too slow, and where.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Slower {
    /// The approach.
    pub approach: String,
    /// The metric in which it is over the limit by most.
    pub metric: Metric,
    /// Seconds per PV over the fastest.
    pub over_fastest_s: f64,
}

/// Applies the rule on each server to the verdicts of the largest count of PVs,
/// and of the slope.
pub(super) fn advice(run: &RunRecords, verdicts: &[Verdict]) -> Vec<Advice> {
    let of_connecting =
        verdicts.iter().filter(|verdict| verdict.scenario == Some(Scenario::Connect));
    let servers: BTreeSet<&str> = of_connecting.map(|verdict| verdict.server.as_str()).collect();
    servers.into_iter().map(|server| on_server(run, verdicts, server)).collect()
}

fn on_server(run: &RunRecords, verdicts: &[Verdict], server: &str) -> Advice {
    let is_of_connecting = |verdict: &&Verdict| {
        (verdict.scenario, verdict.server.as_str()) == (Some(Scenario::Connect), server)
    };
    let mut headlines: Vec<&Verdict> = verdicts.iter().filter(is_of_connecting).collect();
    headline(&mut headlines, |verdict| ((), verdict.lookup));
    let of_connecting = || headlines.iter().copied();
    let pvs = of_connecting().map(|verdict| verdict.pvs).max();
    let judged: Vec<&Verdict> = of_connecting()
        .filter(|verdict| Some(verdict.pvs) == pvs || verdict.outcome == Outcome::Failed)
        .filter(|verdict| {
            verdict.relative == Relative::Fastest || verdict.outcome == Outcome::Failed
        })
        .collect();
    let (mut acceptable, mut too_slow) = (Vec::new(), Vec::new());
    let (mut unknown, mut failed) = (Vec::new(), Vec::new());
    for facts in run.run.approaches.iter().filter(|facts| !facts.floor) {
        let own: Vec<&&Verdict> =
            judged.iter().filter(|verdict| verdict.approach == facts.name).collect();
        let has = |outcome| own.iter().any(|verdict| verdict.outcome == outcome);
        if own.is_empty() {
            // It does not speak a protocol of this server, or was left out.
        } else if has(Outcome::Failed) {
            failed.push(facts.name.clone());
        } else if has(Outcome::Over) {
            too_slow.extend(worst(&own));
        } else if has(Outcome::Undecided) {
            unknown.push(facts.name.clone());
        } else {
            acceptable.push(facts);
        }
    }
    acceptable.sort_by_key(|facts| facts.simplicity.unwrap_or(u32::MAX));
    let simplest: Option<&ApproachFacts> =
        acceptable.first().copied().filter(|facts| facts.simplicity.is_some());
    Advice {
        server: server.to_owned(),
        pvs,
        simplest: simplest.map(|facts| facts.name.clone()),
        simplest_reason: simplest.map(|facts| facts.simplicity_reason.clone()),
        unranked: acceptable
            .iter()
            .filter(|facts| facts.simplicity.is_none())
            .map(|facts| facts.name.clone())
            .collect(),
        acceptable: acceptable.into_iter().map(|facts| facts.name.clone()).collect(),
        too_slow,
        unknown,
        failed,
    }
}

fn worst(verdicts: &[&&Verdict]) -> Option<Slower> {
    verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Over)
        .filter_map(|verdict| Some((verdict, verdict.figure?.median, verdict.limit)))
        .max_by(|(_, over, limit), (_, other_over, other_limit)| {
            (over / limit).total_cmp(&(other_over / other_limit))
        })
        .map(|(verdict, over, _)| Slower {
            approach: verdict.approach.clone(),
            metric: verdict.metric,
            over_fastest_s: over,
        })
}
