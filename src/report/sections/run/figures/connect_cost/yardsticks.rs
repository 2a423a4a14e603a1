//! What the lines are held against: the limit, and the delay that matters.

use super::{CONNECT, Drawn, straight_line};
use crate::judge::{Crossing, Matters, Relative, Scaling, Verdict};
use crate::metric::Metric;
use crate::report::document::{CrossingMark, Line};
use crate::report::words::crossing_in_full;
use crate::units::duration;

/// The floor and what the limit of this server allows over it.
pub(super) fn limit(drawn: &Drawn<'_>) -> Option<Line> {
    let is_own = |verdict: &&Verdict| {
        (verdict.server.as_str(), verdict.relative) == (drawn.server, Relative::Floor)
            && verdict.metric == Metric::Time(CONNECT)
    };
    let limit = drawn.judgement.verdicts.iter().find(is_own)?.limit;
    let floor = drawn.lines.iter().find(|line| line.floor)?;
    let (slope, intercept) = (floor.slope_s.median + limit, floor.intercept_s.median);
    let through = straight_line(slope, intercept, drawn.span()?);
    (through.len() > 1).then(|| Line::dashed("limit", through))
}

/// The fastest and the delay that matters over it; none where no approach reaches that
/// among the counts of PVs that were measured.
pub(super) fn budget(drawn: &Drawn<'_>) -> Option<Line> {
    drawn.matters.iter().find(|one| is_drawn(drawn, one))?;
    let fastest = fastest(drawn)?;
    let intercept = fastest.intercept_s.median + drawn.budget_s;
    let through = straight_line(fastest.slope_s.median, intercept, drawn.span()?);
    let name = format!("fastest + {}", duration(drawn.budget_s));
    (through.len() > 1).then(|| Line::dashed(&name, through))
}

/// Where an approach crosses that.
pub(super) fn crossing(drawn: &Drawn<'_>, approach: &str) -> Option<CrossingMark> {
    let own = drawn.matters.iter().find(|one| one.approach == approach)?;
    let Crossing::From { pvs, low, high } = own.crossing else { return None };
    if !is_drawn(drawn, own) {
        return None;
    }
    let fastest = fastest(drawn)?;
    let (first, last) = drawn.span()?;
    let x = pvs as f64;
    Some(CrossingMark {
        x,
        y: fastest.intercept_s.median + fastest.slope_s.median * x + drawn.budget_s,
        interval: ((low as f64).max(first), (high as f64).min(last)),
        tip: format!(
            "{approach} takes {} longer than {} from {} PVs on",
            duration(drawn.budget_s),
            own.fastest,
            crossing_in_full(own.crossing)
        ),
    })
}

/// Beyond what was measured there is no line that could be crossed.
fn is_drawn(drawn: &Drawn<'_>, one: &Matters) -> bool {
    let Some((first, last)) = drawn.span() else { return false };
    let is_within = |pvs: usize| (first..=last).contains(&(pvs as f64));
    matches!(one.crossing, Crossing::From { pvs, .. } if is_within(pvs)) && fastest(drawn).is_some()
}

/// The line of the approach that is the fastest where the most PVs were connected.
fn fastest<'a>(drawn: &Drawn<'a>) -> Option<&'a Scaling> {
    drawn.fitted(&drawn.matters.first()?.fastest)
}
