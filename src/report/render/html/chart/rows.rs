//! One line of marks for each name: spreads, percentiles, published beside measured.

use maud::{Markup, html};

use super::axis::Axis;
use super::drawing::{Drawing, LINE, Width, longest, rounded, text, ticks_below};
use super::marker::marker;
use crate::report::document::{Row, RowChart};

/// Pixels of a row: with its name beside, and with its name above.
const ROW: f64 = 24.0;
const TALL_ROW: f64 = 38.0;

impl RowChart {
    pub(super) fn draw(&self, width: Width, label: &str) -> Drawing {
        let names = longest(self.rows.iter().map(|row| row.name.as_str()));
        let is_beside = names < 0.4 * width.pixels();
        let row_height = if is_beside { ROW } else { TALL_ROW };
        let left = if is_beside { names + 14.0 } else { 10.0 };
        let right = width.pixels() - 24.0;
        let (top, bottom) = (8.0, 8.0 + row_height * self.rows.len() as f64);
        let x = Axis::over(self.values(), self.x.spread, left..right);
        let content = html! {
            (ticks_below(&x, &self.x, width, (top, bottom), (left, right)))
            @for (index, row) in self.rows.iter().enumerate() {
                @let under = top + row_height * (index + 1) as f64;
                @let middle = under - ROW / 2.0;
                @if is_beside {
                    (text(left - 8.0, middle + 4.0, "name end", &row.name))
                } @else {
                    (text(0.0, under - row_height + 0.7 * LINE, "name", &row.name))
                }
                (row.draw(&x, middle))
            }
        };
        Drawing::new(width, bottom + 2.6 * LINE, label, content)
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.rows.iter().flat_map(|row| {
            let bar = row.bar.iter().flat_map(|(low, high, _)| [*low, *high]);
            row.marks.iter().map(|mark| mark.at).chain(bar)
        })
    }
}

impl Row {
    fn draw(&self, x: &Axis, middle: f64) -> Markup {
        let class = self.style.class();
        html! {
            @if let Some((low, high, tip)) = &self.bar {
                @if let (Some(low), Some(high)) = (x.at(*low), x.at(*high)) {
                    rect class=(format!("mark bar {class}")) x=(low) y=(middle - 4.0)
                        width=(rounded((high - low).max(1.0))) height="8" data-tip=(tip) {}
                }
            }
            @for mark in &self.marks {
                @if let Some(at) = x.at(mark.at) {
                    @if mark.slight {
                        line class=(format!("mark slight {class}")) x1=(at) x2=(at)
                            y1=(middle - 7.0) y2=(middle + 7.0) data-tip=(mark.tip) {}
                    } @else {
                        (marker(self.style, at, middle, mark.hollow, &mark.tip))
                    }
                }
            }
        }
    }
}
