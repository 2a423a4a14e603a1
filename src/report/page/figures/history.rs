//! What became of a figure from run to run.

use super::{Figure, axes, drawn, slug};
use crate::judge::history::{History, MachineHistory, Series};
use crate::judge::worker_figures::FigureUnit;
use crate::report::history::{alike, amount, in_words, table, what, with_range};
use crate::report::page::chart::{Line, LineChart, Point, Quantity, Spread, Style};
use crate::units::{mebibytes, quantity};

/// One figure for each metric of each cell, machines apart.
pub(super) fn figures(history: &History) -> Vec<Figure> {
    let several = history.machines.len() > 1;
    let of_machine = |(index, machine): (usize, &MachineHistory)| {
        let place = match several {
            true => format!(", {}", machine.machine.model),
            false => String::new(),
        };
        let styles = Names::of(machine);
        alike(machine).map(|series| figure(series, &styles, &place, index)).collect::<Vec<Figure>>()
    };
    history.machines.iter().enumerate().flat_map(of_machine).collect()
}

/// The approaches of a machine's runs, for their styles.
struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    fn of(machine: &'a MachineHistory) -> Names<'a> {
        let mut names: Vec<&str> = machine.series.iter().map(|one| one.approach.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        Names(names)
    }

    fn style(&self, approach: &str) -> Style {
        Style::Approach(self.0.iter().position(|name| *name == approach).unwrap_or_default())
    }
}

fn figure(series: &[Series], names: &Names<'_>, place: &str, machine: usize) -> Figure {
    let unit = series.first().map_or(FigureUnit::Count, |one| one.unit);
    let is_above_zero =
        series.iter().flat_map(|one| &one.points).all(|point| point.figure.low > 0.0);
    let chart = LineChart {
        x: Quantity {
            name: "run",
            spread: Spread::Linear,
            told: |run| match run.fract() == 0.0 && run > 0.0 {
                true => quantity(run),
                false => String::new(),
            },
        },
        y: axis(unit, if is_above_zero { Spread::Log } else { Spread::Linear }),
        lines: series.iter().map(|one| line(one, names)).collect(),
        height: 200.0,
    };
    let title = format!("{}{place}", what(series));
    let says = says(series, unit);
    Figure {
        id: format!("history-{machine}-{}", slug(&what(series))),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(series),
        command: None,
        title,
        says,
    }
}

fn axis(unit: FigureUnit, spread: Spread) -> Quantity {
    match unit {
        FigureUnit::Seconds => axes::seconds("time", spread),
        FigureUnit::SecondsPerPv => axes::seconds("time per PV", spread),
        FigureUnit::Bytes => Quantity { name: "MiB", spread, told: mebibytes },
        unit => axes::count(in_words(unit), spread),
    }
}

fn line(series: &Series, names: &Names<'_>) -> Line {
    let points: Vec<Point> = series
        .points
        .iter()
        .map(|point| Point {
            x: (point.run + 1) as f64,
            y: point.figure.median,
            interval: Some((point.figure.low, point.figure.high)),
            tip: format!(
                "{}, run {}: {} {}",
                series.approach,
                point.run + 1,
                with_range(series.unit, point),
                in_words(series.unit)
            ),
        })
        .collect();
    Line {
        name: series.approach.clone(),
        style: names.style(&series.approach),
        through: points.iter().map(|point| (point.x, point.y)).collect(),
        points,
        dashed: false,
    }
}

fn says(series: &[Series], unit: FigureUnit) -> String {
    let each: Vec<String> = series
        .iter()
        .filter_map(|one| {
            let (first, last) = (one.points.first()?, one.points.last()?);
            let told = |figure: f64| amount(unit, figure);
            Some(match one.points.len() {
                1 => format!("{} {}", one.approach, told(first.figure.median)),
                _ => format!(
                    "{} {} in run {} and {} in run {}",
                    one.approach,
                    told(first.figure.median),
                    first.run + 1,
                    told(last.figure.median),
                    last.run + 1
                ),
            })
        })
        .collect();
    format!("In {}: {}.", in_words(unit), each.join("; "))
}
