//! What became of a figure from run to run.

use super::series::{alike, table, title};
use crate::judge::history::{History, LevelChange, MachineHistory, Series};
use crate::metric::Unit;
use crate::report::document::{
    Chart, CrossingMark, Figure, Line, LineChart, Point, Quantity, Spread, Style, slug,
};
use crate::report::words::{amount, amount_with_range, level_change, run_in_words, unit_name};
use crate::units::quantity;

/// One figure for each metric of each configuration, machines apart.
pub(super) fn all(history: &History) -> Vec<Figure> {
    let several = history.machines.len() > 1;
    let of_machine = |(index, machine): (usize, &MachineHistory)| {
        let place = match several {
            true => format!(", {}", machine.machine.model),
            false => String::new(),
        };
        let styles = Styles::of(machine);
        let of = Drawn { machine, styles, place, index };
        alike(machine).map(|series| figure(series, &of)).collect::<Vec<Figure>>()
    };
    history.machines.iter().enumerate().flat_map(of_machine).collect()
}

/// The approaches of a machine's runs, for their styles.
struct Styles<'a>(Vec<&'a str>);

impl<'a> Styles<'a> {
    fn of(machine: &'a MachineHistory) -> Styles<'a> {
        let mut names: Vec<&str> = machine.series.iter().map(|one| one.approach.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        Styles(names)
    }

    fn style(&self, approach: &str) -> Style {
        Style::Approach(self.0.iter().position(|name| *name == approach).unwrap_or_default())
    }
}

/// What all figures of a machine have in common.
struct Drawn<'a> {
    machine: &'a MachineHistory,
    styles: Styles<'a>,
    place: String,
    index: usize,
}

fn figure(series: &[Series], of: &Drawn<'_>) -> Figure {
    let unit = series.first().map_or(Unit::Count, |one| one.unit);
    let is_above_zero =
        series.iter().flat_map(|one| &one.points).all(|point| point.figure.low > 0.0);
    let title = title(series);
    Figure {
        id: format!("history-{}-{}", of.index, slug(&title)),
        title: format!("{title}{}", of.place),
        summary: summary(series, unit),
        chart: Chart::Lines(LineChart {
            x: Quantity { name: "run", spread: Spread::Linear, format: whole_run },
            y: axis(unit, if is_above_zero { Spread::Log } else { Spread::Linear }),
            lines: series.iter().map(|one| line(one, of)).collect(),
            height: 200.0,
        }),
        table: table(series),
        command: None,
    }
}

/// There is nothing between two runs.
fn whole_run(run: f64) -> String {
    match run.fract() == 0.0 && run > 0.0 {
        true => quantity(run),
        false => String::new(),
    }
}

fn axis(unit: Unit, spread: Spread) -> Quantity {
    match unit {
        Unit::Seconds => Quantity::seconds("time", spread),
        Unit::SecondsPerPv => Quantity::seconds("time per PV", spread),
        Unit::Bytes => Quantity::megabytes("MB", spread),
        Unit::BytesPerMinute => Quantity::megabytes("MB/min", spread),
        unit => Quantity::count(unit_name(unit), spread),
    }
}

fn line(series: &Series, of: &Drawn<'_>) -> Line {
    let points: Vec<Point> = series
        .points
        .iter()
        .map(|point| Point {
            x: (point.run + 1) as f64,
            y: point.figure.median,
            interval: Some((point.figure.low, point.figure.high)),
            tip: format!(
                "{}, {}: {} {}",
                series.approach,
                run_in_words(&of.machine.runs, point.run),
                amount_with_range(series.unit, point),
                unit_name(series.unit)
            ),
        })
        .collect();
    let line = Line::through_points(&series.approach, of.styles.style(&series.approach), points);
    Line { crossing: series.changes.last().map(|change| mark(series, change, of)), ..line }
}

/// The newest change, at its new level from its first run to that which made it certain.
fn mark(series: &Series, change: &LevelChange, of: &Drawn<'_>) -> CrossingMark {
    let at = |run: usize| (run + 1) as f64;
    CrossingMark {
        x: at(change.first_run),
        y: change.after.median,
        interval: (at(change.first_run), at(change.found_run)),
        tip: level_change(of.machine, series, change),
    }
}

fn summary(series: &[Series], unit: Unit) -> String {
    let each: Vec<String> = series
        .iter()
        .filter_map(|one| {
            let (first, last) = (one.points.first()?, one.points.last()?);
            let written = |figure: f64| amount(unit, figure);
            Some(match one.points.len() {
                1 => format!("{} {}", one.approach, written(first.figure.median)),
                _ => format!(
                    "{} {} in run {} and {} in run {}",
                    one.approach,
                    written(first.figure.median),
                    first.run + 1,
                    written(last.figure.median),
                    last.run + 1
                ),
            })
        })
        .collect();
    format!("In {}: {}.", unit_name(unit), each.join("; "))
}
