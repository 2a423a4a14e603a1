//! Charts as SVG.
//!
//! Crates that draw charts write colours into each mark. Here a mark has a class, so
//! that one drawing serves light, dark and print, and each mark can be pointed at.

mod axis;
mod bars;
mod draw;
mod drawing;
mod heat;
mod lines;
mod marker;
mod rows;

pub(super) use draw::{draw, legend};
pub(super) use drawing::Width;
