//! Faults: the matrix of approaches and faults in colours, and for each fault the updates of
//! every approach over time.

use std::collections::BTreeMap;

use super::super::faults::{amount, approaches, faults, servers};
use super::command::Command;
use super::styles::Styles;
use crate::judge::{FaultCell, FaultState, Judgement};
use crate::record::{Record, RunRecords, Scenario, Timeline};
use crate::report::document::{
    Chart, Columns, Figure, HeatCell, HeatMap, Line, LineChart, Point, Quantity, Spread, Table,
    slug,
};
use crate::scenario::{FAULTS, fault};

/// An approach with its updates over time.
type Drawn<'a> = (&'a str, &'a Timeline);

pub(super) fn figures(run: &RunRecords, judgement: &Judgement, styles: &Styles<'_>) -> Vec<Figure> {
    let mut figures: Vec<Figure> =
        servers(&judgement.faults).iter().map(|server| matrix(run, judgement, server)).collect();
    for (server, name) in timelines(run) {
        let records = first_records(run, server, name);
        let drawn: Vec<Drawn<'_>> = records
            .iter()
            .filter_map(|record| {
                Some((record.approach.as_str(), record.fault.as_ref()?.timeline.as_ref()?))
            })
            .collect();
        figures.extend(timeline(run, server, name, &records, &drawn, styles));
    }
    figures
}

fn matrix(run: &RunRecords, judgement: &Judgement, server: &str) -> Figure {
    let own: Vec<&FaultCell> =
        judgement.faults.iter().filter(|cell| cell.server == server).collect();
    let (rows, columns) = (approaches(&own), faults(&own));
    let cell = |cell: &&FaultCell| {
        let part = match cell.state {
            FaultState::Ok => Some(0.0),
            FaultState::Warn => Some(0.5),
            FaultState::Fail => Some(1.0),
            FaultState::Unable => None,
        };
        let words: String = amount(cell).chars().take(6).collect();
        let tip = format!("{}, {}\n{}", cell.approach, cell.fault, cell.problems.join("\n"));
        Some(HeatCell {
            column: columns.iter().position(|name| *name == cell.fault)?,
            row: rows.iter().position(|name| *name == cell.approach)?,
            part,
            words,
            tip: tip.trim_end().to_owned(),
        })
    };
    let failed = own.iter().filter(|cell| cell.state == FaultState::Fail).count();
    Figure {
        id: format!("faults-{}", slug(server)),
        title: format!("Approaches and faults on {server}"),
        summary: format!(
            "Green: every limit holds. Red: a limit is broken. {failed} of {} fields are red.",
            own.len()
        ),
        chart: Chart::Heat(HeatMap {
            across: "fault",
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            down: "approach",
            rows: rows.iter().map(|name| (*name).to_owned()).collect(),
            cells: own.iter().filter_map(cell).collect(),
        }),
        table: table_of_matrix(&own),
        command: Some(Command::of(run, Scenario::Faults).server(server).to_string()),
    }
}

fn table_of_matrix(own: &[&FaultCell]) -> Table {
    let state = |cell: &FaultCell| match cell.state {
        FaultState::Ok => "ok",
        FaultState::Warn => "warn",
        FaultState::Fail => "FAIL",
        FaultState::Unable => "unable",
    };
    let or_dash = |text: String| if text.is_empty() { "-".to_owned() } else { text };
    Columns::of(own.iter().copied())
        .words("approach", |cell| cell.approach.clone())
        .words("fault", |cell| cell.fault.clone())
        .words("state", |cell| state(cell).to_owned())
        .words("figure", |cell| or_dash(cell.metric.map_or(String::new(), |one| one.to_string())))
        .number("value", |cell| or_dash(amount(cell)))
        .table()
}

