//! Rows of the link between server and clients.

use super::{Better, NEGLIGIBLE_AGE_S, Row, sampled};
use crate::metric::{AtLink, Metric, Unit, linked};

pub(super) fn rows() -> impl Iterator<Item = Row> {
    AtLink::ALL.into_iter().map(row)
}

fn row(seen: AtLink) -> Row {
    let unit = match seen {
        AtLink::SearchesPerPv | AtLink::RepeatsPerPv => Unit::CountPerPv,
        AtLink::MostOfOne | AtLink::PacketsLost => Unit::Count,
        AtLink::FirstSearch | AtLink::LastSearch => Unit::Seconds,
    };
    let row = sampled(Metric::AtLink(seen), seen.name(), unit, None, linked::of, seen.about());
    let better = if seen == AtLink::PacketsLost { Better::Neither } else { Better::Lower };
    let negligible = if unit == Unit::Seconds { NEGLIGIBLE_AGE_S } else { 0.0 };
    Row { better, negligible, ..row }
}
