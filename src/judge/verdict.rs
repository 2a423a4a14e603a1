//! Verdicts: where an interval lies against its limit.

use serde::Serialize;

use super::limits::{BUDGET, LIMITS, Limit, Measure, Relative, expectation};
use super::{CONFIDENCE_WANTED, Figures, Scaling};
use crate::protocol::Mode;
use crate::record::RunRecords;
use crate::stats::Interval;

/// What the judge says of a figure against its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The whole interval is at or under the limit.
    Within,
    /// The whole interval is over the limit.
    Over,
    /// The interval holds the limit, or there are too few blocks for one.
    Undecided,
    /// The approach could not be measured.
    Failed,
}

impl Outcome {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Within => "within",
            Outcome::Over => "over",
            Outcome::Undecided => "undecided",
            Outcome::Failed => "failed",
        }
    }

    fn of(interval: &Interval, limit: f64) -> Outcome {
        if interval.confidence < CONFIDENCE_WANTED {
            Outcome::Undecided
        } else if interval.high <= limit {
            Outcome::Within
        } else if interval.low > limit {
            Outcome::Over
        } else {
            Outcome::Undecided
        }
    }
}

/// One verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The approach.
    pub approach: String,
    /// What was judged, such as `connect bulk` or `connect slope`.
    pub metric: String,
    /// How many PVs were connected; for a slope the most.
    pub pvs: usize,
    /// How they were connected.
    pub connected: Mode,
    /// What it was compared with; none when the approach failed.
    pub relative: Option<Relative>,
    /// Seconds per PV over that; none when the approach failed.
    pub over_s: Option<Interval>,
    /// The most it may be; none when the approach failed.
    pub limit_s: Option<f64>,
    /// How the most is derived.
    pub derivation: &'static str,
    /// The verdict.
    pub outcome: Outcome,
    /// Why it is expected to be over; none when it is expected to be within.
    pub expected_over: Option<&'static str>,
}

impl Verdict {
    /// Whether it is over its limit although it should not be.
    pub fn is_worse_than_expected(&self) -> bool {
        self.outcome == Outcome::Over && self.expected_over.is_none()
    }

    /// Whether it is within its limit although it is known to be over: then the
    /// expectation wants an update.
    pub fn is_better_than_expected(&self) -> bool {
        self.outcome == Outcome::Within && self.expected_over.is_some()
    }

    /// Whether a limit may be broken here, for all that was measured. An approach
    /// that is known to be over cannot break it further, decided or not.
    pub fn is_open(&self) -> bool {
        self.outcome == Outcome::Undecided && self.expected_over.is_none()
    }
}

pub(super) fn verdicts(run: &RunRecords, figures: &[Figures], scaling: &[Scaling]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for limit in &LIMITS {
        match limit.measure {
            Measure::Figure(metric, least_pvs) => {
                let judged =
                    figures.iter().filter(|all| all.metric == metric && all.pvs >= least_pvs);
                judged.for_each(|figures| of_figures(limit, figures, &mut verdicts));
            }
            Measure::ConnectSlope(least_pvs) => scaling
                .iter()
                .filter(|scaling| !scaling.floor && scaling.most_pvs >= least_pvs)
                .for_each(|scaling| of_scaling(limit, scaling, &mut verdicts)),
        }
    }
    verdicts.extend(of_failures(run));
    verdicts
}

fn of_figures(limit: &Limit, figures: &Figures, verdicts: &mut Vec<Verdict>) {
    let judged = figures.rows.iter().filter(|row| !row.floor);
    for row in judged {
        let compared =
            [(Relative::Floor, row.over_floor_s), (Relative::Fastest, row.over_fastest_s)];
        for (relative, over) in compared {
            verdicts.extend(over.map(|over| Verdict {
                pvs: figures.pvs,
                connected: figures.connected,
                ..verdict(limit, &row.approach, figures.metric.name(), relative, over)
            }));
        }
    }
}

fn of_scaling(limit: &Limit, scaling: &Scaling, verdicts: &mut Vec<Verdict>) {
    let compared =
        [(Relative::Floor, scaling.over_floor_s), (Relative::Fastest, scaling.over_fastest_s)];
    for (relative, over) in compared {
        verdicts.extend(over.map(|over| Verdict {
            pvs: scaling.most_pvs,
            ..verdict(limit, &scaling.approach, "connect slope".to_owned(), relative, over)
        }));
    }
}

fn verdict(
    limit: &Limit,
    approach: &str,
    metric: String,
    relative: Relative,
    over: Interval,
) -> Verdict {
    let limit_s = (limit.per_pv)(&BUDGET);
    Verdict {
        approach: approach.to_owned(),
        metric,
        pvs: 0,
        connected: Mode::Bulk,
        relative: Some(relative),
        over_s: Some(over),
        limit_s: Some(limit_s),
        derivation: limit.derivation,
        outcome: Outcome::of(&over, limit_s),
        expected_over: expectation(approach, limit.measure),
    }
}

/// An approach that failed in a cell has failed there, whatever it did before.
fn of_failures(run: &RunRecords) -> Vec<Verdict> {
    let mut failed: Vec<Verdict> = Vec::new();
    for record in run.records.iter().filter(|record| record.failure.is_some()) {
        let stage = record.failure.as_ref().and_then(|failure| failure.stage);
        let known = failed.iter().any(|verdict| {
            verdict.approach == record.approach
                && (verdict.pvs, verdict.connected) == (record.pvs, record.mode)
        });
        if !known {
            failed.push(Verdict {
                approach: record.approach.clone(),
                metric: stage.map_or("start".to_owned(), |stage| stage.to_string()),
                pvs: record.pvs,
                connected: record.mode,
                relative: None,
                over_s: None,
                limit_s: None,
                derivation: "",
                outcome: Outcome::Failed,
                expected_over: None,
            });
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(low: f64, high: f64, confidence: f64) -> Interval {
        Interval { median: f64::midpoint(low, high), low, high, confidence, samples: 5 }
    }

    #[test]
    fn only_an_interval_wholly_on_one_side_decides() {
        assert_eq!(Outcome::of(&interval(0.1, 0.9, 0.94), 1.0), Outcome::Within);
        assert_eq!(Outcome::of(&interval(1.1, 1.9, 0.94), 1.0), Outcome::Over);
        assert_eq!(Outcome::of(&interval(0.9, 1.1, 0.94), 1.0), Outcome::Undecided);
    }

    #[test]
    fn too_few_blocks_decide_nothing() {
        assert_eq!(Outcome::of(&interval(0.1, 0.1, 0.875), 1.0), Outcome::Undecided);
    }
}
