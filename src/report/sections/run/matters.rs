//! From how many PVs on it matters that an approach connects slower than the fastest.

use crate::judge::{Judgement, Matters, matters};
use crate::report::document::{Columns, Part};
use crate::report::words::{crossing_in_full, place};
use crate::units::{duration, grouped, microseconds};

/// Nothing where no two approaches connected.
pub(super) fn section(judgement: &Judgement, budget_s: f64) -> Vec<Part> {
    let matters = matters(&judgement.figures, budget_s);
    if matters.is_empty() {
        return Vec::new();
    }
    let budget = duration(budget_s);
    let text = format!(
        "The count of PVs from which on connecting takes {budget} (--budget) longer than with the \
         fastest: {budget} divided by the difference per PV. Its interval follows from that of \
         the difference, which was measured at the given count of PVs."
    );
    let table = Columns::of(&matters)
        .words("approach", |one: &&Matters| format!("{}{}", one.approach, place(&one.server)))
        .words("against", |one| one.fastest.clone())
        .number("µs/PV slower", |one| microseconds(one.over_fastest_s.median))
        .number("measured at PVs", |one| grouped(one.measured_pvs))
        .number("from PVs", |one| crossing_in_full(one.crossing))
        .table();
    vec![
        Part::Heading(2, format!("connect: from how many PVs on it takes {budget} longer")),
        Part::Text(text),
        Part::Table(table),
    ]
}
