//! What faults did: a matrix of approaches and faults, and what broke its limit.

use crate::judge::{FaultCell, FaultState, Judgement};
use crate::report::document::{Columns, Part};
use crate::scenario::{FAULTS, USUAL_SERVER};
use crate::units::counted;

pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    servers(&judgement.faults).into_iter().flat_map(|server| on(judgement, server)).collect()
}

const EXPLAINED: &str = "One figure for each approach and fault: where a limit is broken that \
                         figure, else the time to recover, to disconnect, to close or to put, or \
                         the updates lost. FAIL: a limit broken, or the worker failed. warn: \
                         broken as expected, or undecided. -: not measured.";

fn on(judgement: &Judgement, server: &str) -> Vec<Part> {
    let own: Vec<&FaultCell> =
        judgement.faults.iter().filter(|cell| cell.server == server).collect();
    let place = if server == USUAL_SERVER { String::new() } else { format!(" on {server}") };
    let mut columns = Columns::of(approaches(&own)).words("approach", |one| (*one).to_owned());
    for fault in faults(&own) {
        columns = columns.number(fault, |approach| {
            let cell = own.iter().find(|cell| cell.fault == fault && cell.approach == **approach);
            cell.map_or("-".to_owned(), |cell| words(cell))
        });
    }
    let mut parts = vec![
        Part::Heading(2, format!("faults{place}")),
        Part::Text(EXPLAINED.to_owned()),
        Part::Table(columns.table()),
    ];
    let problems = problems(&own);
    if !problems.is_empty() {
        parts.push(Part::List(problems));
    }
    parts
}

/// The servers, in the order of the cells.
pub(super) fn servers(cells: &[FaultCell]) -> Vec<&str> {
    let mut servers: Vec<&str> = Vec::new();
    for cell in cells {
        if !servers.contains(&cell.server.as_str()) {
            servers.push(&cell.server);
        }
    }
    servers
}

/// The approaches of these cells, in the order of the catalogue.
pub(super) fn approaches<'a>(cells: &[&'a FaultCell]) -> Vec<&'a str> {
    let mut approaches: Vec<&str> = Vec::new();
    for cell in cells {
        if !approaches.contains(&cell.approach.as_str()) {
            approaches.push(&cell.approach);
        }
    }
    approaches
}

/// The faults that these cells have, in the order of the table of faults.
pub(super) fn faults(cells: &[&FaultCell]) -> Vec<&'static str> {
    let has = |name: &&str| cells.iter().any(|cell| cell.fault == *name);
    FAULTS.iter().map(|fault| fault.name).filter(has).collect()
}

fn words(cell: &FaultCell) -> String {
    let figure = amount(cell);
    match (cell.state, figure.as_str()) {
        (FaultState::Ok, "") => "ok".to_owned(),
        (FaultState::Ok, figure) => figure.to_owned(),
        (FaultState::Warn, figure) => format!("warn {figure}").trim_end().to_owned(),
        (FaultState::Fail, figure) => format!("FAIL {figure}").trim_end().to_owned(),
        (FaultState::Unable, _) => "-".to_owned(),
    }
}

/// The figure with its unit; empty where there is none.
pub(super) fn amount(cell: &FaultCell) -> String {
    let amount = cell.metric.zip(cell.figure);
    amount.map_or(String::new(), |(metric, figure)| metric.unit().amount(figure))
}

/// What broke its limit, or was not tried, a line for each approach and fault.
fn problems(cells: &[&FaultCell]) -> Vec<String> {
    let line = |cell: &&&FaultCell| {
        format!("{}, {}: {}", cell.approach, cell.fault, cell.problems.join("; "))
    };
    cells.iter().filter(|cell| !cell.problems.is_empty()).map(|cell| line(&cell)).collect()
}

/// How many approaches come through every fault, on each server.
pub(super) fn statements(judgement: &Judgement) -> Vec<String> {
    let statement = |server: &str| {
        let own: Vec<&FaultCell> =
            judgement.faults.iter().filter(|cell| cell.server == server && !cell.floor).collect();
        let all = approaches(&own);
        let fails = |approach: &&&str| {
            let is_failed =
                |cell: &&FaultCell| cell.approach == **approach && cell.state == FaultState::Fail;
            own.iter().any(is_failed)
        };
        let failing: Vec<&str> = all.iter().filter(fails).copied().collect();
        let faults = counted(faults(&own).len(), "fault");
        (!all.is_empty()).then(|| match &failing[..] {
            [] => format!("On {server} every approach comes through {faults}."),
            failing => format!(
                "On {server} {} of {} approaches break a limit, or fail, in {faults}: {}.",
                failing.len(),
                all.len(),
                failing.join(", ")
            ),
        })
    };
    servers(&judgement.faults).into_iter().filter_map(statement).collect()
}
