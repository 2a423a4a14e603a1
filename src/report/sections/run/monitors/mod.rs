//! What monitors took: tables of CPU, updates, latency, memory and bytes.

mod losses;
mod statements;
mod tables;

use crate::judge::{MonitorFigures, Verdict};
use crate::report::document::Part;

pub(super) use statements::statements;

/// All tables of one configuration.
pub(super) fn section(configuration: &MonitorFigures, verdicts: &[Verdict]) -> Vec<Part> {
    let own: Vec<&Verdict> = verdicts.iter().filter(|verdict| configuration.has(verdict)).collect();
    let tables = match configuration.load.disturbance {
        Some(_) => vec![tables::recovery(configuration, &own), tables::updates(configuration)],
        None => vec![
            tables::client_cpu(configuration, &own),
            tables::server_cpu(configuration),
            tables::updates(configuration),
            tables::memory(configuration, &own),
        ],
    };
    let mut parts = vec![Part::Heading(2, configuration.heading())];
    parts.extend(tables.into_iter().map(Part::Table));
    parts.push(Part::Text(cost_of_sampling(configuration)));
    let losses: Vec<String> = configuration.rows.iter().filter_map(losses::losses).collect();
    if !losses.is_empty() {
        parts.push(Part::List(losses));
    }
    parts
}

/// What the instrument itself took of the machine, beside client and server.
fn cost_of_sampling(configuration: &MonitorFigures) -> String {
    let most = configuration.rows.iter().map(|row| row.sampler_percent).fold(0.0, f64::max);
    format!("Reading CPU, memory and bytes took {most:.2} % of a core at most.")
}
