//! Axes: from a quantity to a place in a drawing, and where the ticks are.

use std::ops::Range;

use crate::report::document::Spread;

/// An axis: quantities, and the pixels that they are drawn at.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    spread: Spread,
    values: Range<f64>,
    pixels: Range<f64>,
}

impl Axis {
    /// An axis on which each of `values` has a place, with a little room beyond.
    /// Without any value it shows 1 to 10.
    pub(super) fn over(
        values: impl IntoIterator<Item = f64>,
        spread: Spread,
        pixels: Range<f64>,
    ) -> Axis {
        let shown = values.into_iter().filter(|value| is_on(*value, spread));
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        let values = match (spread, low <= high) {
            (_, false) => 1.0..10.0,
            (Spread::Log, true) => low / 1.3..high * 1.3,
            (Spread::Linear, true) if low == 0.0 && high == 0.0 => 0.0..1.0,
            (Spread::Linear, true) => low.min(0.0) * 1.06..high.max(0.0) * 1.06,
        };
        Axis { spread, values, pixels }
    }

    /// Where a value is drawn; none where it has no place.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        if !is_on(value, self.spread) {
            return None;
        }
        let Range { start, end } = self.values;
        let part = match self.spread {
            Spread::Linear => (value - start) / (end - start),
            Spread::Log => (value / start).ln() / (end / start).ln(),
        };
        let pixel = self.pixels.start + part * (self.pixels.end - self.pixels.start);
        // A pixel or two outside is a drawing's business, miles are not.
        (-0.2..=1.2).contains(&part).then_some((pixel * 10.0).round() / 10.0)
    }

    /// Values worth a line and a label, about `most` of them and never more than
    /// twice as many.
    pub(super) fn ticks(&self, most: usize) -> Vec<f64> {
        let ticks = match self.spread {
            Spread::Linear => linear_ticks(&self.values, most),
            Spread::Log => log_ticks(&self.values, most),
        };
        ticks
            .into_iter()
            .filter(|tick| (self.values.start..=self.values.end).contains(tick))
            .collect()
    }
}

fn is_on(value: f64, spread: Spread) -> bool {
    value.is_finite() && (spread == Spread::Linear || value > 0.0)
}

/// Multiples of 1, 2 or 5 times a power of ten, 0 among them.
fn linear_ticks(values: &Range<f64>, most: usize) -> Vec<f64> {
    let rough = (values.end - values.start) / most.max(1) as f64;
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * decade)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * decade);
    let (first, last) = ((values.start / step).ceil() as i64, (values.end / step).floor() as i64);
    (first..=last).map(|count| count as f64 * step).collect()
}

/// Powers of ten; with their doubles and fives where there is room.
fn log_ticks(values: &Range<f64>, most: usize) -> Vec<f64> {
    let decades = (values.end / values.start).log10().ceil().max(1.0) as usize;
    // With many decades the first tick is the first power on the axis.
    let first = match decades > most {
        true => values.start.log10().ceil() as i32,
        false => values.start.log10().floor() as i32,
    };
    let last = values.end.log10().ceil() as i32;
    let factors: &[f64] = match most / decades {
        0 | 1 => &[1.0],
        2 => &[1.0, 3.0],
        _ => &[1.0, 2.0, 5.0],
    };
    let stride = decades.div_ceil(most.max(1)).max(1);
    let powers = (first..=last).step_by(stride).map(|power| 10_f64.powi(power));
    powers.flat_map(|power| factors.iter().map(move |factor| factor * power)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::document::Quantity;

    #[test]
    fn a_log_axis_gives_equal_steps_to_equal_ratios_and_no_place_to_zero() {
        let axis = Axis::over([1.0, 100.0], Spread::Log, 0.0..100.0);
        let at = |value| axis.at(value).unwrap();
        assert!(((at(100.0) - at(10.0)) - (at(10.0) - at(1.0))).abs() < 0.11);
        assert_eq!([0.0, -1.0, f64::NAN].map(|value| axis.at(value)), [None; 3]);
        assert!(at(1.0) > 0.0 && at(100.0) < 100.0, "no room beyond the values");
    }

    #[test]
    fn zero_is_on_a_linear_axis() {
        let axis = Axis::over([-40.0, -3.0], Spread::Linear, 10.0..110.0);
        assert_eq!(axis.at(0.0), Some(110.0));
        assert_eq!(axis.ticks(3), [-40.0, -20.0, 0.0][..]);
        let axis = Axis::over([40.0, 97.0], Spread::Linear, 10.0..110.0);
        assert_eq!(axis.at(0.0), Some(10.0));
        assert_eq!(axis.ticks(5), [0.0, 50.0, 100.0][..=2]);
    }

    #[test]
    fn what_lies_far_outside_has_no_place() {
        let axis = Axis::over([1.0, 2.0], Spread::Linear, 0.0..100.0);
        assert_eq!(axis.at(1e9), None);
    }

    #[test]
    fn ticks_are_round_and_few_on_every_axis() {
        for (low, high) in [(3e-7, 0.2), (1.0, 9.0), (2e-3, 3e-3), (1.0, 1e6), (5.0, 5.0)] {
            for spread in [Spread::Linear, Spread::Log] {
                let ticks = Axis::over([low, high], spread, 0.0..300.0).ticks(6);
                assert!(ticks.len() <= 12, "{low} {high} {spread:?}: {ticks:?}");
                assert!(ticks.is_sorted(), "{ticks:?}");
            }
        }
    }

    #[test]
    fn ticks_of_memory_are_round_in_the_unit_that_is_shown() {
        for spread in [Spread::Linear, Spread::Log] {
            let memory = Quantity::megabytes("MB", spread);
            let ticks = Axis::over([2.3e7, 1.1e8], spread, 0.0..300.0).ticks(4);
            let shown: Vec<String> = ticks.into_iter().map(memory.format).collect();
            assert!(shown.ends_with(&["50".to_owned(), "100".to_owned()]), "{shown:?}");
        }
    }

    #[test]
    fn without_values_there_is_an_axis_nevertheless() {
        assert_eq!(Axis::over([], Spread::Log, 0.0..1.0).ticks(3), [1.0, 2.0, 5.0, 10.0]);
    }
}
