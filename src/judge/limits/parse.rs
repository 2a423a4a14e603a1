//! From the text of a limits file to limits.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::error::{Wrong, line_of, unknown};
use super::measured::{Measured, measured};
use super::table::{Name, Table};
use super::{Limit, Relative, budget};
use crate::metric::{Metric, Pooled, can_be_limited, names};
use crate::protocol::Protocol;
use crate::record::Scenario;
use crate::scenario::{FAULTS, definition};

const KEYS: [&str; 18] = [
    "protocol",
    "fault",
    "scenario",
    "metric",
    "server",
    "approach",
    "lookup",
    "pvs",
    "rate_hz_at_most",
    "relative",
    "most",
    "because",
    "budget",
    "kind",
    "expect",
    "reason",
    "over",
    "near",
];

pub(super) fn parse(text: &str) -> Result<(Vec<Limit>, Vec<Measured>), Wrong> {
    let file = DeTable::parse(text).map_err(|error| Wrong {
        at: error.span().map(|span| span.start),
        message: error.message().to_owned(),
    })?;
    let file = Table::new(file.get_ref(), 0);
    file.only(&["limit", "measure"])?;
    let mut limits: Vec<Limit> = Vec::new();
    for table in file.tables("limit")? {
        for limit in limits_of(table, text)? {
            if let Some(same) = limits.iter().find(|other| other.selects_the_same_as(&limit)) {
                let (metric, line) = (limit.measure.name(), same.line);
                let message = format!("this limits `{metric}` of the same as line {line}");
                return Err(Wrong::at(table.at, message));
            }
            limits.push(limit);
        }
    }
    match limits.is_empty() {
        true => Err(Wrong { at: None, message: "it has no [[limit]]".to_owned() }),
        false => {
            let measured: Result<Vec<Measured>, Wrong> =
                file.tables("measure")?.into_iter().map(measured).collect();
            Ok((limits, measured?))
        }
    }
}

/// One limit for each metric that the table names.
fn limits_of(table: Table, text: &str) -> Result<Vec<Limit>, Wrong> {
    table.only(&KEYS)?;
    let metrics = table.names("metric")?;
    if metrics.is_empty() {
        return Err(Wrong::at(table.at, "this limit has no `metric`"));
    }
    metrics.iter().map(|metric| limit_of(table, metric, text)).collect()
}

fn limit_of(table: Table, metric: &Name, text: &str) -> Result<Limit, Wrong> {
    let measure = measure(metric)?;
    check_kind(table, measure)?;
    let scenarios = scenarios(table, measure)?;
    let (most, derivation) = value(table, measure)?;
    let approaches = table.names("approach")?;
    let (reason, over) = expectation(table, &approaches)?;
    let near = named_reasons(table, "near", &approaches)?;
    let is_over = |name: &Name| over.keys().any(|other| other.name == name.name);
    if let Some((name, _)) = near.iter().find(|(name, _)| is_over(name)) {
        let message = format!("`{}` cannot be over this limit and near it", name.name);
        return Err(Wrong::at(name.at, message));
    }
    let placed = |names: &[Name]| -> Vec<(String, usize)> {
        names.iter().map(|one| (one.name.clone(), line_of(text, one.at))).collect()
    };
    Ok(Limit {
        line: line_of(text, table.at),
        measure,
        scenarios,
        servers: placed(&table.names("server")?),
        approaches: placed(&approaches),
        lookups: table.lookups()?,
        protocols: protocols(table)?,
        faults: faults(table)?,
        least_pvs: table.number("pvs")?.map_or(0, |pvs| pvs as usize),
        rate_hz_at_most: rate(table, measure)?,
        relatives: relatives(table, measure)?,
        most,
        derivation,
        reason,
        over: with_lines(over, text),
        near: with_lines(near, text),
    })
}

