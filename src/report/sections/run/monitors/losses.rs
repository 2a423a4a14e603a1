//! Where updates were lost, as far as anybody counts.

use crate::judge::{LossCauses, MonitorRow};
use crate::record::{Losses, PvLosses};
use crate::units::{counted, counted_of, grouped};

/// The losses of an approach, cause by cause; none where nothing was lost nor came twice.
pub(super) fn losses(row: &MonitorRow) -> Option<String> {
    let updates = &row.updates;
    if updates.lost + updates.repeated == 0 {
        return None;
    }
    let mut statements = Vec::new();
    if updates.lost > 0 {
        statements.push(format!(
            "{} lost: {}",
            counted_of(updates.lost as usize, updates.expected as usize, "update"),
            causes(row).join("; "),
        ));
        statements.extend(row.losses.as_ref().map(where_and_when));
    }
    if updates.repeated > 0 {
        statements.push(format!(
            "{} arrived twice (the server sends an array as it is when its turn comes)",
            counted(updates.repeated as usize, "frame")
        ));
    }
    Some(format!("{}: {}.", row.approach, statements.join("; ")))
}

/// Such as `of 3 PVs, most of gauge:7 (120 between 2.1 s and 2.4 s)`.
fn where_and_when(losses: &Losses) -> String {
    let one = |of: &PvLosses| {
        let when = match of.last_s - of.first_s < 0.1 {
            true => format!("at {:.1} s", of.first_s),
            false => format!("between {:.1} s and {:.1} s", of.first_s, of.last_s),
        };
        format!("{} ({} {when})", of.pv, grouped(of.lost as usize))
    };
    let most: Vec<String> = losses.most.iter().map(one).collect();
    match losses.pvs {
        1 => format!("all of {}", most.join("")),
        pvs => format!("of {} PVs, most of {}", grouped(pvs as usize), most.join(", ")),
    }
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
