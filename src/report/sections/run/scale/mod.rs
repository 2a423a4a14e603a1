//! The scale matrix: what arrived and what it cost, beside the published rows.

mod notes;
mod statements;
mod summary;
mod tables;
mod updates;

use crate::judge::Scale;
use crate::report::document::Part;
use crate::report::words::pair_name;

pub(super) use statements::statements;
pub(super) use summary::summary;

/// The tables of all servers and clients.
pub(super) fn section(scale: &[Scale]) -> Vec<Part> {
    let mut parts = Vec::new();
    for pair in scale {
        parts.push(Part::Heading(2, format!("scale: {}", pair_name(pair))));
        parts.push(Part::Table(tables::arrivals(pair)));
        parts.push(Part::Table(tables::costs(pair)));
        let notes: Vec<String> = pair.rows.iter().flat_map(notes::notes).collect();
        if !notes.is_empty() {
            parts.push(Part::List(notes));
        }
    }
    if scale.iter().any(|pair| pair.rows.iter().any(|row| row.published.is_some())) {
        parts.push(Part::Text(PUBLISHED.to_owned()));
    }
    parts
}

const PUBLISHED: &str = "Columns `pub.` are the figures that Diamond published for the same \
                         load, between two machines; `pub. %` is the most of the updates that \
                         the published bytes can have held. Nobody counted them there. CPU is in \
                         % of a core, traffic in kB/s of TCP payload (published: of the whole \
                         interface).";
