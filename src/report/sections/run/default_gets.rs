//! Ordinary gets: what they take, what they ask for, and what comes from a cache.

use crate::judge::{DefaultGets, Figures, Judgement, Row, of_most_pvs};
use crate::metric::Timed;
use crate::record::RunRecords;
use crate::report::document::{Columns, Part};
use crate::report::words::{or_dash, place};
use crate::units::{counted, duration, microseconds, percent, quantity};
use crate::worker_protocol::{Mode, Stage};

const STAGES: [(Stage, &str); 2] =
    [(Stage::GetDefault, "first"), (Stage::GetDefaultAgain, "again")];

/// A table for each server, of the most PVs connected.
pub(super) fn section(run: &RunRecords, judgement: &Judgement) -> Vec<Part> {
    let mut servers: Vec<&str> =
        judgement.figures.iter().map(|configuration| configuration.server.as_str()).collect();
    servers.dedup();
    servers.into_iter().flat_map(|server| of_server(run, judgement, server)).collect()
}

/// One ordinary get of one approach.
struct Line<'a> {
    which: &'static str,
    row: &'a Row,
    seen: &'a DefaultGets,
    call: &'a str,
}

fn of_server(run: &RunRecords, judgement: &Judgement, server: &str) -> Vec<Part> {
    let configurations = STAGES.map(|(stage, which)| {
        let metric = Timed { stage, mode: Mode::Serial };
        of_most_pvs(&judgement.figures, server, metric).map(|configuration| (which, configuration))
    });
    let [Some(first), Some(again)] = configurations else { return Vec::new() };
    let approaches = first.1.rows.iter().map(|row| row.approach.as_str());
    let lines: Vec<Line<'_>> = approaches
        .flat_map(|approach| {
            [first, again].map(|(which, configuration)| line(run, configuration, which, approach))
        })
        .flatten()
        .collect();
    let heading = format!("ordinary gets: of {}{}", counted(first.1.pvs, "PV"), place(server));
    let table = Columns::of(&lines)
        .words("approach", |line| line.row.approach.clone())
        .words("get", |line| line.which.to_owned())
        .number("µs/PV", |line| microseconds(line.row.figure_s.median))
        .number("sent", |line| or_dash(line.seen.sent_bytes, quantity))
        .number("received", |line| or_dash(line.seen.received_bytes, quantity))
        .number("monitors", |line| or_dash(line.seen.monitors, quantity))
        .number("from cache", |line| percent(line.seen.from_cache_percent))
        .number("outdated by", |line| match line.seen.outdated_s > 0.0 {
            true => duration(line.seen.outdated_s),
            false => "-".to_owned(),
        })
        .table();
    let is_first = |line: &&Line<'_>| line.which == STAGES[0].1;
    let calls = Columns::of(lines.iter().filter(is_first))
        .words("approach", |line| line.row.approach.clone())
        .words("ordinary get", |line| line.call.to_owned())
        .table();
    let text = "The library's ordinary get with its defaults, one PV after another, first and \
                again; all values change before each. Bytes over TCP and monitors open are per \
                PV; a plain get sends 16 bytes and receives 24 over Channel Access. *from cache* \
                is the part of the values, in %, that the client did not ask for or that were no \
                longer the server's; *outdated by* is for how long.";
    vec![
        Part::Heading(2, heading),
        Part::Text(text.to_owned()),
        Part::Table(table),
        Part::Table(calls),
    ]
}

fn line<'a>(
    run: &'a RunRecords,
    configuration: &'a Figures,
    which: &'static str,
    approach: &str,
) -> Option<Line<'a>> {
    let row = configuration.rows.iter().find(|row| row.approach == approach)?;
    let facts = run.run.approaches.iter().find(|facts| facts.name == approach);
    let call = facts.and_then(|facts| facts.default_get.as_deref()).unwrap_or_default();
    Some(Line { which, row, seen: row.default_get.as_ref()?, call })
}
