//! Shapes and colours of marks. Approaches differ in their shape too, for those who do
//! not see the colours.

use maud::{Markup, html};

use super::drawing::rounded;
use crate::report::document::Style;

/// How many colours and shapes there are before they begin again.
const STYLES: usize = 12;

impl Style {
    /// The class of its marks in the style sheet.
    pub(super) fn class(self) -> String {
        match self {
            Style::Floor => "floor".to_owned(),
            Style::Approach(index) => format!("s{}", index % STYLES),
        }
    }
}

/// Half the width of a marker.
const RADIUS: f64 = 4.0;

/// A marker of a style; `hollow` ones are of somebody else's figures.
pub(super) fn marker(style: Style, x: f64, y: f64, hollow: bool, tip: &str) -> Markup {
    let class = format!("mark point {}{}", style.class(), if hollow { " hollow" } else { "" });
    html! { path class=(class) d=(shape(style, x, y)) data-tip=(tip) {} }
}

/// A light mark of a single figure: one of many, that says nothing by itself.
pub(super) fn light(style: Style, x: f64, y: f64) -> Markup {
    html! { circle class=(format!("single {}", style.class())) cx=(x) cy=(y) r="2.2" {} }
}

fn shape(style: Style, x: f64, y: f64) -> String {
    let r = RADIUS;
    let corners = |corners: &[(f64, f64)]| {
        let points: Vec<String> = corners
            .iter()
            .map(|(dx, dy)| format!("{} {}", rounded(x + dx * r), rounded(y + dy * r)))
            .collect();
        format!("M{}Z", points.join("L"))
    };
    let Style::Approach(index) = style else {
        return corners(&[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)]);
    };
    match index % 5 {
        0 => {
            let (x, y) = (rounded(x - r), rounded(y));
            format!("M{x} {y}a{r} {r} 0 1 0 {0} 0a{r} {r} 0 1 0 -{0} 0Z", 2.0 * r)
        }
        1 => corners(&[(0.0, -1.3), (1.2, 0.9), (-1.2, 0.9)]),
        2 => corners(&[(0.0, -1.4), (1.4, 0.0), (0.0, 1.4), (-1.4, 0.0)]),
        3 => corners(&[(0.0, 1.3), (1.2, -0.9), (-1.2, -0.9)]),
        _ => corners(&[
            (-0.4, -1.3),
            (0.4, -1.3),
            (0.4, -0.4),
            (1.3, -0.4),
            (1.3, 0.4),
            (0.4, 0.4),
            (0.4, 1.3),
            (-0.4, 1.3),
            (-0.4, 0.4),
            (-1.3, 0.4),
            (-1.3, -0.4),
            (-0.4, -0.4),
        ]),
    }
}
