//! OpenMetrics text (<https://github.com/prometheus/OpenMetrics>, version 1.0.0): a gauge for
//! each metric, with the unit that its name ends in.

use std::fmt::Write as _;

use super::place;
use crate::judge::history::{RunFigure, RunFigures};
use crate::metric::{Metric, Unit, rows};

/// All figures; none where there is none.
pub(super) fn written(run: &RunFigures) -> Option<String> {
    if run.figures.is_empty() {
        return None;
    }
    let mut text = info(run);
    for row in rows() {
        let own: Vec<&RunFigure> =
            run.figures.iter().filter(|one| one.metric == row.metric).collect();
        if !own.is_empty() {
            text += &family(row.metric, &own);
        }
    }
    Some(text + "# EOF\n")
}

/// What is known of the run, as labels of a sample that is always 1.
fn info(run: &RunFigures) -> String {
    let revision = run.run.revision.as_ref();
    let branch = revision.and_then(|revision| revision.branch.as_deref());
    let labels = labels(&[
        ("version", &run.run.version),
        ("base", &run.run.base),
        ("commit", revision.map_or("", |revision| &revision.commit)),
        ("branch", branch.unwrap_or_default()),
        ("machine", &run.machine.model),
        ("started", &run.run.started_utc),
    ]);
    format!(
        "# TYPE epics_gauge_run info\n# HELP epics_gauge_run What was run, and where.\n\
         epics_gauge_run_info{labels} 1\n"
    )
}

/// The samples of a metric stand together, as the format demands.
fn family(metric: Metric, figures: &[&RunFigure]) -> String {
    let name = family_name(metric);
    let mut text = format!("# TYPE {name} gauge\n");
    let unit = unit_name(metric.unit());
    if !unit.is_empty() {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
    let _ = writeln!(text, "# HELP {name} {}", escaped(metric.row().about));
    for figure in figures {
        let bounds = [
            ("median", figure.figure.median),
            ("low", figure.figure.low),
            ("high", figure.figure.high),
        ];
        for (bound, value) in bounds {
            let labels = labels(&[
                ("approach", &figure.approach),
                ("server", &figure.configuration.server),
                ("scenario", figure.configuration.scenario.name()),
                ("configuration", &place(figure)),
                ("bound", bound),
            ]);
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    }
    text
}

/// Letters, digits and underscores, with the unit at the end.
fn family_name(metric: Metric) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let words: String = metric.name().chars().map(letter).collect();
    match unit_name(metric.unit()) {
        "" => format!("epics_gauge_{words}"),
        unit => format!("epics_gauge_{words}_{unit}"),
    }
}

fn unit_name(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "seconds",
        Unit::SecondsPerPv => "seconds_per_pv",
        Unit::PercentOfACore => "percent_of_a_core",
        Unit::Percent => "percent",
        Unit::Bytes => "bytes",
        Unit::BytesPerPv => "bytes_per_pv",
        Unit::BytesPerMinute => "bytes_per_minute",
        Unit::Hertz => "hertz",
        Unit::Count => "",
        Unit::CountPerPv => "per_pv",
    }
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let each: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", each.join(","))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own() {
        let mut seen = HashSet::new();
        for row in rows() {
            let name = family_name(row.metric);
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{name}");
            // An info and a gauge end in what OpenMetrics keeps for other types otherwise.
            let kept = ["_total", "_created", "_count", "_sum", "_bucket", "_info"];
            assert!(!kept.iter().any(|suffix| name.ends_with(suffix)), "{name}");
            assert!(seen.insert(name.clone()), "{name} twice");
        }
    }

    #[test]
    fn what_would_end_a_label_is_escaped() {
        assert_eq!(labels(&[("a", "x\"y\\z\n")]), "{a=\"x\\\"y\\\\z\\n\"}");
    }
}
