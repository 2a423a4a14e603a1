//! Verdicts: where an interval lies against its limit.

use schemars::JsonSchema;
use serde::Serialize;

use super::CONFIDENCE_WANTED;
use super::limits::Relative;
use crate::lookup::Lookup;
use crate::metric::{Metric, Unit};
use crate::named::named;
use crate::record::{Load, ManyIocsShape, Scenario};
use crate::scenario::{Configuration, Words};
use crate::stats::Interval;
use crate::worker_protocol::Mode;

named! {
    /// The result for a figure against its limit.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum Outcome {
        /// The whole interval is at or under the limit.
        Within = "within",
        /// The whole interval is over the limit; where that was not expected, in fresh
        /// blocks too.
        Over = "over",
        /// The interval holds the limit, there are too few blocks for one, what was seen
        /// is not confirmed, or the figure could not be taken.
        Undecided = "undecided",
        /// A worker failed, or brought a wrong value.
        Failed = "failed",
    }
}

impl Outcome {
    pub(super) fn of(interval: &Interval, limit: f64) -> Outcome {
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

/// The beginning of the reason if there is no figure, or none that could decide.
pub(super) const NOT_JUDGED: &str = "not judged: ";

/// One verdict.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Verdict {
    /// Its name, unique within a run, such as `connect::pyca::n10000::over_floor`.
    pub name: String,
    /// The approach; empty for what is of the whole run.
    pub approach: String,
    /// Whether it is the floor.
    pub floor: bool,
    /// The scenario; none for what is of the whole run.
    pub scenario: Option<Scenario>,
    /// The server.
    pub server: String,
    /// What was judged, such as `connect bulk`, `connect slope` or `growth`.
    pub metric: Metric,
    /// The unit of figure and limit.
    pub unit: Unit,
    /// What monitors were to take; none for scenarios without.
    pub load: Option<Load>,
    /// The IOCs that had the PVs together.
    pub many_iocs: Option<ManyIocsShape>,
    /// What went wrong, by its name in the table of faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How many PVs were connected; for a slope the most.
    pub pvs: usize,
    /// How they were connected.
    pub connected: Mode,
    /// How they were found.
    pub lookup: Lookup,
    /// What it was compared with.
    pub relative: Relative,
    /// The approach that this was.
    pub compared_with: Option<String>,
    /// How much it is, over that; of fresh blocks where there are any. None when it
    /// could not be taken.
    pub figure: Option<Interval>,
    /// The most it may be.
    pub limit: f64,
    /// How the most is derived.
    pub derivation: String,
    /// The verdict.
    pub outcome: Outcome,
    /// Why it is expected to be over; none when it is expected to be within.
    pub expected_over: Option<String>,
    /// Why it is expected close to the limit, on either side: none when it is not.
    pub expected_near: Option<String>,
    /// The file and the line of the limit, or of what it expects of this approach.
    pub expectation: String,
    /// Why it is undecided, or what failed, or what was seen before it was decided.
    pub reason: Option<String>,
    /// Blocks that raised it.
    pub blocks: usize,
    /// Blocks that were measured afresh to confirm it.
    pub fresh_blocks: usize,
    /// About how many more fresh blocks would decide it; none when it is decided, or
    /// when more blocks are of no use.
    pub more_blocks: Option<usize>,
    /// The probability of the fresh blocks if the figure were at its limit, corrected
    /// for all verdicts that were confirmed; none without fresh blocks.
    pub p: Option<f64>,
}

impl Verdict {
    /// Whether it is over its limit although it should not be.
    pub fn is_worse_than_expected(&self) -> bool {
        self.outcome == Outcome::Over && !self.may_be_over()
    }

    /// Whether it is expected to be over, or near enough to be.
    pub fn may_be_over(&self) -> bool {
        self.expected_over.is_some() || self.expected_near.is_some()
    }

