//! Figures, verdicts and configurations in words.

mod amounts;
mod comparison;
mod configuration;
mod crossing;
mod history;
mod level_change;
mod marks;
mod percentiles;
mod verdicts;

pub(super) use amounts::{
    difference, factor, interval_in_full, or_dash, part, range, rounded_down, signed_percent,
};
pub(super) use comparison::sentence;
pub(super) use configuration::{found_by, pair_name, place, pvs_on_iocs, scale_load, scale_pvs};
pub(super) use crossing::{crossing, crossing_in_full};
pub(super) use history::{amount, amount_with_range, point_range, unit_name};
pub(super) use level_change::{level_change, run_in_words};
pub(super) use marks::{joint_explained, with_joint_mark};
pub(super) use percentiles::{Percentile, SINGLE_GETS, UPDATE_LATENCIES, two_percentiles};
pub(super) use verdicts::{judged, relation, worst};
