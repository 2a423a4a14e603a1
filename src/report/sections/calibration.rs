//! How often the judge is wrong, for people.

use crate::judge::{Calibrated, Calibration, Change, Rate, Redrawn, WholeRuns};
use crate::report::document::{Columns, Detail, Document, Part, Role, Section, Table};
use crate::report::words::part;
use crate::stats::median;
use crate::units::{counted, percent};

pub(super) fn document(calibrated: &Calibrated) -> Document {
    Document {
        title: "How often the judge is wrong here".to_owned(),
        lead: None,
        sections: vec![Section::new(Role::Body, section(calibrated, 2))],
    }
}

/// What is known of the judge on the machine of a run.
pub(super) fn of_report(known: &[Calibrated], detail: Detail) -> Vec<Part> {
    if known.is_empty() {
        return vec![Part::Text(
            "How often the judge is wrong on this machine was not measured: `epics-gauge \
             calibrate` does."
                .to_owned(),
        )];
    }
    match detail {
        Detail::Brief => known.iter().map(|one| Part::Text(summary(one))).collect(),
        Detail::Full => {
            let heading = Part::Heading(2, "how often the judge is wrong here".to_owned());
            let sections = known.iter().flat_map(|one| section(one, 3));
            std::iter::once(heading).chain(sections).collect()
        }
    }
}

/// In a sentence: false alarms, and what is found.
fn summary(calibrated: &Calibrated) -> String {
    let Some(calibration) = calibrated.metrics.first() else { return String::new() };
    let alarms = &calibration.alike_centred.family.changed;
    let smallest = match calibration.smallest_found.by_estimate {
        Some(slowdown) => format!("{} % slower", percent(100.0 * slowdown)),
        None => "nothing that was tried".to_owned(),
    };
    format!(
        "The judge on {}, with {} in {} ({}): comparisons of two alike called a change in {} \
         ({} to {}); found in 95 of 100: {smallest}.",
        calibrated.machine.model,
        calibrated.approach,
        calibrated.scenario,
        calibrated.date,
        part(alarms.rate),
        part(alarms.low),
        part(alarms.high)
    )
}

/// What is known of the judge: false alarms, what is found, and how
/// long it takes.
fn section(calibrated: &Calibrated, level: u8) -> Vec<Part> {
    let Calibrated { scenario, approach, server, pvs, date, machine, .. } = calibrated;
    let pvs = counted(*pvs, "PV");
    let sides = match calibrated.sides_apart {
        Some(true) => "two copies in folders of their own",
        Some(false) => "the same program on both sides, from one place",
        None => "the same program on both sides",
    };
    let mut parts = vec![Part::Text(format!(
        "{scenario} with {approach} and {pvs} on {server}: {sides}, each process with an \
         environment of another size, compared with one another and with one of them slower, on \
         {} ({}, {}), {date}. A slowdown is injected by the harness; one that is computed is added \
         to the figures of alike sides.",
        machine.model,
        counted(machine.cores, "core"),
        machine.system
    ))];
    for metric in &calibrated.metrics {
        parts.extend(of_metric(metric, level));
    }
    if !calibrated.whole.is_empty() {
        parts.push(Part::Text("Whole comparisons that were run, not drawn:".to_owned()));
        parts.push(Part::Table(whole(&calibrated.whole)));
    }
    parts
}

fn of_metric(calibration: &Calibration, level: u8) -> Vec<Part> {
    let name = calibration.alike.metrics.first().map_or("", |metric| metric.metric.name());
    vec![
        Part::Heading(level, name.to_owned()),
        Part::Table(rates(calibration)),
        Part::Text(found(calibration)),
    ]
}

/// Comparisons that were drawn from measured pairs.
struct Drawn<'a> {
    label: &'a str,
    redrawn: &'a Redrawn,
    found: &'a Rate,
}

fn rates(calibration: &Calibration) -> Table {
    let alike = |label, redrawn| Drawn { label, redrawn, found: &redrawn.family.changed };
    let slowed = calibration.slowdowns.iter().map(|redrawn| Drawn {
        label: &redrawn.label,
        redrawn,
        found: &redrawn.family.regressed,
    });
    let rows =
        [alike("alike", &calibration.alike), alike("alike, centred", &calibration.alike_centred)];
    Columns::of(rows.into_iter().chain(slowed))
        .words("B slower by", |row| row.label.to_owned())
        .number("found", |row| part(row.found.rate))
        .number("interval, %", |row| {
            format!("{} .. {}", percent(100.0 * row.found.low), percent(100.0 * row.found.high))
        })
        .number("undecided", |row| part(row.redrawn.family.undecided.rate))
        .number("pairs", |row| row.redrawn.pairs.median.to_string())
        .number("s", |row| format!("{:.0}", row.redrawn.seconds_median))
        .number("95 of 100", |row| format!("{:.0}", row.redrawn.seconds_in_95_of_100))
        .table()
}

fn found(calibration: &Calibration) -> String {
    let smallest = |slowdown: Option<f64>| {
        slowdown.map_or("none".to_owned(), |slowdown| format!("{} %", percent(100.0 * slowdown)))
    };
    let bias = calibration.alike.metrics.first().map_or(String::new(), |metric| {
        let bias = &metric.pool_bias;
        format!(
            " Alike sides differed by {:+.1} % ({:+.1} to {:+.1}).",
            100.0 * bias.median,
            100.0 * bias.low,
            100.0 * bias.high
        )
    });
    format!(
        "The smallest slowdown found in 95 of 100: {} by the rates, {} by the lower ends of their \
         intervals. Drawn {} from {} of alike sides that were measured and {} of each slowdown, \
         four neighbours at a time; a difference under {} % is no difference.{bias}",
        smallest(calibration.smallest_found.by_estimate),
        smallest(calibration.smallest_found.by_interval),
        counted(calibration.experiments, "time"),
        counted(calibration.alike.measured_pairs, "pair"),
        calibration.slowdowns.first().map_or(0, |slowed| slowed.measured_pairs),
        percent(100.0 * calibration.rule.tolerance),
    )
}

fn whole(runs: &[WholeRuns]) -> Table {
    let outcomes = [
        ("regressed", Change::Regressed),
        ("improved", Change::Improved),
        ("no difference", Change::NoDifference),
        ("undecided", Change::Undecided),
    ];
    Columns::of(runs)
        .words("B slower by", |runs| runs.label.clone())
        .number("runs", |runs| runs.outcomes.len().to_string())
        .numbers(outcomes, |runs, outcome| runs.rate(*outcome).hits.to_string())
        .number("s", |runs| format!("{:.0}", median(&runs.seconds)))
        .number("longest s", |runs| {
            format!("{:.0}", runs.seconds.iter().copied().fold(0.0, f64::max))
        })
        .table()
}
