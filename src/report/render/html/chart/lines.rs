//! A quantity against another: lines with markers, named at their ends.

use maud::{Markup, html};

use super::axis::Axis;
use super::drawing::{CHARACTER, Drawing, LINE, Width, longest, rounded, text, ticks_below};
use super::marker::{light, marker};
use crate::report::document::{CrossingMark, Line, LineChart};

/// Pixels that single figures stand to the left of their point, which would hide them.
const BESIDE: f64 = 8.0;

impl LineChart {
    pub(super) fn draw(&self, width: Width, label: &str) -> Drawing {
        let names = longest(self.lines.iter().map(|line| line.name.as_str()));
        let ticks = 9.0 * CHARACTER;
        let (left, right) = (ticks, width.pixels() - names - 14.0);
        let (top, bottom) = (1.6 * LINE, 1.6 * LINE + self.height);
        let x = Axis::over(self.xs(), self.x.spread, left..right);
        let y = Axis::over(self.ys(), self.y.spread, bottom..top);
        let content = html! {
            (text(0.0, LINE * 0.8, "axis", self.y.name))
            @for tick in y.ticks((self.height / 40.0) as usize) {
                @if let Some(at) = y.at(tick) {
                    line class="grid" x1=(left) x2=(right) y1=(at) y2=(at) {}
                    (text(left - 6.0, at + 4.0, "tick end", &(self.y.format)(tick)))
                }
            }
            (ticks_below(&x, &self.x, width, (top, bottom), (left, right)))
            @for line in &self.lines { (line.draw(&x, &y)) }
            (self.names(&x, &y, right, (top, bottom)))
        };
        Drawing::new(width, bottom + 2.6 * LINE, label, content)
    }

    fn xs(&self) -> impl Iterator<Item = f64> {
        let through = self.lines.iter().flat_map(|line| line.through.iter().map(|(x, _)| *x));
        through.chain(self.lines.iter().flat_map(|line| line.points.iter().map(|point| point.x)))
    }

    fn ys(&self) -> impl Iterator<Item = f64> {
        let through = self.lines.iter().flat_map(|line| line.through.iter().map(|(_, y)| *y));
        let points = self.lines.iter().flat_map(|line| &line.points);
        let single = self.lines.iter().flat_map(|line| line.single.iter().map(|(_, y)| *y));
        through.chain(single).chain(points.flat_map(|point| {
            let (low, high) = point.interval.unwrap_or((point.y, point.y));
            [low, point.y, high]
        }))
    }

    /// Names at the right ends of the lines, moved apart where they would overlap.
    fn names(&self, x: &Axis, y: &Axis, right: f64, (top, bottom): (f64, f64)) -> Markup {
        let mut ends: Vec<(f64, f64, &Line)> = self
            .lines
            .iter()
            .filter_map(|line| {
                let of_points = line.points.last().map(|point| (point.x, point.y));
                let (end_x, end_y) = line.through.last().copied().or(of_points)?;
                Some((x.at(end_x)?, y.at(end_y)?, line))
            })
            .collect();
        ends.sort_by(|(_, a, _), (_, b, _)| a.total_cmp(b));
        let places = moved_apart(
            &ends.iter().map(|(_, at, _)| *at).collect::<Vec<f64>>(),
            (top - 4.0, bottom + 0.5 * LINE),
        );
        html! {
            @for ((end, at, line), place) in ends.iter().zip(places) {
                path class=(format!("leader {}", line.style.class()))
                    d=(format!("M{end} {at}L{} {}", right + 8.0, rounded(place))) {}
                (text(right + 12.0, place + 4.0, "name", &line.name))
            }
        }
    }
}

impl Line {
    fn draw(&self, x: &Axis, y: &Axis) -> Markup {
        let class = self.style.class();
        let dashed = if self.dashed { " dashed" } else { "" };
        let places: Vec<String> = self
            .through
            .iter()
            .filter_map(|(at_x, at_y)| Some(format!("{} {}", x.at(*at_x)?, y.at(*at_y)?)))
            .collect();
        html! {
            @if places.len() > 1 {
                path class=(format!("line {class}{dashed}")) d=(format!("M{}", places.join("L"))) {}
            }
            @for (at_x, at_y) in &self.single {
                @if let (Some(px), Some(py)) = (x.at(*at_x), y.at(*at_y)) {
                    (light(self.style, px - BESIDE, py))
                }
            }
            @for point in &self.points {
                @if let (Some(px), Some(py)) = (x.at(point.x), y.at(point.y)) {
                    @if let Some((low, high)) = point.interval.and_then(|(low, high)| Some((y.at(low)?, y.at(high)?))) {
                        line class=(format!("interval {class}")) x1=(px) x2=(px) y1=(low) y2=(high) {}
                    }
                    (marker(self.style, px, py, false, &point.tip))
                }
            }
            @if let Some(crossing) = &self.crossing { (self.crossing_mark(crossing, x, y)) }
        }
    }

    /// A hollow marker on the other line, with the interval of the place along that.
    fn crossing_mark(&self, crossing: &CrossingMark, x: &Axis, y: &Axis) -> Markup {
        let (low, high) = crossing.interval;
        html! {
            @if let (Some(px), Some(py)) = (x.at(crossing.x), y.at(crossing.y)) {
                @if let (Some(low), Some(high)) = (x.at(low), x.at(high)) {
                    line class=(format!("interval {}", self.style.class())) x1=(low) x2=(high)
                        y1=(py) y2=(py) {}
                }
                (marker(self.style, px, py, true, &crossing.tip))
            }
        }
    }
}

/// Places that are a line apart, each as near to what was wanted as that allows and
/// within the bounds where they have room. `wanted` is sorted.
fn moved_apart(wanted: &[f64], (top, bottom): (f64, f64)) -> Vec<f64> {
    let step = (LINE * 0.85).min((bottom - top) / wanted.len().saturating_sub(1).max(1) as f64);
    let mut places: Vec<f64> = Vec::with_capacity(wanted.len());
    for place in wanted {
        let free = places.last().map_or(top, |last| last + step);
        places.push(place.max(free));
    }
    let mut free = bottom;
    for place in places.iter_mut().rev() {
        *place = place.min(free);
        free = *place - step;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_moved_apart_and_stay_within_the_drawing() {
        let places = moved_apart(&[10.0, 10.0, 11.0, 100.0, 100.0], (0.0, 100.0));
        for pair in places.windows(2) {
            assert!(pair[1] - pair[0] >= 0.85 * LINE - 1e-9, "{places:?}");
        }
        assert!(places[0] >= 0.0 && places[4] <= 100.0, "{places:?}");
    }

    #[test]
    fn names_that_have_room_stay_where_they_are() {
        assert_eq!(moved_apart(&[10.0, 60.0], (0.0, 100.0)), [10.0, 60.0]);
    }
}
