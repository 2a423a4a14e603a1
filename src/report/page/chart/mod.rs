//! Drawings: axes and marks as SVG. A drawing knows figures, names and what a mark
//! tells when one points at it, and nothing of EPICS.
//!
//! Crates that draw charts write colours into each mark. Here a mark has a class, so
//! that one drawing serves light, dark and print, and each mark can be pointed at.

mod axis;
mod bars;
mod heat;
mod lines;
mod marker;
mod rows;

use maud::{Markup, PreEscaped, Render, html};

pub(super) use axis::{Axis, Spread};
pub(super) use bars::{Bar, BarChart, Segment};
pub(super) use heat::{HeatCell, HeatMap};
pub(super) use lines::{Line, LineChart, Point};
pub(super) use rows::{Mark, Row, RowChart};

/// Pixels that a character of an axis takes, at most; drawings cannot ask a browser.
const CHARACTER: f64 = 6.7;

/// Pixels from one line of text to the next.
const LINE: f64 = 16.0;

/// The width of a drawing. A page holds each drawing twice, so that text is as large on
/// a phone as on a desk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    Wide,
    Narrow,
}

impl Width {
    pub(super) const ALL: [Width; 2] = [Width::Wide, Width::Narrow];

    fn pixels(self) -> f64 {
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

/// How a quantity is drawn: along which kind of axis, under which name, with which words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantity {
    pub(super) name: &'static str,
    pub(super) spread: Spread,
    /// A value in a few characters.
    pub(super) told: fn(f64) -> String,
}

/// What stands for an approach, the same in every drawing of a page: a colour and a
/// shape, by the place in the catalogue; the floor has one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Floor,
    Approach(usize),
}

/// How many colours and shapes there are before they begin again.
pub(super) const STYLES: usize = 12;

impl Style {
    pub(super) fn class(self) -> String {
        match self {
            Style::Floor => "floor".to_owned(),
            Style::Approach(index) => format!("s{}", index % STYLES),
        }
    }
}

/// A drawing of one width, with its text alternative.
#[derive(Debug, Clone)]
pub(super) struct Drawing {
    width: Width,
    height: f64,
    label: String,
    content: Markup,
}

/// Room around a drawing that stands by itself, and for its title.
const MARGIN: f64 = 16.0;
const TITLE: f64 = 34.0;

impl Drawing {
    fn new(width: Width, height: f64, label: &str, content: Markup) -> Drawing {
        Drawing { width, height, label: label.to_owned(), content }
    }

    /// The drawing as a file of its own, under its title.
    pub(super) fn alone(&self, title: &str, style: &str) -> Markup {
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

fn text(x: f64, y: f64, class: &str, words: &str) -> Markup {
    html! { text x=(rounded(x)) y=(rounded(y)) class=(class) { (words) } }
}

/// A tenth of a pixel is all that can be seen.
fn rounded(pixel: f64) -> f64 {
    (pixel * 10.0).round() / 10.0
}

/// The pixels of the longest of these words.
fn longest<'a>(words: impl Iterator<Item = &'a str>) -> f64 {
    words.map(|word| word.chars().count()).max().unwrap_or(0) as f64 * CHARACTER
}

/// Upright lines with labels below them, and the axis's name under those.
fn ticks_below(
    axis: &Axis,
    quantity: &Quantity,
    width: Width,
    (top, bottom): (f64, f64),
    (left, right): (f64, f64),
) -> Markup {
    let mut last = f64::NEG_INFINITY;
    let labels = axis.ticks(width.ticks()).into_iter().filter_map(|tick| {
        let (at, told) = (axis.at(tick)?, (quantity.told)(tick));
        let half = told.chars().count() as f64 * CHARACTER / 2.0;
        // A label that would touch the one before it, or leave the drawing, is left out.
        let fits = !told.is_empty() && at - half > last + 6.0 && at + half <= right + 24.0;
        if fits {
            last = at + half;
        }
        Some((at, fits.then_some(told)))
    });
    let labels: Vec<(f64, Option<String>)> = labels.collect();
    html! {
        @for (at, told) in &labels {
            line class="grid" x1=(at) x2=(at) y1=(top) y2=(bottom) {}
            @if let Some(told) = told { (text(*at, bottom + LINE, "tick middle", told)) }
        }
        (text(f64::midpoint(left, right), bottom + 2.2 * LINE, "axis middle", quantity.name))
    }
}