    /// Whether it is within its limit although it is known to be over: then the
    /// expectation needs an update. A comparison with itself does not count.
    pub fn is_better_than_expected(&self) -> bool {
        let is_with_itself = self.compared_with.as_ref() == Some(&self.approach);
        self.outcome == Outcome::Within && self.expected_over.is_some() && !is_with_itself
    }

    /// Whether the limit may still be broken after this measurement. An approach that is
    /// expected to be over cannot break it further, decided or not; and without a figure
    /// another verdict reports the failure.
    pub fn is_open(&self) -> bool {
        self.outcome == Outcome::Undecided && !self.may_be_over() && self.figure.is_some()
    }

    /// Why it was not judged, which names the option that decides it where one does; none
    /// where it was.
    pub fn why_not_judged(&self) -> Option<&str> {
        self.reason.as_deref()?.strip_prefix(NOT_JUDGED)
    }

    /// Whether it must not be: a limit broken that was expected to hold, or a failure.
    pub fn is_red(&self) -> bool {
        self.is_worse_than_expected()
            || self.outcome == Outcome::Failed && self.expected_over.is_none()
    }

    /// The configuration of its figure, for a slope that with the most PVs; none for what is of
    /// the whole run.
    pub fn configuration(&self) -> Option<Configuration> {
        Some(Configuration {
            scenario: self.scenario?,
            server: self.server.clone(),
            pvs: self.pvs,
            mode: self.connected,
            lookup: self.lookup,
            load: self.load,
            many_iocs: self.many_iocs,
            fault: self.fault.clone(),
        })
    }

    /// Where it was given, beside the scenario's name: `10 000 PVs`, `680x480, 120 Hz`.
    pub fn place(&self) -> String {
        self.configuration()
            .map_or(String::new(), |configuration| configuration.in_words(Words::Place))
    }

    /// What was found, by how much, with which interval, against which limit and
    /// expectation: one or two lines.
    pub fn explain(&self) -> String {
        let mut first = format!("{}: {}", self.name, self.word());
        if let Some(figure) = &self.figure {
            first += &format!(", {}", self.figure_in_words(figure));
        }
        let expected = match (&self.expected_over, &self.expected_near) {
            (None, None) => "expected within".to_owned(),
            (Some(reason), _) => format!("expected over ({}): {reason}", self.expectation),
            (None, Some(reason)) => format!("expected near ({}): {reason}", self.expectation),
        };
        let limit = match self.unit {
            Unit::Count => format!("limit {}", self.limit),
            unit => format!("limit {}", unit.amount(self.limit)),
        };
        let mut second = format!("    {limit} ({}), {expected}", self.derivation);
        if let Some(reason) = &self.reason {
            second += &format!("; {reason}");
        }
        if let Some(more) = self.more_blocks {
            second += &format!("; {}", blocks(more, "more fresh"));
        }
        format!("{first}\n{second}")
    }

    fn word(&self) -> &'static str {
        match self.outcome {
            Outcome::Over if self.is_worse_than_expected() => "OVER",
            Outcome::Over => "over (known)",
            Outcome::Failed => "FAILED",
            other => other.name(),
        }
    }

    fn figure_in_words(&self, figure: &Interval) -> String {
        let mut words = self.unit.amount(figure.median);
        match self.relative {
            Relative::Nothing => {}
            relative => {
                let other = self.compared_with.as_deref().unwrap_or("?");
                words += &format!(" {} ({other})", relative.name());
            }
        }
        let count = match self.fresh_blocks {
            0 => blocks(self.blocks, ""),
            fresh => blocks(fresh, "fresh"),
        };
        if self.unit == Unit::Count {
            return format!("{words} in {count}");
        }
        words += &format!(
            ", {:.0} % interval {} .. {} of {count}",
            100.0 * figure.confidence,
            self.unit.amount(figure.low),
            self.unit.amount(figure.high),
        );
        if self.limit > 0.0 {
            words += &format!(", {:.2} x the limit", figure.median / self.limit);
        }
        if let Some(p) = self.p {
            words += &format!(", p {p:.2e}");
        }
        words
    }
}

