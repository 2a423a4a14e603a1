//! How the times of single gets are spread, where workers time each.

use crate::judge::{Figures, Judgement, of_most_pvs};
use crate::metric::Timed;
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{SINGLE_GETS, or_dash, place};
use crate::units::{counted, microseconds};
use crate::worker_protocol::{Mode, Stage};

/// A table for each server, of the most PVs connected.
pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    let metric = Timed { stage: Stage::Get, mode: Mode::Serial };
    let mut servers: Vec<&str> =
        judgement.figures.iter().map(|configuration| configuration.server.as_str()).collect();
    servers.dedup();
    let configurations = servers.into_iter().filter_map(|server| {
        let configuration = of_most_pvs(&judgement.figures, server, metric)?;
        configuration.rows.iter().any(|row| row.each.is_some()).then_some(configuration)
    });
    configurations.flat_map(of_configuration).collect()
}

fn of_configuration(configuration: &Figures) -> [Part; 3] {
    [
        Part::Heading(
            2,
            format!(
                "single gets: of {}{}",
                counted(configuration.pvs, "PV"),
                place(&configuration.server)
            ),
        ),
        Part::Text(
            "Gets one by one, each timed by itself, those of all workers together, in µs; \
             first the time of all of them per get."
                .to_owned(),
        ),
        Part::Table(table(configuration)),
    ]
}

/// A row for each approach; dashes for those that do not time each get.
pub(super) fn table(configuration: &Figures) -> Table {
    Columns::of(&configuration.rows)
        .words("approach", |row| row.approach.clone())
        .number("µs/PV", |row| microseconds(row.figure_s.median))
        .number("gets", |row| or_dash(row.each.as_ref(), |each| each.count.to_string()))
        .numbers(SINGLE_GETS, |row, of| {
            or_dash(row.each.as_ref(), |each| microseconds(of(each) as f64 / 1e9))
        })
        .table()
}
