//! A table of cells whose shade shows how bad a part is; each has it in words too.

use maud::html;

use super::drawing::{CHARACTER, Drawing, LINE, Width, longest, rounded, text};
use crate::report::document::HeatMap;

const ROW: f64 = 30.0;

/// Shades of a map, the first for what is as it should be.
const SHADES: f64 = 5.0;

impl HeatMap {
    pub(super) fn draw(&self, width: Width, label: &str) -> Drawing {
        let names = longest(self.rows.iter().map(String::as_str));
        let left = names.max(self.down.chars().count() as f64 * CHARACTER) + 10.0;
        let cell = ((width.pixels() - left) / self.columns.len().max(1) as f64).min(96.0);
        let top = 2.6 * LINE;
        let bottom = top + ROW * self.rows.len() as f64;
        let column = |index: usize| left + cell * index as f64;
        let row = |index: usize| top + ROW * index as f64;
        let content = html! {
            (text(left, 0.8 * LINE, "axis", self.across))
            (text(0.0, 2.1 * LINE, "axis", self.down))
            @for (index, name) in self.columns.iter().enumerate() {
                (text(column(index) + cell / 2.0, 2.1 * LINE, "tick middle", name))
            }
            @for (index, name) in self.rows.iter().enumerate() {
                (text(left - 8.0, row(index) + ROW / 2.0 + 4.0, "name end", name))
            }
            @for one in &self.cells {
                rect class=(format!("mark heat {}", shade(one.part))) x=(rounded(column(one.column) + 1.0))
                    y=(row(one.row) + 1.0) width=(rounded(cell - 2.0)) height=(ROW - 2.0)
                    data-tip=(one.tip) {}
                (text(
                    column(one.column) + cell / 2.0,
                    row(one.row) + ROW / 2.0 + 4.0,
                    &format!("label middle {}", shade(one.part)),
                    &one.words,
                ))
            }
        };
        Drawing::new(width, bottom + 8.0, label, content)
    }
}

/// The least loss has a shade of its own.
fn shade(part: Option<f64>) -> String {
    match part {
        None => "h-unknown".to_owned(),
        Some(part) if part <= 0.0 => "h0".to_owned(),
        Some(part) => format!("h{}", (part * (SHADES - 1.0)).ceil().clamp(1.0, SHADES - 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_loss_looks_other_than_none() {
        let shades = [None, Some(0.0), Some(1e-9), Some(0.5), Some(1.0), Some(2.0)].map(shade);
        assert_eq!(shades, ["h-unknown", "h0", "h1", "h2", "h4", "h4"]);
    }
}
