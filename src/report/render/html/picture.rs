//! A figure as a picture by itself.

use super::chart::{Width, draw};
use super::style;
use crate::report::document::{Detail, Document, Figure, Section};
use crate::report::sections::document;
use crate::report::subject::Subject;

/// One figure of a report, which is light or dark with its reader.
///
/// # Errors
/// The ids of all figures, where there is none of this one.
pub(in crate::report) fn picture(subject: &Subject<'_>, id: &str) -> Result<String, Vec<String>> {
    let Document { sections, .. } = document(subject, Detail::Full);
    let figures: Vec<&Figure> = sections.iter().flat_map(Section::figures).collect();
    match figures.iter().find(|figure| figure.id == id) {
        Some(figure) => {
            let drawing = draw(figure, Width::Wide);
            Ok(drawing.standalone(&figure.title, style::DRAWING).into_string())
        }
        None => Err(figures.into_iter().map(|figure| figure.id.clone()).collect()),
    }
}
