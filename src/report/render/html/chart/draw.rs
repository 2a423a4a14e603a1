//! A chart of any kind.

use super::drawing::{Drawing, Width};
use crate::report::document::{Chart, Figure};

/// The chart of a figure, in one width.
pub(in crate::report::render::html) fn draw(figure: &Figure, width: Width) -> Drawing {
    let label = figure.text_alternative();
    match &figure.chart {
        Chart::Lines(chart) => chart.draw(width, &label),
        Chart::Rows(chart) => chart.draw(width, &label),
        Chart::Bars(chart) => chart.draw(width, &label),
        Chart::Heat(chart) => chart.draw(width, &label),
    }
}

/// What the colours of segments stand for: each name with its class. Lines and rows have
/// their names beside them.
pub(in crate::report::render::html) fn legend(chart: &Chart) -> Vec<(&str, String)> {
    match chart {
        Chart::Bars(chart) => {
            chart.kinds.iter().map(|(kind, name)| (name.as_str(), format!("k{kind}"))).collect()
        }
        Chart::Lines(_) | Chart::Rows(_) | Chart::Heat(_) => Vec::new(),
    }
}
