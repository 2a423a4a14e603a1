//! How the times of single gets are spread, where workers time each.

use super::cells::{Percentile, place};
use super::document::{Part, Table, number, words};
use crate::judge::{Figures, Judgement, Metric, of_most_pvs};
use crate::units::{grouped, scientific};
use crate::worker_protocol::{Mode, Stage};

/// What is told of single gets. Some hundreds have no 99.9 %.
pub(super) const TOLD: [Percentile; 4] = [
    ("median", |spread| spread.p50_ns),
    ("90 %", |spread| spread.p90_ns),
    ("99 %", |spread| spread.p99_ns),
    ("longest", |spread| spread.max_ns),
];

/// A table for each server, of the most PVs connected.
pub(super) fn single_gets_section(judgement: &Judgement) -> Vec<Part> {
    let metric = Metric { stage: Stage::Get, mode: Mode::Serial };
    let mut servers: Vec<&str> =
        judgement.figures.iter().map(|cell| cell.server.as_str()).collect();
    servers.dedup();
    let cells = servers.into_iter().filter_map(|server| {
        let cell = of_most_pvs(&judgement.figures, server, metric)?;
        cell.rows.iter().any(|row| row.each.is_some()).then_some(cell)
    });
    cells.flat_map(section).collect()
}

fn section(cell: &Figures) -> [Part; 3] {
    [
        Part::Heading(
            2,
            format!("single gets: of {} PVs{}", grouped(cell.pvs), place(&cell.server)),
        ),
        Part::Text(
            "Gets one by one, each timed by itself, those of all workers together, in seconds; \
             first what a get takes in all."
                .to_owned(),
        ),
        Part::Table(table(cell)),
    ]
}

/// A row for each approach; dashes for those that do not time each get.
pub(super) fn table(cell: &Figures) -> Table {
    let rows = cell.rows.iter().map(|row| {
        let told = |(_, of): &Percentile| {
            row.each.as_ref().map_or("-".to_owned(), |each| scientific(of(each) as f64 / 1e9))
        };
        let count = row.each.as_ref().map_or("-".to_owned(), |each| each.count.to_string());
        let mut cells = vec![row.approach.clone(), scientific(row.figure_s.median), count];
        cells.extend(TOLD.iter().map(told));
        cells
    });
    let names = TOLD.iter().map(|(name, _)| number(name));
    Table {
        columns: [words("approach"), number("s per PV"), number("gets")]
            .into_iter()
            .chain(names)
            .collect(),
        rows: rows.collect(),
    }
}
