//! Pure functions on samples.

mod bootstrap;
mod change_points;
mod growth;
mod holm;
mod interval;
mod modes;
mod normal;
mod percentiles;
mod proportion;
mod shift;
mod sign_flip;
#[cfg(test)]
pub(crate) mod simulated;
mod slope;
mod windows;

/// An interval decides only if it covers the true median with at least this
/// probability. Five blocks give 93.75 %, four 87.5 %.
pub const CONFIDENCE_WANTED: f64 = 0.9;

pub use bootstrap::{bootstrap_interval, pseudo_median};
pub use change_points::{ChangePoint, FALSE_ALARMS_IN_100, FEWEST_WITH_A_CHANGE, change_points};
pub use growth::growth;
pub use holm::holm;
pub use interval::{Interval, median, median_interval};
pub use modes::{Mode, two_modes};
pub use normal::{normal_cdf, normal_quantile};
pub use percentiles::{Percentiles, counted_once, percentiles};
pub use proportion::proportion_interval;
pub use shift::shift_interval;
pub use sign_flip::{Alternative, sign_flip_p, sign_p};
pub use slope::{Line, theil_sen};
pub use windows::{CpuLoad, between, cpu_load, cpu_windows};
