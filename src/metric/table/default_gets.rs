//! Rows of ordinary gets: what each asked the server for.

use super::{Better, NEGLIGIBLE_AGE_S, Row, sampled};
use crate::metric::{Metric, Seen, Timed, Unit, default_get};
use crate::scenario::FigureGroup;

pub(super) fn rows() -> impl Iterator<Item = Row> {
    default_get::stages().flat_map(of_default_get)
}

fn of_default_get(timed: Timed) -> impl Iterator<Item = Row> {
    Seen::ALL.into_iter().map(move |seen| {
        let (unit, better, about) = match seen {
            Seen::BytesSent => (
                Unit::BytesPerPv,
                Better::Neither,
                "bytes that the client sent over TCP for it; a plain request takes 16 over \
                 Channel Access, 17 over pvAccess",
            ),
            Seen::BytesReceived => (
                Unit::BytesPerPv,
                Better::Neither,
                "bytes that came over TCP since the values changed, updates of monitors included",
            ),
            Seen::MonitorsOpen => (
                Unit::CountPerPv,
                Better::Neither,
                "subscriptions to the PVs read that the server has afterwards",
            ),
            Seen::FromCache => (
                Unit::Percent,
                Better::Neither,
                "values that were outdated, or that the client cannot have asked for",
            ),
            Seen::Outdated => (
                Unit::Seconds,
                Better::Lower,
                "how long the server had held another value when the oldest was returned",
            ),
        };
        let name = format!("{} {}", timed.name(), seen.name());
        let row = sampled(
            Metric::DefaultGet(timed, seen),
            &name,
            unit,
            FigureGroup::Stages,
            default_get::of,
            about,
        );
        let negligible = if seen == Seen::Outdated { NEGLIGIBLE_AGE_S } else { 0.0 };
        Row { better, negligible, ..row }
    })
}
