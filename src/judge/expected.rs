//! Which verdicts a run will have: known before the measurement, so that a missing one is noticed.

use super::limits::{GROWTH_RUN_S, Limit, Limits, Place, Relative};
use super::planned::Planned;
use crate::metric::{Metric, Party, Pooled, Timed, rows};
use crate::record::{ApproachFacts, Scenario};
use crate::scenario::{Configuration, fault, reads_by_default, word};
use crate::worker_protocol::{Mode, Stage};

/// The name of the verdict on processes that outlive a run.
pub(super) const PROCESSES_LEFT: &str = "run::processes_left";

/// One verdict to be given.
#[derive(Debug, Clone)]
pub(super) struct Wanted<'a> {
    pub(super) name: String,
    pub(super) planned: &'a Configuration,
    pub(super) facts: &'a ApproachFacts,
    pub(super) measure: Metric,
    pub(super) relative: Relative,
    pub(super) limit: &'a Limit,
    /// The name of the file that has the limit.
    pub(super) file: &'a str,
    /// Whether the run is certainly long enough to decide it.
    pub(super) is_certain: bool,
}

/// The names of the verdicts on these configurations. Each of them exists after the measurement,
/// whatever its result. Growth in monitor runs under [`GROWTH_RUN_S`] is not among them: whether
/// these can decide it is not known beforehand.
pub fn expected_verdicts(
    limits: &Limits,
    configurations: &[Planned],
    approaches: &[ApproachFacts],
) -> Vec<String> {
    let mut names: Vec<String> = wanted(limits, configurations, approaches)
        .into_iter()
        .filter(|wanted| wanted.is_certain)
        .map(|wanted| wanted.name)
        .collect();
    names.extend(limits.of_the_run(Metric::ProcessesLeft).map(|_| PROCESSES_LEFT.to_owned()));
    // The probes of a search are one configuration.
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    names
}

pub(super) fn wanted<'a>(
    limits: &'a Limits,
    configurations: &'a [Planned],
    approaches: &'a [ApproachFacts],
) -> Vec<Wanted<'a>> {
    let mut all = Vec::new();
    for planned in configurations {
        for facts in approaches.iter().filter(|facts| planned.takes(facts)) {
            for row in rows() {
                if is_measured(row.metric, planned, facts, configurations) {
                    all.extend(of_measure(limits, planned, facts, row.metric, approaches));
                }
            }
        }
    }
    all
}

fn of_measure<'a>(
    limits: &'a Limits,
    planned: &'a Planned,
    facts: &'a ApproachFacts,
    measure: Metric,
    approaches: &[ApproachFacts],
) -> Vec<Wanted<'a>> {
    let key = &planned.configuration;
    let place = Place {
        scenario: key.scenario,
        server: &key.server,
        approach: &facts.name,
        pvs: key.pvs,
        lookup: key.lookup,
        load: key.load,
        protocol: facts.protocol,
        fault: key.fault.as_deref(),
    };
    let has_floor = approaches
        .iter()
        .any(|other| other.floor && other.protocol == facts.protocol && planned.takes(other));
    let is_long = key.load.is_none_or(|load| load.seconds >= GROWTH_RUN_S);
    Relative::ALL
        .into_iter()
        .filter(|relative| *relative != Relative::Floor || has_floor)
        .filter_map(|relative| {
            Some(Wanted {
                name: name(key, &facts.name, measure, relative),
                planned: key,
                facts,
                measure,
                relative,
                limit: limits.of(measure, relative, &place)?,
                file: &limits.file,
                is_certain: measure.row().pooled != Pooled::Growth || is_long,
            })
        })
        .collect()
}

/// Such as `connect::pyca::n10000::over_floor`.
fn name(planned: &Configuration, approach: &str, measure: Metric, relative: Relative) -> String {
    let relation = match relative {
        Relative::Nothing => "",
        Relative::Floor => "over_floor",
        Relative::Fastest => "over_fastest",
    };
    let what = match relative {
        // Nothing else would be left of the name.
        Relative::Nothing => word(measure.name()),
        _ => word(name_part(measure)),
    };
    let both = [what.as_str(), relation];
    let words: Vec<&str> = both.into_iter().filter(|word| !word.is_empty()).collect();
    format!("{}::{}", planned.name_with(approach), words.join("_"))
}

fn is_measured(
    measure: Metric,
    planned: &Planned,
    facts: &ApproachFacts,
    configurations: &[Planned],
) -> bool {
    // The floor is what others are compared with; what is counted holds for it too.
    if facts.floor && !measure.is_exact() || measure.is_of_the_run() {
        return false;
    }
    if is_of_default_get(measure) && facts.default_get.is_none() {
        return false;
    }
    match measure {
        Metric::Fault(figure) => {
            let fault = planned.configuration.fault.as_deref().and_then(|name| fault(name).ok());
            fault.is_some_and(|fault| figure.is_of(fault))
        }
        Metric::ConnectSlope => has_slope(planned, configurations),
        // Subscriptions to one PV may share their updates.
        Metric::BytesOverLeast => planned.configuration.load.is_some_and(|load| load.monitors == 1),
        _ => is_in(measure, planned.configuration.mode),
    }
}

/// Whether it is a figure of an ordinary get, which not every approach measures.
fn is_of_default_get(measure: Metric) -> bool {
    match measure {
        Metric::Time(timed)
        | Metric::Cpu(timed)
        | Metric::Each(timed, _)
        | Metric::DefaultGet(timed, _) => reads_by_default(timed.stage),
        _ => false,
    }
}

/// Whether configurations that connect in this mode have it.
fn is_in(metric: Metric, mode: Mode) -> bool {
    match metric {
        Metric::Time(timed) | Metric::Cpu(timed) | Metric::Each(timed, _) => match timed.stage {
            Stage::Connect => timed.mode == mode,
            Stage::Import | Stage::Context => true,
            _ => mode == Mode::Bulk || timed.mode == Mode::Serial,
        },
        Metric::ConnectSlope => mode == Mode::Bulk,
        _ => true,
    }
}

/// The part of a verdict's name; empty where the relation is enough.
fn name_part(metric: Metric) -> &'static str {
    match metric {
        Metric::Time(Timed::CONNECT_BULK) => "",
        Metric::ConnectSlope => "slope",
        Metric::CpuUse(Party::Client) => "cpu",
        Metric::Memory(Party::Client) => "memory",
        _ => metric.name(),
    }
}

/// A slope belongs to the most PVs, and needs other counts too.
fn has_slope(planned: &Planned, configurations: &[Planned]) -> bool {
    let own = &planned.configuration;
    let is_of_slope = |other: &Configuration| {
        (other.scenario, &other.server, other.lookup, other.mode)
            == (Scenario::Connect, &own.server, own.lookup, Mode::Bulk)
    };
    let all = || configurations.iter().map(|other| &other.configuration);
    let counts = || all().filter(|other| is_of_slope(other)).map(|other| other.pvs);
    is_of_slope(own) && counts().all(|pvs| pvs <= own.pvs) && counts().any(|pvs| pvs < own.pvs)
}