/// The servers and faults of which there are timelines, in the order of reports.
fn timelines(run: &RunRecords) -> Vec<(&str, &'static str)> {
    let mut all = BTreeMap::new();
    for record in &run.records {
        let Some(own) = record.fault.as_deref().filter(|own| own.timeline.is_some()) else {
            continue;
        };
        if let Some(place) = FAULTS.iter().position(|fault| fault.name == own.name) {
            all.insert((place, record.server.as_str()), FAULTS[place].name);
        }
    }
    all.into_iter().map(|((_, server), name)| (server, name)).collect()
}

/// Of the first block of each approach.
fn first_records<'a>(run: &'a RunRecords, server: &str, name: &str) -> Vec<&'a Record> {
    let is_own = |record: &&Record| {
        record.server == server && record.fault.as_ref().is_some_and(|own| own.name == name)
    };
    let first = |approach: &str| {
        let mut own = run.records.iter().filter(is_own);
        own.find(|record| record.approach == approach)
    };
    run.run.approaches.iter().filter_map(|facts| first(&facts.name)).collect()
}

fn timeline(
    run: &RunRecords,
    server: &str,
    name: &str,
    records: &[&Record],
    drawn: &[Drawn<'_>],
    styles: &Styles<'_>,
) -> Option<Figure> {
    let slice_s = drawn.first()?.1.slice_s;
    let away = records.iter().find_map(|record| record.fault.as_ref()?.away.last());
    let away = away
        .map_or(String::new(), |away| format!(" The IOC was away until {:.1} s.", away.until_s));
    let command = Command::of(run, Scenario::Faults).server(server).option("--fault", name);
    let about = fault(name).ok()?.about;
    Some(Figure {
        id: format!("fault-{}-{}", slug(name), slug(server)),
        title: format!("Updates during {name} on {server}: {about}"),
        summary: format!(
            "Updates in each slice of {slice_s} s. Marks: the library reports the disconnect, and \
             the last PV is back.{away}"
        ),
        chart: Chart::Lines(LineChart {
            x: Quantity::count("seconds", Spread::Linear),
            y: Quantity::count("updates", Spread::Linear),
            lines: drawn.iter().map(|one| line(*one, styles)).collect(),
            height: 220.0,
        }),
        table: table_of_timeline(drawn),
        command: Some(command.to_string()),
    })
}

fn line((approach, timeline): Drawn<'_>, styles: &Styles<'_>) -> Line {
    let at = |at_s: f64| {
        let slice = (at_s / timeline.slice_s) as usize;
        timeline.updates.get(slice).copied().unwrap_or(0) as f64
    };
    let mark = |at_s: Option<f64>, what: &str| {
        at_s.map(|x| Point {
            x,
            y: at(x),
            interval: None,
            tip: format!("{approach}: {what} at {x:.1} s"),
        })
    };
    let marks = [
        mark(timeline.disconnected_s, "disconnect reported"),
        mark(timeline.recovered_s, "last PV back"),
    ];
    let through = timeline.updates.iter().enumerate();
    Line {
        through: through
            .map(|(slice, count)| (slice as f64 * timeline.slice_s, *count as f64))
            .collect(),
        ..Line::through_points(
            approach,
            styles.style(approach),
            marks.into_iter().flatten().collect(),
        )
    }
}

fn table_of_timeline(drawn: &[Drawn<'_>]) -> Table {
    let seconds = |at_s: Option<f64>| at_s.map_or("-".to_owned(), |at_s| format!("{at_s:.2}"));
    let counts = |timeline: &Timeline| {
        let words: Vec<String> = timeline.updates.iter().map(u64::to_string).collect();
        words.join(" ")
    };
    Columns::of(drawn.iter().copied())
        .words("approach", |(approach, _)| (*approach).to_owned())
        .number("disconnect s", |(_, timeline)| seconds(timeline.disconnected_s))
        .number("last PV back s", |(_, timeline)| seconds(timeline.recovered_s))
        .words("updates of each slice", |(_, timeline)| counts(timeline))
        .table()
}
