//! Verdicts: where an interval lies against its limit.

use serde::Serialize;

use super::limits::{
    BUDGET, LEAK_BYTES_PER_MINUTE, LEAK_DERIVATION, LEAK_WATCH_S, LIMITS, Limit, Measure,
    PVS_LEFT_BEHIND, Relative, expectation, expected_leak,
};
use super::{CONFIDENCE_WANTED, Figures, MonitorFigures, MonitorRow, Scaling};
use crate::protocol::Mode;
use crate::record::{Load, Record, RunRecords};
use crate::scenario;
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

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Seconds per PV.
    SecondsPerPv,
    /// Bytes per minute.
    BytesPerMinute,
    /// A count of PVs; exact.
    Pvs,
}

/// One verdict.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// The approach.
    pub approach: String,
    /// The scenario.
    pub scenario: String,
    /// The server.
    pub server: String,
    /// What was judged, such as `connect bulk`, `connect slope` or `growth`.
    pub metric: String,
    /// The unit of figure and limit.
    pub unit: Unit,
    /// What monitors were to take; none for scenarios without.
    pub load: Option<Load>,
    /// How many PVs were connected; for a slope the most.
    pub pvs: usize,
    /// How they were connected.
    pub connected: Mode,
    /// What it was compared with; none when the approach failed.
    pub relative: Option<Relative>,
    /// How much it is, over that; none when the approach failed.
    pub figure: Option<Interval>,
    /// The most it may be; none when the approach failed.
    pub limit: Option<f64>,
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

pub(super) fn verdicts(
    run: &RunRecords,
    figures: &[Figures],
    scaling: &[Scaling],
    monitors: &[MonitorFigures],
) -> Vec<Verdict> {
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
    for cell in monitors {
        verdicts.extend(cell.rows.iter().filter_map(|row| of_growth(cell, row)));
        verdicts.extend(cell.rows.iter().filter_map(|row| of_recovery(cell, row)));
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
                server: figures.server.clone(),
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
            server: scaling.server.clone(),
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
    let most = (limit.per_pv)(&BUDGET);
    Verdict {
        approach: approach.to_owned(),
        scenario: scenario::CONNECT.to_owned(),
        server: String::new(),
        metric,
        unit: Unit::SecondsPerPv,
        load: None,
        pvs: 0,
        connected: Mode::Bulk,
        relative: Some(relative),
        figure: Some(over),
        limit: Some(most),
        derivation: limit.derivation,
        outcome: Outcome::of(&over, most),
        expected_over: expectation(approach, limit.measure),
    }
}

/// Whether the client leaks. The floor is not judged, like everywhere.
fn of_growth(cell: &MonitorFigures, row: &MonitorRow) -> Option<Verdict> {
    let growth = row.client_memory.growth_bytes_per_minute.filter(|_| !row.floor)?;
    let outcome = Outcome::of(&growth, LEAK_BYTES_PER_MINUTE);
    if outcome == Outcome::Undecided && cell.load.seconds < LEAK_WATCH_S
        || cell.load.disturbance.is_some()
    {
        return None;
    }
    let limit = LEAK_BYTES_PER_MINUTE;
    Some(Verdict {
        unit: Unit::BytesPerMinute,
        derivation: LEAK_DERIVATION,
        outcome,
        expected_over: expected_leak(&row.approach, cell.load.content()),
        ..of_monitors(cell, row, "growth", growth, limit)
    })
}

/// Whether every PV came back after a disturbance, in every block.
fn of_recovery(cell: &MonitorFigures, row: &MonitorRow) -> Option<Verdict> {
    let missing =
        row.recoveries.iter().map(|one| one.wanted.saturating_sub(one.recovered)).max()?;
    let exact = Interval::exact(missing as f64, row.blocks);
    let outcome = if missing as f64 > PVS_LEFT_BEHIND { Outcome::Over } else { Outcome::Within };
    (!row.floor).then(|| Verdict {
        unit: Unit::Pvs,
        derivation: "a client comes back by itself",
        outcome,
        ..of_monitors(cell, row, "PVs left behind", exact, PVS_LEFT_BEHIND)
    })
}

fn of_monitors(
    cell: &MonitorFigures,
    row: &MonitorRow,
    metric: &str,
    figure: Interval,
    limit: f64,
) -> Verdict {
    Verdict {
        approach: row.approach.clone(),
        scenario: cell.scenario.clone(),
        server: cell.server.clone(),
        metric: metric.to_owned(),
        unit: Unit::Pvs,
        load: Some(cell.load),
        pvs: cell.pvs,
        connected: Mode::Bulk,
        relative: Some(Relative::Nothing),
        figure: Some(figure),
        limit: Some(limit),
        derivation: "",
        outcome: Outcome::Undecided,
        expected_over: None,
    }
}

/// An approach that failed in a cell has failed there, whatever it did before.
fn of_failures(run: &RunRecords) -> Vec<Verdict> {
    let mut failed: Vec<Verdict> = Vec::new();
    let has_failed = |record: &&Record| record.failure.is_some() && !scenario::is_answer(record);
    for record in run.records.iter().filter(has_failed) {
        let stage = record.failure.as_ref().and_then(|failure| failure.stage);
        let known = failed.iter().any(|verdict| {
            (&verdict.approach, &verdict.scenario, &verdict.server)
                == (&record.approach, &record.scenario, &record.server)
                && (verdict.pvs, verdict.connected, verdict.load)
                    == (record.pvs, record.mode, record.load)
        });
        if !known {
            failed.push(Verdict {
                approach: record.approach.clone(),
                scenario: record.scenario.clone(),
                server: record.server.clone(),
                unit: Unit::SecondsPerPv,
                load: record.load,
                metric: stage.map_or("start".to_owned(), |stage| stage.to_string()),
                pvs: record.pvs,
                connected: record.mode,
                relative: None,
                figure: None,
                limit: None,
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
