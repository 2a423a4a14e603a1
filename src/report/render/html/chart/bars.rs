//! Bars of segments set one after the other, a bar for each name.

use maud::{Markup, html};

use super::axis::Axis;
use super::drawing::{Drawing, LINE, Width, longest, rounded, text, ticks_below};
use crate::report::document::{Bar, BarChart, Segment};

const ROW: f64 = 26.0;

impl BarChart {
    pub(super) fn draw(&self, width: Width, label: &str) -> Drawing {
        let names = longest(self.bars.iter().map(|bar| bar.name.as_str()));
        let totals: Vec<String> =
            self.bars.iter().map(|bar| (self.x.format)(bar.total())).collect();
        let left = names + 14.0;
        let right = width.pixels() - longest(totals.iter().map(String::as_str)) - 10.0;
        let (top, bottom) = (8.0, 8.0 + ROW * self.bars.len() as f64);
        let x = Axis::over(self.bars.iter().map(Bar::total), self.x.spread, left..right);
        let content = html! {
            (ticks_below(&x, &self.x, width, (top, bottom), (left, right)))
            @for (index, (bar, total)) in self.bars.iter().zip(&totals).enumerate() {
                @let middle = top + ROW * (index as f64 + 0.5);
                (text(left - 8.0, middle + 4.0, "name end", &bar.name))
                (bar.draw(&x, middle))
                @if let Some(end) = x.at(bar.total()) {
                    (text(end + 6.0, middle + 4.0, "tick", total))
                }
            }
        };
        Drawing::new(width, bottom + 2.6 * LINE, label, content)
    }
}

impl Bar {
    fn total(&self) -> f64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    fn draw(&self, x: &Axis, middle: f64) -> Markup {
        let mut end = 0.0;
        let placed: Vec<(f64, f64, &Segment)> = self
            .segments
            .iter()
            .filter_map(|segment| {
                let start = x.at(end)?;
                end += segment.length;
                Some((start, x.at(end)?, segment))
            })
            .collect();
        html! {
            @for (start, end, segment) in placed {
                rect class=(format!("mark segment k{}", segment.kind)) x=(start) y=(middle - 8.0)
                    width=(rounded((end - start).max(0.3))) height="16" data-tip=(segment.tip) {}
            }
        }
    }
}
