//! Where updates were lost, as far as anybody counts.

use crate::judge::MonitorRow;
use crate::units::grouped;

/// The losses of an approach, stage by stage; none where nothing was lost.
pub(super) fn losses(row: &MonitorRow) -> Option<String> {
    let updates = &row.updates;
    if updates.lost + updates.repeated + updates.server.scan_overruns.unwrap_or(0) == 0 {
        return None;
    }
    let mut stages = Vec::new();
    let mut stage = |count: u64, words: &str| {
        if count > 0 {
            stages.push(format!("{} {words}", grouped(count as usize)));
        }
    };
    let counted = &updates.server;
    stage(counted.scan_overruns.unwrap_or(0), "scans of the server took longer than their period");
    stage(
        counted.callback_overflows.unwrap_or(0),
        "requests found a callback queue of the server full",
    );
    stage(counted.merged(), "merged in the server's queue, which was not emptied in time");
    for (name, count) in &updates.library {
        stage(*count, &format!("in the library's own count `{name}`"));
    }
    stage(
        updates.repeated,
        "frames arrived twice (the server sends an array as it is when its turn comes)",
    );
    stage(updates.late, "had not arrived when the time was over");
    let explained = counted.merged() + updates.library.values().sum::<u64>() + updates.late;
    let unexplained = updates.lost.saturating_sub(explained);
    stage(unexplained, "in no count (the server queues an array once and does not count the rest)");
    Some(format!(
        "{}: {} of {} updates lost: {}.",
        row.approach,
        grouped(updates.lost as usize),
        grouped(updates.expected as usize),
        stages.join("; ")
    ))
}
