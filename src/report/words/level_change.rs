//! Where the level of a figure changed, in words.

use super::amounts::signed_percent;
use super::history::{amount, unit_name};
use crate::judge::history::{HistoryRun, LevelChange, MachineHistory, Series};
use crate::scenario::Words;

/// `worse by +5.0 % (+4.0 % to +6.1 %)`, or the two levels where there is no ratio.
fn size_of_change(series: &Series, change: &LevelChange) -> String {
    let word = if change.is_worse { "worse" } else { "better" };
    let levels = format!(
        "from {} to {} {}",
        amount(series.unit, change.before.median),
        amount(series.unit, change.after.median),
        unit_name(series.unit)
    );
    match &change.ratio {
        None => format!("{word}, {levels}"),
        Some(ratio) => format!(
            "{word} by {} ({} to {}), {levels}",
            signed_percent(ratio.median - 1.0),
            signed_percent(ratio.low - 1.0),
            signed_percent(ratio.high - 1.0)
        ),
    }
}

/// `pyepics, connect bulk of …: worse by … from run 21 (0123456789) on, found with run 26`.
pub(in crate::report) fn level_change(
    machine: &MachineHistory,
    series: &Series,
    change: &LevelChange,
) -> String {
    format!(
        "{}, {} of {}: {}, from {} on, found with {}",
        series.approach,
        series.metric,
        series.configuration.in_words(Words::Full),
        size_of_change(series, change),
        run_in_words(&machine.runs, change.first_run),
        run_in_words(&machine.runs, change.found_run)
    )
}

/// `run 21 (0123456789)`.
pub(in crate::report) fn run_in_words(runs: &[HistoryRun], index: usize) -> String {
    let revision = runs.get(index).and_then(|run| run.revision.as_ref());
    match revision {
        Some(revision) => format!("run {} ({})", index + 1, revision.short()),
        None => format!("run {}", index + 1),
    }
}
