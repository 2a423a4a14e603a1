//! Where updates were lost, as far as anybody counts.

use crate::judge::{LossCauses, MonitorRow};
use crate::units::grouped;

/// The losses of an approach, cause by cause; none where nothing was lost nor came twice.
pub(super) fn losses(row: &MonitorRow) -> Option<String> {
    let updates = &row.updates;
    if updates.lost + updates.repeated == 0 {
        return None;
    }
    let mut statements = Vec::new();
    if updates.lost > 0 {
        statements.push(format!(
            "{} of {} updates lost: {}",
            grouped(updates.lost as usize),
            grouped(updates.expected as usize),
            causes(row).join("; "),
        ));
    }
    if updates.repeated > 0 {
        statements.push(format!(
            "{} frames arrived twice (the server sends an array as it is when its turn comes)",
            grouped(updates.repeated as usize)
        ));
    }
    Some(format!("{}: {}.", row.approach, statements.join("; ")))
}

fn causes(row: &MonitorRow) -> Vec<String> {
    let LossCauses {
        replaced_at_server,
        counted_by_library: _,
        late,
        lost_in_client,
        not_sent,
        unexplained,
    } = row.causes;
    let server = &row.updates.server;
    let mut causes = Vec::new();
    let mut cause = |count: u64, words: &str| {
        if count > 0 {
            causes.push(format!("{} {words}", grouped(count as usize)));
        }
    };
    cause(replaced_at_server, "replaced in the server's event queue, because the client read late");
    for (name, count) in &row.updates.library {
        cause(*count, &format!("in the library's own count `{name}`"));
    }
    cause(late, "had not arrived when the time was over");
    cause(lost_in_client, "lost in the client, which received their bytes");
    cause(not_sent, "frames not sent, because one was still waiting in the server's queue");
    cause(unexplained, "that no count and no bytes explain");
    // What the server was late with may be why it lost some; it loses none by itself.
    cause(server.scan_overruns.unwrap_or(0), "scans of the server took longer than their period");
    cause(server.callback_overflows.unwrap_or(0), "times a callback queue of the server was full");
    causes
}
