//! The figures of a run: what each shows, in words and as a table.

mod capacity;
mod command;
mod connect_cost;
mod faults;
mod gets;
mod latency;
mod latency_over_time;
mod losses;
mod many_iocs;
mod over_time;
mod percentiles;
mod published;
mod scale;
mod stages;
mod styles;

use crate::judge::Judgement;
use crate::record::RunRecords;
use crate::report::document::Figure;
use styles::Styles;

/// Every figure that this run has the figures for, in the order of the page.
pub(super) fn all(run: &RunRecords, judgement: &Judgement, budget_s: f64) -> Vec<Figure> {
    let styles = Styles::of(&run.run);
    let mut all = connect_cost::figures(run, judgement, budget_s, &styles);
    all.extend(stages::figures(run));
    all.extend(gets::figures(run, judgement, &styles));
    all.extend(over_time::figures(run, judgement, &styles));
    all.extend(losses::figures(run, judgement, &styles));
    all.extend(latency::figures(run, judgement, &styles));
    all.extend(latency_over_time::figures(run, judgement, &styles));
    all.extend(scale::figures(run, judgement));
    all.extend(capacity::figures(run, judgement, &styles));
    all.extend(faults::figures(run, judgement, &styles));
    all.extend(many_iocs::figures(run, judgement, &styles));
    all.extend(published::figures(run, judgement));
    all
}
