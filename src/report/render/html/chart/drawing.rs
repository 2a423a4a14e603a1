//! A drawing of one width: texts, ticks and what is around the marks.

use maud::{Markup, PreEscaped, Render, html};

use super::axis::Axis;
use crate::report::document::Quantity;

/// Pixels that a character of an axis takes, at most; drawings cannot ask a browser.
pub(super) const CHARACTER: f64 = 6.7;

/// Pixels from one line of text to the next.
pub(super) const LINE: f64 = 16.0;

/// The width of a drawing. A page holds each drawing twice, so that text is as large on
/// a phone as on a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::render::html) enum Width {
    Wide,
    Narrow,
}

impl Width {
    pub(in crate::report::render::html) const ALL: [Width; 2] = [Width::Wide, Width::Narrow];

    pub(super) fn pixels(self) -> f64 {
        match self {
            Width::Wide => 720.0,
            Width::Narrow => 340.0,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Width::Wide => "wide",
            Width::Narrow => "narrow",
        }
    }

    /// How many ticks fit below a drawing.
    fn ticks(self) -> usize {
        match self {
            Width::Wide => 8,
            Width::Narrow => 4,
        }
    }
}

/// A drawing of one width, with its text alternative.
#[derive(Debug, Clone)]
pub(in crate::report::render::html) struct Drawing {
    width: Width,
    height: f64,
    label: String,
    content: Markup,
}

/// Room around a drawing that stands by itself, and for its title.
const MARGIN: f64 = 16.0;
const TITLE: f64 = 34.0;

impl Drawing {
    pub(super) fn new(width: Width, height: f64, label: &str, content: Markup) -> Drawing {
        Drawing { width, height, label: label.to_owned(), content }
    }

    /// The drawing as a file of its own, under its title.
    pub(in crate::report::render::html) fn standalone(&self, title: &str, style: &str) -> Markup {
        let (width, height) =
            (self.width.pixels() + 2.0 * MARGIN, self.height + 2.0 * MARGIN + TITLE);
        html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox=(format!("0 0 {width} {height}"))
                width=(width) height=(height) role="img" aria-label=(self.label) {
                style { (PreEscaped(style)) }
                rect class="paper" width=(width) height=(height) rx="8" {}
                (text(MARGIN, MARGIN + 0.9 * LINE, "title", title))
                g transform=(format!("translate({MARGIN} {})", MARGIN + TITLE)) { (self.content) }
            }
        }
    }
}

impl Render for Drawing {
    /// As a part of a page.
    fn render(&self) -> Markup {
        let pixels = self.width.pixels();
        html! {
            svg class=(self.width.class()) viewBox=(format!("0 0 {pixels} {}", self.height))
                role="img" aria-label=(self.label) xmlns="http://www.w3.org/2000/svg" {
                (self.content)
            }
        }
    }
}

pub(super) fn text(x: f64, y: f64, class: &str, words: &str) -> Markup {
    html! { text x=(rounded(x)) y=(rounded(y)) class=(class) { (words) } }
}

/// A tenth of a pixel is all that can be seen.
pub(super) fn rounded(pixel: f64) -> f64 {
    (pixel * 10.0).round() / 10.0
}

/// The pixels of the longest of these words.
pub(super) fn longest<'a>(words: impl Iterator<Item = &'a str>) -> f64 {
    words.map(|word| word.chars().count()).max().unwrap_or(0) as f64 * CHARACTER
}

/// Upright lines with labels below them, and the axis's name under those.
pub(super) fn ticks_below(
    axis: &Axis,
    quantity: &Quantity,
    width: Width,
    (top, bottom): (f64, f64),
    (left, right): (f64, f64),
) -> Markup {
    let mut last = f64::NEG_INFINITY;
    let labels = axis.ticks(width.ticks()).into_iter().filter_map(|tick| {
        let (at, label) = (axis.at(tick)?, (quantity.format)(tick));
        let half = label.chars().count() as f64 * CHARACTER / 2.0;
        // A label that would touch the one before it, or leave the drawing, is left out.
        let fits = !label.is_empty() && at - half > last + 6.0 && at + half <= right + 24.0;
        if fits {
            last = at + half;
        }
        Some((at, fits.then_some(label)))
    });
    let labels: Vec<(f64, Option<String>)> = labels.collect();
    html! {
        @for (at, label) in &labels {
            line class="grid" x1=(at) x2=(at) y1=(top) y2=(bottom) {}
            @if let Some(label) = label { (text(*at, bottom + LINE, "tick middle", label)) }
        }
        (text(f64::midpoint(left, right), bottom + 2.2 * LINE, "axis middle", quantity.name))
    }
}
