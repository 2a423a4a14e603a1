//! A report as a comment on a pull request, in Markdown.

use super::markdown;
use super::renderer::Renderer;
use crate::report::document::Part;
use crate::report::sections;
use crate::report::subject::Subject;

/// Verdict, what got better and worse: one screen.
pub(super) struct Comment;

impl Renderer for Comment {
    fn name(&self) -> &'static str {
        "comment"
    }

    fn description(&self) -> &'static str {
        "A comment on a pull request: Markdown of one screen"
    }

    fn render(&self, subject: &Subject<'_>) -> String {
        comment(subject, None)
    }
}

/// The comment, with a link to the whole report where its address is known.
pub fn comment(subject: &Subject<'_>, link: Option<&str>) -> String {
    let (title, mut parts) = sections::comment(subject);
    parts.extend(link.map(|link| Part::Text(format!("[The whole report]({link})"))));
    markdown::heading(2, &title) + &parts.iter().map(markdown::written).collect::<String>()
}