#[cfg(test)]
impl Verdict {
    /// One of a connection over the floor, undecided, without a figure.
    pub(crate) fn example() -> Verdict {
        Verdict {
            name: "connect::mine::n10::over_floor".to_owned(),
            approach: "mine".to_owned(),
            floor: false,
            scenario: Some(Scenario::Connect),
            server: "softioc".to_owned(),
            metric: Metric::Time(crate::metric::Timed::CONNECT_BULK),
            unit: Unit::SecondsPerPv,
            load: None,
            many_iocs: None,
            fault: None,
            pvs: 10,
            connected: Mode::Bulk,
            lookup: Lookup::Udp,
            relative: Relative::Floor,
            compared_with: None,
            figure: None,
            limit: 1e-4,
            derivation: String::new(),
            outcome: Outcome::Undecided,
            expected_over: None,
            expected_near: None,
            expectation: "limits.toml:1".to_owned(),
            reason: None,
            blocks: 5,
            fresh_blocks: 0,
            more_blocks: None,
            p: None,
        }
    }
}

/// Such as `1 fresh block` or `5 blocks`.
pub(super) fn blocks(count: usize, what: &str) -> String {
    let noun = if count == 1 { "block" } else { "blocks" };
    let words = [count.to_string(), what.to_owned(), noun.to_owned()];
    words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ")
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
    fn what_just_reaches_the_limit_is_not_over_it() {
        assert_eq!(Outcome::of(&interval(0.1, 1.0, 0.94), 1.0), Outcome::Within);
        assert_eq!(Outcome::of(&interval(1.0, 1.9, 0.94), 1.0), Outcome::Undecided);
    }

    fn of(outcome: Outcome, is_expected_over: bool) -> Verdict {
        let expected_over = is_expected_over.then(|| "slow".to_owned());
        Verdict { outcome, expected_over, ..Verdict::example() }
    }

    #[test]
    fn only_what_is_over_unexpectedly_is_worse_and_so_are_failures_red() {
        for (outcome, is_worse, is_red) in [
            (Outcome::Within, false, false),
            (Outcome::Over, true, true),
            (Outcome::Undecided, false, false),
            (Outcome::Failed, false, true),
        ] {
            let verdict = of(outcome, false);
            assert_eq!((verdict.is_worse_than_expected(), verdict.is_red()), (is_worse, is_red));
            let known = of(outcome, true);
            assert!(!known.is_worse_than_expected() && !known.is_red(), "{outcome:?}");
        }
    }

    #[test]
    fn only_what_is_within_unexpectedly_is_better_and_not_beside_itself() {
        assert!(of(Outcome::Within, true).is_better_than_expected());
        assert!(!of(Outcome::Within, false).is_better_than_expected());
        assert!(!of(Outcome::Over, true).is_better_than_expected());
        for (other, is_better) in [("libca", true), ("mine", false)] {
            let compared_with = Some(other.to_owned());
            let verdict = Verdict { compared_with, ..of(Outcome::Within, true) };
            assert_eq!(verdict.is_better_than_expected(), is_better, "{other}");
        }
    }

    #[test]
    fn only_an_undecided_figure_that_should_be_within_is_open() {
        let figure = Some(interval(0.9, 1.1, 0.94));
        assert!(Verdict { figure, ..of(Outcome::Undecided, false) }.is_open());
        assert!(!Verdict { figure, ..of(Outcome::Undecided, true) }.is_open());
        assert!(!Verdict { figure, ..of(Outcome::Within, false) }.is_open());
        assert!(!of(Outcome::Undecided, false).is_open(), "there is no figure");
    }

    #[test]
    fn just_the_confidence_wanted_decides() {
        let sure = interval(0.1, 0.9, CONFIDENCE_WANTED);
        assert_eq!(Outcome::of(&sure, 1.0), Outcome::Within);
    }

    #[test]
    fn too_few_blocks_decide_nothing() {
        assert_eq!(Outcome::of(&interval(0.1, 0.1, 0.875), 1.0), Outcome::Undecided);
    }
}
