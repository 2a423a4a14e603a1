//! The figures of a page: what each shows, drawn, told in words and as a table.

mod capacity;
mod connect_cost;
mod contest;
mod fleet;
mod gets;
mod history;
mod latency;
mod over_time;
mod percentiles;
mod published;
mod scale;
mod stages;

use super::chart::{Drawing, Spread, Style, Width};
use super::command::Command;
use crate::judge::Judgement;
use crate::judge::contest::ContestJudgement;
use crate::judge::history::History;
use crate::record::{Run, RunRecords};
use crate::report::document::Table;
use crate::stats::Interval;
use crate::units::{duration, grouped, quantity};

/// One figure.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    /// Unique in the page, and stable: links and pictures name it.
    pub(super) id: String,
    pub(super) title: String,
    /// What one sees in it, for those who do not see it too.
    pub(super) says: String,
    /// Names of what the colours of segments or marks stand for, with their class.
    pub(super) legend: Vec<(String, String)>,
    /// The drawing, wide and narrow.
    pub(super) drawings: [Drawing; 2],
    /// Every number that is drawn.
    pub(super) table: Table,
    /// What measures it again; none where that is told for the whole page.
    pub(super) command: Option<Command>,
}

/// Every figure that this run has the figures for, in the order of the page.
pub(super) fn all(run: &RunRecords, judgement: &Judgement) -> Vec<Figure> {
    let styles = Styles::of(&run.run);
    let mut all = connect_cost::figures(run, judgement, &styles);
    all.extend(stages::figures(run));
    all.extend(gets::figures(run, judgement, &styles));
    all.extend(over_time::figures(run, judgement, &styles));
    all.extend(latency::figures(run, judgement, &styles));
    all.extend(scale::figures(run, judgement));
    all.extend(capacity::figures(run, judgement, &styles));
    all.extend(fleet::figures(run, judgement, &styles));
    all.extend(published::figures(run, judgement));
    all
}

/// What a comparison has.
pub(super) fn of_contest(judgement: &ContestJudgement) -> Vec<Figure> {
    contest::figure(judgement).into_iter().collect()
}

/// One figure for each figure of each machine of several runs.
pub(super) fn of_history(of: &History) -> Vec<Figure> {
    history::figures(of)
}

/// Which style an approach has in all figures of a run.
pub(super) struct Styles<'a>(&'a Run);

impl<'a> Styles<'a> {
    pub(super) fn of(run: &'a Run) -> Styles<'a> {
        Styles(run)
    }

    fn style(&self, approach: &str) -> Style {
        let is_choice = self.0.approaches.iter().filter(|facts| !facts.floor);
        match is_choice.map(|facts| facts.name.as_str()).position(|name| name == approach) {
            Some(index) => Style::Approach(index),
            None => Style::Floor,
        }
    }
}

/// Draws for both widths.
fn drawn(draw: impl Fn(Width) -> Drawing) -> [Drawing; 2] {
    Width::ALL.map(draw)
}

/// A part of a figure's id: letters, digits and dashes.
fn slug(words: &str) -> String {
    let letters: String = words
        .to_lowercase()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' })
        .collect();
    let parts: Vec<&str> = letters.split('-').filter(|part| !part.is_empty()).collect();
    parts.join("-")
}

/// A duration with its interval, for a tip.
fn told(interval: &Interval, unit: &str) -> String {
    format!(
        "{}{unit}, {:.0} % interval {} to {}",
        duration(interval.median),
        100.0 * interval.confidence,
        duration(interval.low),
        duration(interval.high)
    )
}

/// Quantities of axes.
mod axes {
    use super::{Spread, duration, grouped, quantity};
    use crate::report::page::chart::Quantity;

    pub(super) const fn seconds(name: &'static str, spread: Spread) -> Quantity {
        Quantity { name, spread, told: duration }
    }

    pub(super) const fn count(name: &'static str, spread: Spread) -> Quantity {
        Quantity {
            name,
            spread,
            told: |number| match number {
                whole if (1e3..1e9).contains(&whole) => grouped(whole.round() as usize),
                number => quantity(number),
            },
        }
    }
}
