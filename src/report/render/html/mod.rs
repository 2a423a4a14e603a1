//! A report as one HTML page that needs nothing else: no network, no font, no library.

mod chart;
mod figures;
mod page;
mod parts;
mod picture;
mod style;

pub(super) use page::Html;
pub(in crate::report) use picture::picture;
