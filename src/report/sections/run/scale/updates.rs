//! What part of the updates arrived.

use crate::judge::{ScaleFigures, ScaleRow};
use crate::report::words::{or_dash, rounded_down};

/// `all`, or the part in percent.
pub(super) fn arrived(figures: &ScaleFigures) -> String {
    let updates = &figures.row.updates;
    match updates.lost {
        0 => "all".to_owned(),
        _ => rounded_down(updates.received as f64 / updates.expected.max(1) as f64),
    }
}

/// The most that can have arrived where this load was published, in percent.
pub(super) fn arrived_as_published(row: &ScaleRow) -> String {
    or_dash(row.published.as_ref().and_then(|published| published.delivered), rounded_down)
}
