//! Pure functions on samples.

mod interval;
mod slope;

pub use interval::{Interval, median, median_interval};
pub use slope::{Line, theil_sen};
