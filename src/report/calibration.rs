//! How often the judge is wrong, for people.

use super::content::Detail;
use super::document::{Part, Table, number, words};
use super::{Format, json, markdown, page, terminal};
use crate::judge::{Calibrated, Calibration, Change, Rate, Redrawn, WholeRuns};
use crate::stats::median;
use crate::units::{grouped, percent};

/// Writes a calibration.
pub fn render_calibrated(calibrated: &Calibrated, format: Format) -> String {
    match format {
        Format::Summary | Format::Table => terminal::render(&content(calibrated)),
        Format::Markdown => markdown::render(&content(calibrated)),
        Format::Html => page::of_parts(&content(calibrated)),
        Format::Json => json::of_calibrated(calibrated),
    }
}

fn content(calibrated: &Calibrated) -> Vec<Part> {
    let mut parts = vec![Part::Heading(1, "How often the judge is wrong here".to_owned())];
    parts.extend(section(calibrated, 2));
    parts
}

/// What a report says of the judge on the machine of the run.
pub(super) fn of_report(known: &[Calibrated], detail: Detail) -> Vec<Part> {
    if known.is_empty() {
        return vec![Part::Text(
            "How often the judge is wrong on this machine was not measured: `epics-gauge \
             calibrate` does."
                .to_owned(),
        )];
    }
    match detail {
        Detail::Summary => known.iter().map(|one| Part::Text(summary(one))).collect(),
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
        "The judge on this machine, with {} ({}): comparisons of two alike called a change in {} \
         ({} to {}); found in 95 of 100: {smallest}.",
        calibrated.approach,
        calibrated.date,
        part(alarms.rate),
        part(alarms.low),
        part(alarms.high)
    )
}

/// What is known of the judge: false alarms, what is found, and how
/// long it takes.
fn section(calibrated: &Calibrated, level: u8) -> Vec<Part> {
    let Calibrated { approach, server, pvs, date, machine, .. } = calibrated;
    let pvs = grouped(*pvs);
    let mut parts = vec![Part::Text(format!(
        "{approach} connecting {pvs} PVs on {server}, compared with itself and with itself slowed \
         by the harness, on {} ({} cores, {}), {date}.",
        machine.model, machine.cores, machine.system
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
    let name = calibration.alike.metrics.first().map_or("", |metric| metric.metric.as_str());
    let rows = [&calibration.alike, &calibration.alike_centred]
        .into_iter()
        .zip(["alike", "alike, centred"])
        .map(|(redrawn, label)| row(label, redrawn, &redrawn.family.changed))
        .chain(
            calibration
                .slowdowns
                .iter()
                .map(|redrawn| row(&redrawn.label, redrawn, &redrawn.family.regressed)),
        );
    let table = Table {
        columns: vec![
            words("B slower by"),
            number("found"),
            number("interval, %"),
            number("undecided"),
            number("pairs"),
            number("s"),
            number("95 of 100"),
        ],
        rows: rows.collect(),
    };
    vec![Part::Heading(level, name.to_owned()), Part::Table(table), Part::Text(found(calibration))]
}

fn row(label: &str, redrawn: &Redrawn, changed: &Rate) -> Vec<String> {
    vec![
        label.to_owned(),
        part(changed.rate),
        format!("{} .. {}", percent(100.0 * changed.low), percent(100.0 * changed.high)),
        part(redrawn.family.undecided.rate),
        redrawn.pairs.median.to_string(),
        format!("{:.0}", redrawn.seconds_median),
        format!("{:.0}", redrawn.seconds_in_95_of_100),
    ]
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
         intervals. Drawn {} times from {} measured pairs of alike sides and {} of each slowdown, \
         four neighbours at a time; a difference under {} % is no difference.{bias}",
        smallest(calibration.smallest_found.by_estimate),
        smallest(calibration.smallest_found.by_interval),
        grouped(calibration.experiments),
        calibration.alike.measured_pairs,
        calibration.slowdowns.first().map_or(0, |slowed| slowed.measured_pairs),
        percent(100.0 * calibration.rule.tolerance),
    )
}

fn whole(runs: &[WholeRuns]) -> Table {
    let row = |runs: &WholeRuns| {
        let count = |outcome| runs.rate(outcome).hits.to_string();
        vec![
            runs.label.clone(),
            runs.outcomes.len().to_string(),
            count(Change::Regressed),
            count(Change::Improved),
            count(Change::NoDifference),
            count(Change::Undecided),
            format!("{:.0}", median(&runs.seconds)),
            format!("{:.0}", runs.seconds.iter().copied().fold(0.0, f64::max)),
        ]
    };
    Table {
        columns: vec![
            words("B slower by"),
            number("runs"),
            number("regressed"),
            number("improved"),
            number("no difference"),
            number("undecided"),
            number("s"),
            number("longest s"),
        ],
        rows: runs.iter().map(row).collect(),
    }
}

fn part(fraction: f64) -> String {
    format!("{:.1} %", 100.0 * fraction)
}
