//! The most updates that arrive without loss: a table and a curve.

use crate::judge::{Bottleneck, Capacity, Judgement};
use crate::report::document::{Columns, Part, Table};
use crate::report::words::{found_by, or_dash, place};
use crate::units::grouped;

/// Characters of the longest bar.
const BAR: f64 = 30.0;

/// The shortest bar stands for this many updates per second.
const LEAST_HZ: f64 = 10.0;

pub(super) fn section(judgement: &Judgement) -> Vec<Part> {
    let capacities = &judgement.capacities;
    if capacities.is_empty() {
        return Vec::new();
    }
    let text = "The most PVs at each rate of which every update arrived, and the least of which \
                one was lost, both seen at least twice, found by search.";
    vec![
        Part::Heading(2, "capacity: updates without loss".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(table(capacities)),
        Part::Text("Updates per second without loss, on a logarithmic scale:".to_owned()),
        Part::Verbatim(curve(capacities)),
    ]
}

fn table(capacities: &[Capacity]) -> Table {
    Columns::of(capacities)
        .words("approach", |one| name(one))
        .number("Hz", |one| one.rate_hz.to_string())
        .number("PVs, no loss", |one| match one.lossless_pvs {
            Some(pvs) if one.lossy_pvs.is_none() => format!("{} or more", grouped(pvs)),
            Some(pvs) => grouped(pvs),
            None => "none".to_owned(),
        })
        .number("updates/s", |one| grouped(one.lossless_updates_hz as usize))
        .number("seen", |one| format!("{} x", one.confirmed))
        .number("loss from", |one| or_dash(one.lossy_pvs, grouped))
        .words("limited by", |one| one.bottleneck.map_or("", Bottleneck::name).to_owned())
        .table()
}

/// The approach, and what is not usual: on which server, and how PVs were found.
pub(super) fn name(one: &Capacity) -> String {
    format!("{}{}{}", one.approach, place(&one.server), found_by(one.lookup))
}

/// The best and the worst of each rate, in a sentence.
pub(super) fn statements(capacities: &[Capacity]) -> Vec<String> {
    let mut rates: Vec<f64> = capacities.iter().map(|capacity| capacity.rate_hz).collect();
    rates.dedup();
    rates.into_iter().filter_map(|rate_hz| statement(capacities, rate_hz)).collect()
}

fn statement(capacities: &[Capacity], rate_hz: f64) -> Option<String> {
    let mut own: Vec<&Capacity> = capacities
        .iter()
        .filter(|capacity| !capacity.floor && capacity.rate_hz == rate_hz)
        .collect();
    own.sort_by(|a, b| b.lossless_updates_hz.total_cmp(&a.lossless_updates_hz));
    let described: Vec<String> = own
        .iter()
        .map(|capacity| {
            let least = if capacity.lossy_pvs.is_none() { "at least " } else { "" };
            let updates = grouped(capacity.lossless_updates_hz as usize);
            format!("{} {least}{updates}", name(capacity))
        })
        .collect();
    (!own.is_empty()).then(|| {
        format!("Updates per second without loss at {rate_hz} Hz: {}.", described.join(", "))
    })
}

/// One bar for each approach and rate.
fn curve(capacities: &[Capacity]) -> String {
    let most = capacities.iter().map(|one| one.lossless_updates_hz).fold(LEAST_HZ, f64::max);
    let decades = (most / LEAST_HZ).log10().max(f64::MIN_POSITIVE);
    let mut lines = String::new();
    let mut rate_hz = None;
    for capacity in capacities {
        if rate_hz != Some(capacity.rate_hz) {
            rate_hz = Some(capacity.rate_hz);
            lines += &format!("{} Hz\n", capacity.rate_hz);
        }
        let hz = capacity.lossless_updates_hz;
        let length = ((hz / LEAST_HZ).max(1.0).log10() / decades * BAR).round() as usize;
        let open = if capacity.lossy_pvs.is_none() { ">" } else { "" };
        lines += &format!(
            "  {:<10} {}{open} {}\n",
            name(capacity),
            "#".repeat(if hz > 0.0 { length.max(1) } else { 0 }),
            grouped(hz as usize)
        );
    }
    lines
}
