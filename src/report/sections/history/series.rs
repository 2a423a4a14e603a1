//! Series of one metric in one configuration, which differ in their approach.

use crate::judge::history::{MachineHistory, Point, Series};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{amount, point_range, unit_name};
use crate::scenario::Words;

/// The series of each metric in each configuration.
pub(super) fn alike(history: &MachineHistory) -> impl Iterator<Item = &[Series]> {
    history.series.chunk_by(|one, other| {
        one.configuration == other.configuration && one.metric == other.metric
    })
}

/// What such series are of, in words.
pub(super) fn title(alike: &[Series]) -> String {
    let first = alike.first();
    first.map_or(String::new(), |one| {
        format!("{} of {}", one.metric, one.configuration.in_words(Words::Full))
    })
}

/// A table of each metric in each configuration.
pub(super) fn tables(history: &MachineHistory) -> Vec<Part> {
    alike(history)
        .flat_map(|alike| [Part::Heading(3, title(alike)), Part::Table(table(alike))])
        .collect()
}

/// One run of one series.
struct Run<'a> {
    series: &'a Series,
    point: &'a Point,
    is_first: bool,
    is_last: bool,
}

/// Rows are runs, so that any number of them fits.
pub(super) fn table(alike: &[Series]) -> Table {
    let runs = alike.iter().flat_map(|series| {
        series.points.iter().enumerate().map(move |(index, point)| Run {
            series,
            point,
            is_first: index == 0,
            is_last: index + 1 == series.points.len(),
        })
    });
    let unit = alike.first().map_or("", |series| unit_name(series.unit));
    Columns::of(runs)
        .words("approach", |run| match run.is_first {
            true => run.series.approach.clone(),
            false => String::new(),
        })
        .number("run", |run| (run.point.run + 1).to_string())
        .number(unit, |run| amount(run.series.unit, run.point.figure.median))
        .number("interval", |run| point_range(run.series.unit, run.point))
        .number("blocks", |run| run.point.figure.samples.to_string())
        .words("than before", |run| match run.series.last_change.filter(|_| run.is_last) {
            Some(change) if change.is_worse => "worse".to_owned(),
            Some(_) => "better".to_owned(),
            None => String::new(),
        })
        .table()
}