fn protocols(table: Table) -> Result<Vec<Protocol>, Wrong> {
    let protocol = |one: Name| {
        let known = [Protocol::Ca, Protocol::Pva];
        let names = known.map(Protocol::name);
        let found = known.into_iter().find(|protocol| protocol.name() == one.name);
        found.ok_or_else(|| Wrong::at(one.at, unknown("protocol", &one.name, &names)))
    };
    table.names("protocol")?.into_iter().map(protocol).collect()
}

fn faults(table: Table) -> Result<Vec<String>, Wrong> {
    let name = |one: Name| {
        let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        match names.contains(&one.name.as_str()) {
            true => Ok(one.name),
            false => Err(Wrong::at(one.at, unknown("fault", &one.name, &names))),
        }
    };
    table.names("fault")?.into_iter().map(name).collect()
}

fn with_lines(named: Reasons, text: &str) -> BTreeMap<String, (String, usize)> {
    let placed = |(name, reason): (Name, String)| (name.name, (reason, line_of(text, name.at)));
    named.into_iter().map(placed).collect()
}

fn measure(metric: &Name) -> Result<Metric, Wrong> {
    let unknown = |_| Wrong::at(metric.at, unknown("metric", &metric.name, &names()));
    let found: Metric = metric.name.parse().map_err(unknown)?;
    if can_be_limited(found) {
        return Ok(found);
    }
    let message = format!("`{found}` cannot be limited: a limit is the most that a figure may be");
    Err(Wrong::at(metric.at, message))
}

/// `kind` may be left out; where it stands, it must be true.
fn check_kind(table: Table, measure: Metric) -> Result<(), Wrong> {
    let (Some(at), Some(kind)) = (table.place("kind"), table.text("kind")?) else { return Ok(()) };
    let (metric, is) = (measure.name(), if measure.is_exact() { "exact" } else { "noisy" });
    match kind.as_str() {
        "exact" | "noisy" if kind == is => Ok(()),
        "exact" | "noisy" => Err(Wrong::at(at, format!("`{metric}` is {is}, not {kind}"))),
        _ => Err(Wrong::at(at, unknown("kind", &kind, &["exact", "noisy"]))),
    }
}

fn scenarios(table: Table, measure: Metric) -> Result<Vec<Scenario>, Wrong> {
    let measured_in = measure.row().scenarios();
    let named = table.names("scenario")?;
    if measure.is_of_the_run() {
        let of_a_configuration = ["scenario", "server", "approach", "lookup", "pvs"];
        return match of_a_configuration.iter().find_map(|key| Some((key, table.place(key)?))) {
            Some((key, at)) => {
                let metric = measure.name();
                Err(Wrong::at(at, format!("`{metric}` is of the whole run: leave out `{key}`")))
            }
            None => Ok(Vec::new()),
        };
    }
    if named.is_empty() {
        return Ok(measured_in);
    }
    named.into_iter().map(|one| measured_scenario(&one, measure, &measured_in)).collect()
}

fn measured_scenario(
    named: &Name,
    measure: Metric,
    measured_in: &[Scenario],
) -> Result<Scenario, Wrong> {
    let unknown = |_| {
        Wrong::at(named.at, unknown("scenario", &named.name, &Scenario::ALL.map(Scenario::name)))
    };
    let scenario: Scenario = named.name.parse().map_err(unknown)?;
    if measured_in.contains(&scenario) {
        return Ok(scenario);
    }
    let others: Vec<&str> = measured_in.iter().map(|one| one.name()).collect();
    let (metric, others) = (measure.name(), others.join(", "));
    let message = format!("`{metric}` is not measured in `{scenario}`; it is in: {others}");
    Err(Wrong::at(named.at, message))
}

fn rate(table: Table, measure: Metric) -> Result<Option<f64>, Wrong> {
    let Some(at) = table.place("rate_hz_at_most") else { return Ok(None) };
    let has_rate = |one: Scenario| definition(one).model.has_rate();
    if measure.is_of_the_run() || !measure.row().scenarios().into_iter().any(has_rate) {
        let message = format!("`{}` has no rate", measure.name());
        return Err(Wrong::at(at, message));
    }
    table.number("rate_hz_at_most")
}

