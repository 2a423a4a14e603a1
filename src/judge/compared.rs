//! A comparison of two sides, judged from its records.

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use super::pair_metrics::{family, side_figures};
use super::{Comparison, Rule, compare};
use crate::metric::{Metric, Party, Unit};
use crate::named::UnknownName;
use crate::record::{ComparisonRequest, Failure, RunRecords, Side};
use crate::stats::{Interval, median_interval};

/// Everything that the judge concludes from a comparison.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ComparisonJudgement {
    /// What was compared, and how.
    #[serde(rename = "contest")]
    pub request: ComparisonRequest,
    /// The figures of both sides, metric by metric.
    pub figures: Vec<ComparedFigures>,
    /// What is different.
    pub comparison: Comparison,
    /// The versions that the workers of the two sides report.
    pub versions: [Vec<String>; 2],
    /// How many whole pairs were run, those of the screening included.
    pub pairs: usize,
    /// Pairs whose worker failed, which ends a comparison: the side and why.
    pub failures: Vec<(Side, Failure)>,
}

/// The figures of one metric on both sides, over all pairs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ComparedFigures {
    /// Its name.
    pub metric: Metric,
    /// Its unit.
    pub unit: Unit,
    /// Of side A; none when no pair was whole.
    pub a: Option<Interval>,
    /// Of side B.
    pub b: Option<Interval>,
}

/// The rule that decides a comparison.
pub fn rule_of(request: &ComparisonRequest) -> Rule {
    let usual = Rule::default();
    let mut looks: Vec<usize> =
        usual.looks.iter().copied().filter(|look| *look < request.most_pairs).collect();
    looks.push(request.most_pairs);
    let alpha = usual.alpha / request.comparisons.max(1) as f64;
    Rule { looks, tolerance: request.tolerance, alpha, ..usual }
}

/// Judges a comparison; none when the run is no comparison.
///
/// # Errors
/// When it names a metric that this build does not know.
pub fn judge_comparison(run: &RunRecords) -> Result<Option<ComparisonJudgement>, UnknownName> {
    let Some(request) = &run.run.comparison else { return Ok(None) };
    let metrics: Vec<Metric> =
        request.metrics.iter().map(|name| named(name, run.run.format)).collect::<Result<_, _>>()?;
    let figures: Vec<ComparedFigures> =
        metrics.iter().map(|metric| figures_of(run, *metric)).collect();
    let samples = |interval: &Option<Interval>| interval.map_or(0, |interval| interval.samples);
    let pairs = figures.iter().map(|figures| samples(&figures.a)).max().unwrap_or(0);
    let failed = |record: &crate::record::Record| Some((record.side?, record.failure.clone()?));
    Ok(Some(ComparisonJudgement {
        request: request.clone(),
        comparison: compare(&family(&run.records, &metrics), &rule_of(request)),
        figures,
        versions: [Side::A, Side::B].map(|side| versions(run, side)),
        pairs,
        failures: run.records.iter().filter_map(failed).collect(),
    }))
}

/// What a metric of a record file means: up to format 5 a comparison's `client memory` was
/// the peak.
fn named(name: &str, format: u32) -> Result<Metric, UnknownName> {
    match name {
        "client memory" if format <= 5 => Ok(Metric::MemoryPeak(Party::Client)),
        _ => name.parse(),
    }
}

fn figures_of(run: &RunRecords, metric: Metric) -> ComparedFigures {
    let screened = side_figures(&run.records, metric, false);
    let fresh = side_figures(&run.records, metric, true);
    let over_all = |screened: Vec<f64>, fresh: Vec<f64>| {
        median_interval(&[screened, fresh].concat(), CONFIDENCE_WANTED)
    };
    ComparedFigures {
        metric,
        unit: metric.unit(),
        a: over_all(screened.a, fresh.a),
        b: over_all(screened.b, fresh.b),
    }
}

fn versions(run: &RunRecords, side: Side) -> Vec<String> {
    let Some(record) = run.records.iter().find(|record| record.side == Some(side)) else {
        return Vec::new();
    };
    let versions = record.versions.iter().chain(&record.server_versions);
    versions.map(|(name, version)| format!("{name} {version}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_comparisons_share_one_rate_of_false_alarms() {
        let request = |comparisons| ComparisonRequest {
            a: "before".to_owned(),
            b: "after".to_owned(),
            metrics: vec!["connect bulk".to_owned()],
            tolerance: 0.03,
            most_pairs: 24,
            comparisons,
        };
        let (one, six) = (rule_of(&request(1)), rule_of(&request(6)));
        assert_eq!(one.looks, [12, 17, 24]);
        assert_eq!(one.tolerance, 0.03);
        assert_eq!((one.alpha, six.alpha), (0.01, 0.01 / 6.0));
        assert_eq!(Rule { alpha: one.alpha, ..six }, one);
    }
}
