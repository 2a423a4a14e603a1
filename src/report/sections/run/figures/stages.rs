//! Where the time of a worker goes: its stages, one after the other.

use super::command::Command;
use crate::record::{Record, RunRecords, Sample, Scenario};
use crate::report::document::{
    Bar, BarChart, Chart, Columns, Figure, Quantity, Segment, Spread, Table, slug,
};
use crate::report::words::place;
use crate::stats::median;
use crate::units::{counted, duration, grouped, quantity};
use crate::worker_protocol::{Mode, Stage};

/// What is drawn: what a worker does before it subscribes.
const STAGES: &[Stage] = Stage::ALL.split_at(8).0;

/// A stage of an approach: median seconds and CPU seconds over blocks.
struct Part {
    stage: Stage,
    seconds: f64,
    cpu_s: f64,
    pvs: usize,
}

/// One figure for each server, of the most PVs that were connected in bulk; by UDP where
/// they were found by both lookups.
pub(super) fn figures(run: &RunRecords) -> Vec<Figure> {
    let is_bulk = |record: &&Record| {
        (record.scenario, record.mode) == (Scenario::Connect, Mode::Bulk)
            && !record.confirms
            && record.failure.is_none()
    };
    let records: Vec<&Record> = run.records.iter().filter(is_bulk).collect();
    let mut servers: Vec<&str> = records.iter().map(|record| record.server.as_str()).collect();
    servers.sort_unstable();
    servers.dedup();
    servers
        .into_iter()
        .filter_map(|server| {
            let own = records.iter().filter(|record| record.server == server);
            let pvs = own.clone().map(|record| record.pvs).max()?;
            let own = own.filter(|record| record.pvs == pvs);
            let lookup = own.clone().map(|record| record.lookup).min()?;
            let own: Vec<&Record> = own.filter(|record| record.lookup == lookup).copied().collect();
            Some(figure(run, server, pvs, &own))
        })
        .collect()
}

fn figure(run: &RunRecords, server: &str, pvs: usize, records: &[&Record]) -> Figure {
    let measured: Vec<(&str, Vec<Part>)> = run
        .run
        .approaches
        .iter()
        .map(|facts| (facts.name.as_str(), parts(records, &facts.name)))
        .filter(|(_, parts)| !parts.is_empty())
        .collect();
    let bars = measured.iter().map(|(approach, parts)| bar(approach, parts)).collect();
    let is_drawn = |stage: Stage| {
        measured.iter().any(|(_, parts)| parts.iter().any(|part| part.stage == stage))
    };
    let kinds = STAGES.iter().enumerate().filter(|(_, stage)| is_drawn(**stage));
    let command =
        Command::of(run, Scenario::Connect).server(server).pvs(vec![pvs]).mode(Mode::Bulk);
    Figure {
        id: format!("stages-{}", slug(server)),
        title: format!("Where the time goes: {} in bulk{}", counted(pvs, "PV"), place(server)),
        summary: summary(&measured),
        chart: Chart::Bars(BarChart {
            x: Quantity::seconds("time of one worker", Spread::Linear),
            bars,
            kinds: kinds.map(|(kind, stage)| (kind, stage.to_string())).collect(),
        }),
        table: table(&measured),
        command: Some(command.to_string()),
    }
}

fn parts(records: &[&Record], approach: &str) -> Vec<Part> {
    let own = || records.iter().filter(|record| record.approach == approach);
    STAGES
        .iter()
        .filter_map(|&stage| {
            let is_stage = |sample: &&Sample| sample.stage == stage && sample.mode == Mode::Bulk;
            let samples: Vec<&Sample> =
                own().filter_map(|record| record.samples.iter().find(is_stage)).collect();
            let medians = |of: fn(&Sample) -> u64| {
                median(&samples.iter().map(|one| of(one) as f64 / 1e9).collect::<Vec<f64>>())
            };
            Some(Part {
                stage,
                pvs: samples.first()?.pvs,
                seconds: medians(|one| one.end_ns.saturating_sub(one.start_ns)),
                cpu_s: medians(|one| one.cpu_ns),
            })
        })
        .collect()
}

fn bar(approach: &str, parts: &[Part]) -> Bar {
    let segments = parts
        .iter()
        .map(|part| Segment {
            kind: STAGES.iter().position(|stage| *stage == part.stage).unwrap_or_default(),
            length: part.seconds,
            tip: format!(
                "{approach}, {}: {}\n{} of CPU time",
                part.stage,
                duration(part.seconds),
                duration(part.cpu_s)
            ),
        })
        .collect();
    Bar { name: approach.to_owned(), segments }
}

fn summary(measured: &[(&str, Vec<Part>)]) -> String {
    let longest = |parts: &[Part]| {
        let most = parts.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds))?;
        Some(format!("{} ({})", most.stage, duration(most.seconds)))
    };
    let each: Vec<String> = measured
        .iter()
        .filter_map(|(approach, parts)| Some(format!("{approach}: {}", longest(parts)?)))
        .collect();
    format!(
        "The stages of a worker one after the other, medians over blocks. Longest stage of each: \
         {}. Where an approach creates and connects in one call, that is connect.",
        each.join(", ")
    )
}

fn table(measured: &[(&str, Vec<Part>)]) -> Table {
    let rows = measured
        .iter()
        .flat_map(|(approach, parts)| parts.iter().map(move |part| (*approach, part)));
    Columns::of(rows)
        .words("approach", |(approach, _)| (*approach).to_owned())
        .words("stage", |(_, part)| part.stage.to_string())
        .number("PVs", |(_, part)| match part.pvs {
            0 => "-".to_owned(),
            pvs => grouped(pvs),
        })
        .number("ms", |(_, part)| quantity(1e3 * part.seconds))
        .number("ms of CPU time", |(_, part)| quantity(1e3 * part.cpu_s))
        .table()
}
