//! The maximum of each figure, derived from what users accept. The file that holds them is
//! documentation too.

mod budget;
mod error;
mod measured;
mod parse;
#[cfg(test)]
mod refusals;
mod table;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::FALSE_ALARMS;
use crate::lookup::Lookup;
use crate::metric::Metric;
use crate::named::named;
use crate::protocol::Protocol;
use crate::record::{Load, Scenario};
pub use error::LimitsError;
pub use measured::Measured;

/// The built-in limits.
const BUILT_IN: &str = include_str!("../../../tests/gate/limits.toml");

/// Shorter monitor runs often cannot distinguish a leak from memory that settles. Where they
/// cannot, growth is not judged.
pub const GROWTH_RUN_S: f64 = 30.0;

/// All limits of a file.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Limits {
    /// The file's name.
    pub file: String,
    /// The limits, in the order of the file.
    pub limits: Vec<Limit>,
    /// What the gate measures.
    pub measured: Vec<Measured>,
    /// The probability with which one verdict of a run, or more, may be red although no
    /// limit is broken.
    pub false_alarms: f64,
}

/// The most that a figure may be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Limit {
    /// The line of the file at which it begins.
    pub line: usize,
    /// What is limited.
    pub measure: Metric,
    /// The scenarios in which it holds; empty for what is of the whole run.
    pub scenarios: Vec<Scenario>,
    /// The servers for which it holds, with the lines that name them; all when empty.
    pub servers: Vec<(String, usize)>,
    /// The approaches for which it holds, with the lines that name them; all when
    /// empty.
    pub approaches: Vec<(String, usize)>,
    /// The lookups for which it holds; all when empty.
    pub lookups: Vec<Lookup>,
    /// The protocols for which it holds; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protocols: Vec<Protocol>,
    /// The faults for which it holds; all when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// From so many PVs on.
    pub least_pvs: usize,
    /// Only up to this rate, in updates of one PV per second.
    pub rate_hz_at_most: Option<f64>,
    /// What the figure is relative to: one verdict for each.
    pub relatives: Vec<Relative>,
    /// The most, in the unit of the measure.
    pub most: f64,
    /// Where the most comes from.
    pub derivation: String,
    /// Why everybody is expected to be over it; none when that is not expected.
    pub reason: Option<String>,
    /// Who else is, and why, with the lines that name them.
    pub over: BTreeMap<String, (String, usize)>,
    /// Who is close to it, so that machines differ in the side, and why, with the lines
    /// that name them.
    pub near: BTreeMap<String, (String, usize)>,
}

named! {
    /// What a limit is relative to.
    #[derive(Serialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    pub enum Relative {
        /// By itself.
        Nothing = "by itself",
        /// Over the least work that the protocol allows.
        Floor = "over the floor",
        /// Over the fastest approach of the same run.
        Fastest = "over the fastest",
    }
}

impl Limits {
    /// The limits of this build.
    ///
    /// # Panics
    /// Never: a test parses them.
    pub fn built_in() -> Limits {
        match Limits::parse(BUILT_IN, "limits.toml") {
            Ok(limits) => limits,
            Err(error) => panic!("built in: {error}"),
        }
    }

    /// Reads the text of a limits file; `file` is its name in messages.
    ///
    /// # Errors
    /// Where the text is not TOML, has an unknown key, metric or scenario, lacks
    /// something, or contradicts itself: with the line, and with what was probably
    /// meant.
    pub fn parse(text: &str, file: &str) -> Result<Limits, LimitsError> {
        match parse::parse(text) {
            Ok((limits, measured)) => {
                Ok(Limits { file: file.to_owned(), limits, measured, false_alarms: FALSE_ALARMS })
            }
            Err(wrong) => Err(wrong.in_file(file, text)),
        }
    }

    /// Every approach that the file names must be one of these.
    ///
    /// # Errors
    /// Where one is not, with the line and the nearest known name.
    pub fn check_approaches(&self, known: &[&str]) -> Result<(), LimitsError> {
        let over = |limit: &Limit| -> Vec<(String, usize)> {
            let named = limit.over.iter().chain(&limit.near);
            named.map(|(name, (_, line))| (name.clone(), *line)).collect()
        };
        self.check("approach", known, |limit| [limit.approaches.clone(), over(limit)].concat())
    }

    /// Every server that the file names must be one of these.
    ///
    /// # Errors
    /// Where one is not, with the line and the nearest known name.
    pub fn check_servers(&self, known: &[&str]) -> Result<(), LimitsError> {
        self.check("server", known, |limit| limit.servers.clone())
    }

