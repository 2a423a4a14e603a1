//! Connecting to many IOCs: a table for each way to find PVs.

use crate::judge::{Judgement, ManyIocsGrowth, ManyIocsRow};
use crate::lookup::Lookup;
use crate::record::{FailureKind, SearchesCounted};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{
    difference, factor, joint_explained, or_dash, pvs_on_iocs, with_joint_mark,
};
use crate::scenario::USUAL_SERVER;
use crate::units::{grouped, microseconds};

pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    let of_kind = |kind| of_kind(judgement, kind);
    kinds(&judgement.many_iocs).into_iter().flat_map(of_kind).collect()
}

/// The ways to find PVs, and of which server their IOCs are, in the order of the rows.
pub(super) fn kinds(rows: &[ManyIocsRow]) -> Vec<(Lookup, &str)> {
    let mut kinds: Vec<(Lookup, &str)> = rows.iter().map(kind_of).collect();
    kinds.dedup();
    kinds
}

pub(super) fn kind_of(row: &ManyIocsRow) -> (Lookup, &str) {
    (row.lookup, &row.server)
}

/// Such as `UDP` or, on IOCs of another server than usual, `UDP on softioc-pva`.
pub(super) fn found_by((lookup, server): (Lookup, &str)) -> String {
    if server == USUAL_SERVER { lookup.to_string() } else { format!("{lookup} on {server}") }
}

fn of_kind(judgement: &Judgement, kind: (Lookup, &str)) -> Vec<Part> {
    let is_own = |row: &&ManyIocsRow| kind_of(row) == kind;
    let rows: Vec<&ManyIocsRow> = judgement.many_iocs.iter().filter(is_own).collect();
    let mut parts = vec![
        Part::Heading(2, format!("many-iocs: PVs found by {}", found_by(kind))),
        Part::Text(EXPLAINED_COSTS.to_owned()),
        Part::Table(costs(&rows, &judgement.many_iocs_growth)),
    ];
    let has_joint = rows.iter().any(|row| is_joint(row));
    parts.extend(joint_explained(has_joint).map(Part::Text));
    let known: Vec<String> = rows.iter().filter_map(|row| known_beforehand(row)).collect();
    if !known.is_empty() {
        parts.push(Part::List(known));
    }
    let connected: Vec<&ManyIocsRow> =
        rows.iter().filter(|row| row.cost_s.is_some()).copied().collect();
    if !connected.is_empty() {
        parts.extend([Part::Text(explained_uses(&rows)), Part::Table(uses(&connected))]);
        parts.extend(marks_of_searches(&connected).map(Part::Text));
    }
    parts
}

const EXPLAINED_COSTS: &str = "Time to connect all PVs, over their count. Growth is against the \
                               smallest size of this table, within blocks.";

fn explained_uses(rows: &[&ManyIocsRow]) -> String {
    let mut text = "Memory that each additional PV took in the client and in all IOCs, and search \
                    messages to all IOCs together, per PV. The servers' growth is known of the \
                    first client of a many_iocs only: later ones are served from memory that it gave \
                    back."
        .to_owned();
    let largest = rows.iter().rfind(|row| row.loaded_bytes_per_pv.is_some());
    if let Some((row, bytes)) = largest.and_then(|row| Some((row, row.loaded_bytes_per_pv?))) {
        text += &format!(
            " Before any client came, {} held {} bytes per PV.",
            pvs_on_iocs(row.many_iocs.iocs, row.pvs),
            grouped(bytes as usize)
        );
    }
    text
}

/// The approach, and how many PVs of how many IOCs.
fn sizes<'a>(
    rows: &[&'a ManyIocsRow],
    name: impl Fn(&ManyIocsRow) -> String,
) -> Columns<&'a ManyIocsRow> {
    Columns::of(rows.iter().copied())
        .words("approach", |row| name(row))
        .number("PVs", |row| grouped(row.pvs))
        .number("IOCs", |row| grouped(row.many_iocs.iocs))
}

/// The floor is nobody's choice.
fn is_joint(row: &ManyIocsRow) -> bool {
    row.joint && !row.floor
}

fn costs(rows: &[&ManyIocsRow], growths: &[ManyIocsGrowth]) -> Table {
    let growth_of = |row: &ManyIocsRow| {
        growths.iter().find(|growth| {
            growth.approach == row.approach
                && (growth.lookup, growth.server.as_str()) == kind_of(row)
                && (growth.many_iocs, growth.pvs) == (row.many_iocs, row.pvs)
        })
    };
    let marked = |row: &ManyIocsRow| with_joint_mark(&row.approach, is_joint(row));
    sizes(rows, marked)
        .number("µs/PV", |row| or_dash(row.cost_s, |cost| microseconds(cost.median)))
        .number("over floor", |row| difference(row.over_floor_s.as_ref().filter(|_| !row.floor)))
        .number("growth", |row| {
            growth_of(row).map_or(String::new(), |growth| factor(&growth.ratio))
        })
        .words("outcome", |row| match &row.failure {
            Some(failure) => failure.kind.name().to_owned(),
            None if row.floor => "floor".to_owned(),
            None => "connected".to_owned(),
        })
        .table()
}

