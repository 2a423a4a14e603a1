//! Pure functions on samples.

mod growth;
mod interval;
mod percentiles;
mod slope;
mod windows;

pub use growth::growth;
pub use interval::{Interval, median, median_interval};
pub use percentiles::{Percentiles, percentiles};
pub use slope::{Line, theil_sen};
pub use windows::{CpuLoad, between, cpu_load};