fn relatives(table: Table, measure: Metric) -> Result<Vec<Relative>, Wrong> {
    let named = table.names("relative")?;
    let Some(first) = named.first() else {
        return match measure.is_exact() {
            true => Ok(vec![Relative::Nothing]),
            false => Err(Wrong::at(
                table.at,
                "this limit has no `relative`: give \"absolute\", \"floor\" or \"fastest\", or a \
                 list of them",
            )),
        };
    };
    let only_absolute = measure.is_exact() || measure.row().pooled == Pooled::Growth;
    if only_absolute && named.iter().any(|one| one.name != "absolute") {
        let message = format!("`{}` is judged by itself: give \"absolute\"", measure.name());
        return Err(Wrong::at(first.at, message));
    }
    let relative = |one: &Name| match one.name.as_str() {
        "absolute" => Ok(Relative::Nothing),
        "floor" => Ok(Relative::Floor),
        "fastest" => Ok(Relative::Fastest),
        other => {
            let known = ["absolute", "floor", "fastest"];
            Err(Wrong::at(one.at, unknown("relation", other, &known)))
        }
    };
    named.iter().map(relative).collect()
}

/// The most, and how it is derived: by a budget, or for a reason.
fn value(table: Table, measure: Metric) -> Result<(f64, String), Wrong> {
    let (most, budget) = (table.number("most")?, table.table("budget")?);
    let because = table.text("because")?;
    match (most, budget) {
        (None, None) => Err(Wrong::at(table.at, "this limit has neither `most` nor `budget`")),
        (Some(_), Some(budget)) => {
            Err(Wrong::at(budget.at, "`most` and `budget` both: which of them is the limit?"))
        }
        (None, Some(budget)) => match table.place("because") {
            Some(at) => Err(Wrong::at(at, "`because` goes with `most`: a budget is a reason")),
            None => budget::value(budget, measure),
        },
        (Some(most), None) => {
            let at = table.place("most").unwrap_or(table.at);
            if measure.is_exact() && most != 0.0 {
                let message = format!("`{}` is exact and allows nothing: most = 0", measure.name());
                return Err(Wrong::at(at, message));
            }
            let because = because
                .ok_or_else(|| Wrong::at(at, "`most` needs `because`: where does it come from?"))?;
            Ok((most, because))
        }
    }
}

/// Why each of these approaches is expected where it is.
type Reasons = BTreeMap<Name, String>;

type Expectation = (Option<String>, Reasons);

/// Why everybody is over, or who is.
fn expectation(table: Table, approaches: &[Name]) -> Result<Expectation, Wrong> {
    let reason = table.text("reason")?;
    let over = table.table("over")?;
    let at = table.place("expect").unwrap_or(table.at);
    let reason = match table.text("expect")?.as_deref() {
        None | Some("within") => match table.place("reason") {
            Some(at) => {
                return Err(Wrong::at(at, "`reason` goes with expect = \"over\""));
            }
            None => None,
        },
        Some("over") if over.is_some() => {
            return Err(Wrong::at(at, "all are expected to be over, so leave out `over`"));
        }
        Some("over") => match reason {
            None => return Err(Wrong::at(at, "expect = \"over\" needs a `reason`")),
            given => given,
        },
        Some(other) => {
            return Err(Wrong::at(at, unknown("expectation", other, &["within", "over"])));
        }
    };
    Ok((reason, named_reasons(table, "over", approaches)?))
}

/// The approaches that the table `key` names, each with a reason.
fn named_reasons(table: Table, key: &str, approaches: &[Name]) -> Result<Reasons, Wrong> {
    let named = table.table(key)?.map_or(Ok(Vec::new()), |named| named.texts())?;
    let is_other = |name: &Name| !approaches.iter().any(|one| one.name == name.name);
    if let Some((name, _)) = named.iter().find(|(name, _)| !approaches.is_empty() && is_other(name))
    {
        let message = format!("this limit is not of `{}`, so it cannot be {key} it", name.name);
        return Err(Wrong::at(name.at, message));
    }
    Ok(named.into_iter().collect())
}