    /// The limit of this measure, relative to this, that holds here: the last one
    /// that fits.
    pub(super) fn of(&self, measure: Metric, relative: Relative, place: &Place) -> Option<&Limit> {
        self.limits.iter().rev().find(|limit| {
            limit.measure == measure && limit.relatives.contains(&relative) && limit.is_at(place)
        })
    }

    /// The limit of a measure of the whole run.
    pub(super) fn of_the_run(&self, measure: Metric) -> Option<&Limit> {
        self.limits.iter().rev().find(|limit| limit.measure == measure)
    }

    fn check(
        &self,
        what: &str,
        known: &[&str],
        names: impl Fn(&Limit) -> Vec<(String, usize)>,
    ) -> Result<(), LimitsError> {
        let mut named = self.limits.iter().flat_map(names);
        match named.find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, line)) => Err(LimitsError {
                file: self.file.clone(),
                line: Some(line),
                message: error::unknown(what, &name, known),
            }),
        }
    }
}

/// Where a figure was taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) scenario: Scenario,
    pub(super) server: &'a str,
    pub(super) approach: &'a str,
    pub(super) pvs: usize,
    pub(super) lookup: Lookup,
    pub(super) load: Option<Load>,
    pub(super) protocol: Protocol,
    pub(super) fault: Option<&'a str>,
}

impl Limit {
    /// Why this approach is expected to be over; none when it is expected to be
    /// within.
    pub fn expected_over(&self, approach: &str) -> Option<&str> {
        let own = self.over.get(approach).map(|(reason, _)| reason);
        own.or(self.reason.as_ref()).map(String::as_str)
    }

    /// Why this approach is expected close to the limit, on either side.
    pub fn expected_near(&self, approach: &str) -> Option<&str> {
        self.near.get(approach).map(|(reason, _)| reason.as_str())
    }

    /// The line of the expectation for this approach, or else of the limit.
    pub fn line_of_expectation(&self, approach: &str) -> usize {
        let named = self.over.get(approach).or_else(|| self.near.get(approach));
        named.map_or(self.line, |(_, line)| *line)
    }

    /// Whether it holds there, with enough PVs and at a rate that is not too high.
    pub(super) fn is_for(&self, scenario: Scenario, server: &str, approach: &str) -> bool {
        let holds = |names: &[(String, usize)], own: &str| {
            names.is_empty() || names.iter().any(|(name, _)| name == own)
        };
        self.scenarios.contains(&scenario)
            && holds(&self.servers, server)
            && holds(&self.approaches, approach)
    }

    fn is_at(&self, place: &Place) -> bool {
        let rate_hz = place.load.map_or(0.0, |load| load.rate_hz);
        self.is_for(place.scenario, place.server, place.approach)
            && (self.lookups.is_empty() || self.lookups.contains(&place.lookup))
            && (self.protocols.is_empty() || self.protocols.contains(&place.protocol))
            && (self.faults.is_empty()
                || place.fault.is_some_and(|fault| self.faults.iter().any(|own| own == fault)))
            && place.pvs >= self.least_pvs
            && self.rate_hz_at_most.is_none_or(|most| rate_hz <= most)
    }

    /// Whether both limit the same figure in the same place, which is a mistake.
    fn selects_the_same_as(&self, other: &Limit) -> bool {
        let names = |named: &[(String, usize)]| -> Vec<String> {
            named.iter().map(|(name, _)| name.clone()).collect()
        };
        self.measure == other.measure
            && self.scenarios == other.scenarios
            && names(&self.servers) == names(&other.servers)
            && names(&self.approaches) == names(&other.approaches)
            && self.lookups == other.lookups
            && self.protocols == other.protocols
            && self.faults == other.faults
            && self.least_pvs == other.least_pvs
            && self.rate_hz_at_most == other.rate_hz_at_most
            && self.relatives.iter().any(|relative| other.relatives.contains(relative))
    }
}

