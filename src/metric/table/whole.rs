//! Rows of whole runs and of searches, which no single worker decides.

use super::{Better, Pooled, Row, Source, counted, none};
use crate::metric::Metric;
use crate::scenario::FigureGroup;

pub(super) fn capacity() -> Row {
    Row {
        better: Better::Higher,
        source: Source::Blocks,
        ..counted(
            Metric::Capacity,
            "PVs without loss",
            FigureGroup::Capacity,
            none,
            "the most PVs that arrive without loss, from a search",
        )
    }
}

pub(super) fn run() -> Row {
    Row {
        pooled: Pooled::Greatest,
        source: Source::Run,
        ..counted(
            Metric::ProcessesLeft,
            "processes left",
            None,
            none,
            "processes of the whole run that outlived it",
        )
    }
}
