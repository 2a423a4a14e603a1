//! Limits that follow from what users accept.

use super::error::Wrong;
use super::table::Table;
use crate::metric::{Metric, Unit};

/// The most that a budget leaves for each PV, or for each minute, and the sum that
/// gives it.
pub(super) fn value(budget: Table, measure: Metric) -> Result<(f64, String), Wrong> {
    match measure.unit() {
        Unit::SecondsPerPv => per_pv(budget),
        Unit::BytesPerMinute => per_minute(budget),
        _ => {
            let message = format!("`{}` has no budget: give `most` and `because`", measure.name());
            Err(Wrong::at(budget.at, message))
        }
    }
}

/// A delay for all PVs that are read, spread over them.
fn per_pv(budget: Table) -> Result<(f64, String), Wrong> {
    budget.only(&["pvs", "read_fraction", "delay_s"])?;
    let pvs = positive(budget, "pvs")?;
    let delay_s = positive(budget, "delay_s")?;
    let all = format!("{delay_s} s / {} PVs", super::grouped(pvs));
    match budget.number("read_fraction")? {
        None => Ok((delay_s / pvs, all)),
        Some(part) if part > 0.0 && part <= 1.0 => {
            let pvs_text = super::grouped(pvs);
            let derivation = format!("{delay_s} s / ({pvs_text} PVs x {} % read)", part * 100.0);
            Ok((delay_s / (pvs * part), derivation))
        }
        Some(_) => Err(wrong(budget, "read_fraction", "must be over 0 and at most 1")),
    }
}

/// Bytes for a monitor run, spread over its minutes.
fn per_minute(budget: Table) -> Result<(f64, String), Wrong> {
    budget.only(&["bytes", "hours"])?;
    let (bytes, hours) = (positive(budget, "bytes")?, positive(budget, "hours")?);
    Ok((bytes / (hours * 60.0), format!("{} GB in {hours} h", bytes / 1e9)))
}

fn positive(budget: Table, key: &str) -> Result<f64, Wrong> {
    match budget.number(key)? {
        None => Err(Wrong::at(budget.at, format!("this budget has no `{key}`"))),
        Some(number) if number > 0.0 => Ok(number),
        Some(_) => Err(wrong(budget, key, "must be over 0")),
    }
}

fn wrong(budget: Table, key: &str, what: &str) -> Wrong {
    Wrong::at(budget.place(key).unwrap_or(budget.at), format!("`{key}` {what}"))
}