/// A count with thin groups of three digits: `10 000`.
fn grouped(count: f64) -> String {
    let digits = format!("{count:.0}");
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(measure: &str) -> f64 {
        let built_in = Limits::built_in();
        built_in.limits.iter().find(|limit| limit.measure.name() == measure).unwrap().most
    }

    #[test]
    fn the_budgets_give_the_thresholds_of_the_write_ups() {
        assert_eq!(most("connect bulk"), 1e-4);
        assert_eq!(most("connect slope"), 1e-4);
        assert_eq!(most("get serial"), 1e-2);
        assert_eq!(most("growth"), 1e6);
    }

    /// A limit of a get but for how much that may be.
    const LIMIT: &str = "\
[[limit]]
scenario = \"connect\"
metric = \"get serial\"
relative = \"floor\"
";

    /// The limit of a get with this budget, or what is wrong with it.
    fn most_by(budget: &str) -> Result<f64, String> {
        let text = format!("{LIMIT}budget = {budget}\n");
        let limits = Limits::parse(&text, "limits.toml").map_err(|error| error.to_string())?;
        Ok(limits.limits[0].most)
    }

    #[test]
    fn a_budget_is_spread_over_the_pvs_that_it_is_for() {
        assert_eq!(most_by("{ pvs = 10, delay_s = 2 }"), Ok(0.2));
        assert_eq!(most_by("{ pvs = 10, read_fraction = 0.5, delay_s = 2 }"), Ok(0.4));
        assert_eq!(most_by("{ pvs = 10, read_fraction = 1, delay_s = 2 }"), Ok(0.2));
    }

    #[test]
    fn a_budget_without_a_delay_or_for_no_part_of_the_pvs_is_refused() {
        for (budget, expected) in [
            ("{ pvs = 10, read_fraction = 0, delay_s = 2 }", "`read_fraction` must be over 0"),
            ("{ pvs = 10, read_fraction = 1.1, delay_s = 2 }", "must be over 0 and at most 1"),
            ("{ pvs = 10, delay_s = 0 }", "`delay_s` must be over 0"),
        ] {
            let error = most_by(budget).unwrap_err();
            assert!(error.contains(expected), "{budget}: {error}");
        }
    }

    #[test]
    fn what_is_measured_is_reported_down_to_the_least_that_is_allowed() {
        let measured = |keys: &str| {
            let text = format!(
                "{LIMIT}most = 1\nbecause = \"why\"\n\
                 [[measure]]\nscenario = \"scalars\"\npvs = [10, 1]\n{keys}"
            );
            let limits = Limits::parse(&text, "limits.toml").map_err(|error| error.to_string())?;
            let one = &limits.measured[0];
            Ok::<_, String>((one.pvs.clone(), one.rate_hz, one.seconds, one.blocks))
        };
        assert_eq!(
            measured("rate_hz = 5\nseconds = 40\nblocks = 7"),
            Ok((vec![10, 1], 5.0, 40.0, 7))
        );
        assert_eq!(
            measured("rate_hz = 0.1\nseconds = 1\nblocks = 1"),
            Ok((vec![10, 1], 0.1, 1.0, 1))
        );
        for (keys, expected) in [
            ("rate_hz = 0.09", "`rate_hz` must be 0.1 or more"),
            ("seconds = 0.9", "`seconds` must be 1 or more"),
            ("blocks = 0", "`blocks` must be 1 or more"),
        ] {
            let error = measured(keys).unwrap_err();
            assert!(error.contains(expected), "{keys}: {error}");
        }
    }

    #[test]
    fn a_limit_holds_for_either_lookup_unless_it_names_one() {
        let limit =
            |keys: &str, most: f64| format!("{LIMIT}{keys}most = {most}\nbecause = \"why\"\n");
        let text = limit("", 1.0) + &limit("lookup = \"name-server\"\n", 2.0);
        let limits = Limits::parse(&text, "limits.toml").unwrap();
        let most = |lookup| {
            let first = &limits.limits[0];
            let place = Place {
                scenario: first.scenarios[0],
                server: "softioc",
                approach: "mine",
                pvs: 10_000,
                lookup,
                load: None,
                protocol: Protocol::Ca,
                fault: None,
            };
            limits.of(first.measure, first.relatives[0], &place).unwrap().most
        };
        assert_eq!((most(Lookup::Udp), most(Lookup::NameServer)), (1.0, 2.0));
        let error = Limits::parse(&limit("lookup = \"nameserver\"\n", 1.0), "limits.toml");
        let error = error.unwrap_err().to_string();
        assert!(error.contains("did you mean `name-server`?"), "{error}");
    }

    #[test]
    fn what_the_gate_measures_is_found_by_udp_unless_named_otherwise() {
        let measured = |keys: &str| {
            let text = format!(
                "{LIMIT}most = 1\nbecause = \"why\"\n\
                 [[measure]]\nscenario = \"connect\"\npvs = [1]\n{keys}"
            );
            Limits::parse(&text, "limits.toml").unwrap().measured[0].lookups.clone()
        };
        assert_eq!(measured(""), [Lookup::Udp]);
        assert_eq!(measured("lookup = [\"udp\", \"name-server\"]"), Lookup::ALL);
    }

    #[test]
    fn the_published_cpu_of_caproto_is_over_and_that_of_the_others_is_within() {
        let (psp, pyepics, caproto) = (28.78, 32.29, 78.06);
        let most = most("client cpu");
        assert!(pyepics - psp <= most && caproto - psp > most);
    }
}
