//! Measures two sides in pairs until the judge needs no more.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::judge::pair_metrics::family;
use crate::judge::{Change, Rule, Step, compare, next_step};
use crate::measure::PairRunner;
use crate::metric::Metric;
use crate::record::{Failure, Record, Side};

/// Spare pairs beyond the rule's maximum, because a pair with a figure of zero has no ratio.
const USELESS_PAIRS: usize = 10;

/// How a comparison ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The rule needs no more pairs.
    Complete,
    /// The user stopped it.
    Interrupted,
    /// A worker failed: two sides cannot be compared if one does not work.
    Failed(Box<Failure>),
    /// The workers have no figure for this metric.
    Unmeasured(String),
}

/// Measures the pairs that the rule requests, in groups A B B A or B A A B in random order, so
/// that neither drift nor being first favours a side; blocks until the end. Ends early once one
/// metric is worse, because no other metric can compensate. Calls `report` with each record and
/// its worker's stderr.
///
/// # Errors
/// The first error of `report`.
pub fn compare_in_pairs<E>(
    pairs: &mut PairRunner<'_>,
    metrics: &[Metric],
    rule: &Rule,
    seed: u64,
    mut report: impl FnMut(&Record, &str) -> Result<(), E>,
) -> Result<Ended, E> {
    let mut records: Vec<Record> = Vec::new();
    let (mut begun, mut first) = (0, Side::A);
    let mut random = StdRng::seed_from_u64(seed);
    let most = rule.screen + rule.looks.last().copied().unwrap_or(0) + USELESS_PAIRS;
    while let Step::Measure { more, fresh } = next_step(&family(&records, metrics), rule) {
        for _ in 0..more {
            first = match begun % 2 {
                0 if random.random() => Side::A,
                0 => Side::B,
                _ => first.other(),
            };
            begun += 1;
            let Some(pair) = pairs.next(first, fresh) else { return Ok(Ended::Interrupted) };
            for (record, log) in pair {
                report(&record, &log)?;
                if let Some(failure) = &record.failure {
                    return Ok(Ended::Failed(Box::new(failure.clone())));
                }
                records.push(record);
            }
            // Not after the screening only: what follows would be measured for nothing.
            if let Some(untold) = untold(&records, metrics) {
                return Ok(Ended::Unmeasured(untold));
            }
        }
        if let Some(unmeasured) = unmeasured(&records, metrics) {
            return Ok(Ended::Unmeasured(unmeasured));
        }
        let is_worse = compare(&family(&records, metrics), rule).outcome == Change::Regressed;
        if is_worse || begun > most {
            break;
        }
    }
    Ok(Ended::Complete)
}

/// The first metric that no worker reports.
fn untold(records: &[Record], metrics: &[Metric]) -> Option<String> {
    let is_untold = |metric: &&Metric| records.iter().all(|record| metric.of(record).is_none());
    metrics.iter().find(is_untold).map(Metric::to_string)
}

/// The first metric whose figures are all zero, so that it has no ratios.
fn unmeasured(records: &[Record], metrics: &[Metric]) -> Option<String> {
    let has_figure = |metric: &&Metric| {
        records.iter().any(|record| {
            metric.of(record).is_some_and(|figure| figure + metric.row().negligible > 0.0)
        })
    };
    metrics.iter().find(|metric| !has_figure(metric)).map(Metric::to_string)
}
