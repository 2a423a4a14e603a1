//! The style of each approach, the same in all figures of a run.

use crate::record::Run;
use crate::report::document::Style;

pub(super) struct Styles<'a>(&'a Run);

impl<'a> Styles<'a> {
    pub(super) fn of(run: &'a Run) -> Styles<'a> {
        Styles(run)
    }

    pub(super) fn style(&self, approach: &str) -> Style {
        let is_choice = self.0.approaches.iter().filter(|facts| !facts.floor);
        match is_choice.map(|facts| facts.name.as_str()).position(|name| name == approach) {
            Some(index) => Style::Approach(index),
            None => Style::Floor,
        }
    }
}
