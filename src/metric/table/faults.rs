//! Rows of faults.

use super::{Better, Pooled, Row, sampled};
use crate::metric::fault::{self, Kind};
use crate::metric::{FaultFigure, Metric};
use crate::scenario::FigureGroup;

pub(super) fn rows() -> impl Iterator<Item = Row> {
    FaultFigure::ALL.into_iter().map(|figure| {
        let described = figure.described();
        Row {
            better: match described.kind {
                Kind::Neutral => Better::Neither,
                Kind::Wrong | Kind::Measured => Better::Lower,
            },
            exact: described.kind != Kind::Measured,
            // One outage is one measurement: the worst of them counts.
            pooled: Pooled::Greatest,
            ..sampled(
                Metric::Fault(figure),
                described.name,
                described.unit,
                FigureGroup::Faults,
                fault::of,
                described.about,
            )
        }
    })
}
