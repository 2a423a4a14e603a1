//! What the cells of a row cannot hold.

use super::updates::arrived;
use crate::judge::ScaleRow;
use crate::report::words::scale_load;
use crate::units::counted;

pub(super) fn notes(row: &ScaleRow) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |text: String| notes.push(format!("{}: {text}", scale_load(row)));
    if let Some(who) = row.bottleneck {
        let how_far = row.figures.as_ref().map_or(String::new(), |figures| {
            let arrived = match arrived(figures).as_str() {
                "all" => "every update".to_owned(),
                percent => format!("{percent} % of the updates"),
            };
            format!("; the server made {:.1} Hz, {arrived} arrived", figures.row.made_hz)
        });
        note(format!("overloaded, limited by: {}{how_far}", who.name()));
    }
    if let Some(failure) = &row.failure {
        note(failure.clone());
    }
    let Some(figures) = &row.figures else { return notes };
    for (event, count) in &figures.row.updates.server.overloads {
        note(format!("the server reported \"{event}\" {}", counted(*count as usize, "time")));
    }
    if let Some(seen) = figures.row.updates.server.subscriptions
        && seen != figures.asked_subscriptions as u64
    {
        let asked = counted(figures.asked_subscriptions, "monitor");
        let seen = counted(seen as usize, "subscription");
        note(format!("{asked} made {seen} at the server"));
    }
    if figures.steady.is_some_and(|steady| !steady.reached) {
        note("CPU use was not steady when the figures began".to_owned());
    }
    notes
}
