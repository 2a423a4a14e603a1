//! Figures of a page: their drawings, numbers and commands.

use maud::{Markup, html};

use super::chart::{Width, draw, legend};
use super::parts::{capitalized, table};
use crate::report::document::Figure;

/// All figures of a page below a list of them; nothing where there are none.
pub(super) fn figures(figures: &[&Figure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            section id="figures" {
                h2 { "Figures" }
                p {
                    "Point at a mark to see its value and interval. Each figure has its numbers as "
                    "a table"
                    @if figures.iter().any(|figure| figure.command.is_some()) {
                        ", and the command that measures it again"
                    }
                    "."
                }
                nav aria-label="Figures" {
                    details {
                        summary { (figures.len()) " figures" }
                        ul { @for figure in figures {
                            li { a href={ "#" (figure.id) } { (capitalized(&figure.title)) } }
                        } }
                    }
                }
                div class="figures" { @for figure in figures { (one(figure)) } }
            }
        }
    }
}

fn one(figure: &Figure) -> Markup {
    let legend = legend(&figure.chart);
    html! {
        figure id=(figure.id) {
            figcaption {
                h3 { (capitalized(&figure.title)) }
                p { (figure.summary) }
            }
            @if !legend.is_empty() {
                ul class="legend" { @for (name, class) in &legend {
                    li { span class={ "swatch " (class) } {} (name) }
                } }
            }
            @for width in Width::ALL { (draw(figure, width)) }
            details {
                summary { "The numbers of: " (figure.title) }
                (table(&figure.table))
                @if let Some(command) = &figure.command {
                    p { "Measured again by" }
                    pre class="scrolls command" tabindex="0" { code { (command) } }
                }
            }
        }
    }
}
