//! For each server and client, how much they sustain of what was tried.

use crate::judge::{Scale, ScaleRow};
use crate::report::words::{pair_name, scale_load};
use crate::units::grouped;

pub(in crate::report::sections::run) fn statements(scale: &[Scale]) -> Vec<String> {
    scale.iter().filter(|pair| !pair.rows.is_empty()).map(statement).collect()
}

fn statement(pair: &Scale) -> String {
    let hz = |row: &&ScaleRow| row.load.updates_hz(row.pvs);
    let sustained: Vec<&ScaleRow> =
        pair.rows.iter().filter(|row| !row.is_overloaded() && row.figures.is_some()).collect();
    let most = sustained.iter().copied().max_by(|a, b| hz(a).total_cmp(&hz(b)));
    let least_lost =
        pair.rows.iter().filter(|row| row.is_overloaded()).min_by(|a, b| hz(a).total_cmp(&hz(b)));
    let mut text = format!(
        "{}: {} of {} loads without loss",
        pair_name(pair),
        sustained.len(),
        pair.rows.len()
    );
    if let Some(row) = most {
        text += &format!(", up to {} updates/s ({})", grouped(hz(&row) as usize), scale_load(row));
    }
    if let Some(row) = least_lost {
        text += &format!("; the least that was too much: {} updates/s", grouped(hz(&row) as usize));
    }
    text + "."
}
