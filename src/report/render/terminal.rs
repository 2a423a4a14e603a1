//! A report for a terminal of 80 columns.

mod screen;
mod text;

use super::renderer::Renderer;
use crate::report::document::{Detail, Document, Role};
use crate::report::sections::document;
use crate::report::subject::Subject;
pub use text::hanging;
use text::{heading, written};

/// The report in the order of a terminal: the answer first.
pub(super) struct Terminal {
    pub(super) detail: Detail,
}

impl Renderer for Terminal {
    fn name(&self) -> &'static str {
        "table"
    }

    fn description(&self) -> &'static str {
        "Tables for a terminal"
    }

    fn render(&self, subject: &Subject<'_>) -> String {
        let Document { title, mut sections, .. } = document(subject, self.detail);
        sections.retain(|section| place(section.role).is_some());
        sections.sort_by_key(|section| place(section.role));
        if self.detail == Detail::Brief {
            screen::fit(&title, &mut sections);
        }
        let mut text = heading(1, &title);
        for part in sections.iter().flat_map(|section| &section.parts) {
            text += &written(part);
        }
        text.trim_end().to_owned() + "\n"
    }
}

/// Where sections stand from the top, those of one place in the order of the document;
/// none for those of pages only.
fn place(role: Role) -> Option<u8> {
    match role {
        Role::Answer => Some(0),
        Role::Summary => Some(1),
        Role::Notes => Some(2),
        Role::Tables | Role::Body | Role::NumbersOfFigures => Some(3),
        Role::Method => Some(4),
        Role::Judge => Some(5),
        Role::Verdicts | Role::AllVerdicts | Role::Figures | Role::Bias => None,
    }
}
