//! A CSV file for Apache Otava: a row for each run with the column of its time, attributes,
//! and a column for each figure (its docs/CSV.md).

use super::place;
use crate::judge::history::{RunFigure, RunFigures};

/// The attributes, before the figures.
const ATTRIBUTES: [&str; 3] = ["commit", "branch", "run"];

/// The figures that every run has, in the order of time: Otava takes no empty cell. None
/// where there is none.
pub(super) fn written(runs: &[RunFigures]) -> Option<String> {
    let mut runs: Vec<&RunFigures> = runs.iter().collect();
    runs.sort_by(|a, b| a.run.started_utc.cmp(&b.run.started_utc));
    let first = runs.first()?;
    let names: Vec<String> = first.figures.iter().map(name).collect();
    let in_all = |name: &&String| runs.iter().all(|run| value(run, name).is_some());
    let names: Vec<&String> = names.iter().filter(in_all).collect();
    if names.is_empty() {
        return None;
    }
    let mut writer = csv::Writer::from_writer(Vec::new());
    let columns = ["time"].into_iter().chain(ATTRIBUTES);
    writer.write_record(columns.chain(names.iter().map(|name| name.as_str()))).ok()?;
    for run in runs {
        let revision = run.run.revision.as_ref();
        let commit = revision.map_or(String::new(), |revision| revision.commit.clone());
        let branch = revision.and_then(|revision| revision.branch.clone()).unwrap_or_default();
        let attributes = [run.run.started_utc.clone(), commit, branch, run.run.name.clone()];
        let values = names.iter().filter_map(|name| Some(value(run, name)?.to_string()));
        writer.write_record(attributes.into_iter().chain(values)).ok()?;
    }
    String::from_utf8(writer.into_inner().ok()?).ok()
}

fn name(figure: &RunFigure) -> String {
    format!("{} {}", place(figure), figure.metric)
}

fn value(run: &RunFigures, name: &str) -> Option<f64> {
    let named = run.figures.iter().find(|figure| self::name(figure) == name);
    named.map(|figure| figure.figure.median)
}