fn uses(rows: &[&ManyIocsRow]) -> Table {
    let bytes = |bytes: f64| format!("{bytes:.0}");
    sizes(rows, |row| row.approach.clone())
        .number("client B/PV", |row| or_dash(row.client_bytes_per_pv, bytes))
        .number("servers B/PV", |row| or_dash(row.servers_bytes_per_pv, bytes))
        .number("searches/PV", |row| {
            let mark = search_mark(row);
            or_dash(row.searches_per_pv, |searches| format!("{mark}{searches:.2}"))
        })
        .table()
}

fn search_mark(row: &ManyIocsRow) -> &'static str {
    match row.searches_counted {
        Some(SearchesCounted::FromBytes) => "< ",
        _ if row.searches_are_more => "> ",
        _ => "",
    }
}

/// What the marks of searches say; nothing where no row has one.
fn marks_of_searches(rows: &[&ManyIocsRow]) -> Option<String> {
    let marks = [
        ("< ", "Marked <: worked out from bytes, which counts libca's frame headers in."),
        ("> ", "Marked >: at least so many; some searches were dropped before they were counted."),
    ];
    let is_used = |mark: &str| {
        rows.iter().any(|row| row.searches_per_pv.is_some() && search_mark(row) == mark)
    };
    let used: Vec<&str> =
        marks.iter().filter(|(mark, _)| is_used(mark)).map(|(_, words)| *words).collect();
    (!used.is_empty()).then(|| used.join(" "))
}

/// What is no failure of this run stands nowhere else.
fn known_beforehand(row: &ManyIocsRow) -> Option<String> {
    let failure = row.failure.as_ref()?;
    let is_known = matches!(failure.kind, FailureKind::Unable | FailureKind::LeftOut);
    let size = pvs_on_iocs(row.many_iocs.iocs, row.pvs);
    is_known.then(|| format!("{}, {size}: {}", row.approach, failure.message))
}

/// How the cost of each approach grew to the largest size of each lookup and server, or what
/// it is where there is one size only.
pub(super) fn statements(judgement: &Judgement) -> Vec<String> {
    let of_kind = |kind| statement(judgement, kind).or_else(|| only_size(judgement, kind));
    kinds(&judgement.many_iocs).into_iter().filter_map(of_kind).collect()
}

fn statement(judgement: &Judgement, kind: (Lookup, &str)) -> Option<String> {
    let is_own = |growth: &&ManyIocsGrowth| (growth.lookup, growth.server.as_str()) == kind;
    let own = || judgement.many_iocs_growth.iter().filter(is_own);
    let largest = own().max_by_key(|growth| (growth.pvs, growth.many_iocs.iocs))?;
    let described: Vec<String> = own()
        .filter(|growth| (growth.many_iocs, growth.pvs) == (largest.many_iocs, largest.pvs))
        .map(|growth| format!("{} {}", growth.approach, change(growth.ratio.median)))
        .collect();
    Some(format!(
        "Found by {}, a PV of {} costs, against {}: {}.",
        found_by(kind),
        pvs_on_iocs(largest.many_iocs.iocs, largest.pvs),
        pvs_on_iocs(largest.smallest.iocs, largest.smallest_pvs),
        described.join(", ")
    ))
}

fn only_size(judgement: &Judgement, kind: (Lookup, &str)) -> Option<String> {
    let own = || judgement.many_iocs.iter().filter(|row| kind_of(row) == kind);
    let largest = own().filter(|row| row.cost_s.is_some()).max_by_key(|row| row.pvs)?;
    let is_largest =
        |row: &&ManyIocsRow| (row.many_iocs, row.pvs) == (largest.many_iocs, largest.pvs);
    let cost = |row: &ManyIocsRow| {
        Some(format!("{} {} µs", row.approach, microseconds(row.cost_s.as_ref()?.median)))
    };
    let described: Vec<String> = own().filter(is_largest).filter_map(cost).collect();
    Some(format!(
        "Found by {}, a PV of {} costs: {}.",
        found_by(kind),
        pvs_on_iocs(largest.many_iocs.iocs, largest.pvs),
        described.join(", ")
    ))
}

/// In percent, or as a factor where percents would be many.
fn change(ratio: f64) -> String {
    match ratio {
        large if large >= 2.0 => format!("{large:.1} times as much"),
        more if more >= 1.0 => format!("{:.0} % more", (more - 1.0) * 100.0),
        less => format!("{:.0} % less", (1.0 - less) * 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_percents_or_factors() {
        assert_eq!(
            [0.9, 1.0, 1.184, 6.32].map(change),
            ["10 % less", "0 % more", "18 % more", "6.3 times as much"]
        );
    }
}
