//! The style sheets, of drawings and of what is around them.

pub(super) const DRAWING: &str = include_str!("drawing.css");
pub(super) const PAGE: &str = include_str!("page.css");
