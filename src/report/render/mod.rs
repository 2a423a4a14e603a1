//! One format a file. A format is a renderer; `report::render` chooses it.

mod annotations;
mod csv;
mod html;
mod json;
mod markdown;
mod renderer;
mod schema;
mod terminal;

pub use annotations::annotations;
pub use csv::{FAILED, render_csv};
pub(super) use html::{Html, picture};
pub(super) use json::Json;
pub use json::REPORT_FORMAT;
pub(super) use markdown::Markdown;
pub(super) use renderer::Renderer;
pub use schema::Described;
pub(super) use terminal::Terminal;
pub use terminal::hanging;
