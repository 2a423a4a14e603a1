//! What was lost, in a sentence for each configuration.

use crate::judge::MonitorFigures;

pub(in crate::report::sections::run) fn statements(monitors: &[MonitorFigures]) -> Vec<String> {
    let plain = |configuration: &&MonitorFigures| configuration.load.disturbance.is_none();
    let has_rows =
        |configuration: &&MonitorFigures| configuration.rows.iter().any(|row| !row.floor);
    monitors.iter().filter(plain).filter(has_rows).map(statement).collect()
}

fn statement(configuration: &MonitorFigures) -> String {
    let rows = || configuration.rows.iter().filter(|row| !row.floor);
    let has_lossless = rows().any(|row| row.updates.lost == 0);
    let lossy: Vec<String> = rows()
        .filter(|row| row.updates.lost > 0)
        .map(|row| {
            let part = 100.0 * row.updates.lost as f64 / row.updates.expected.max(1) as f64;
            format!("{} lost {} ({part:.2} %)", row.approach, row.updates.lost)
        })
        .collect();
    let took = match (has_lossless, lossy.is_empty()) {
        (_, true) => "every update arrived".to_owned(),
        (false, false) => format!("no approach took every update: {}", lossy.join(", ")),
        (true, false) => format!("{}; at the others every update arrived", lossy.join(", ")),
    };
    // Who loses updates has less to do.
    let least = rows()
        .filter(|row| row.updates.lost == 0 && !row.failed)
        .filter_map(|row| Some((row.client_cpu.as_ref()?.mean_percent, row.approach.as_str())))
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    let cpu = least.map_or(String::new(), |(percent, approach)| {
        format!(" The least CPU: {approach} with {percent:.1} % of a core.")
    });
    format!("{}: {took}.{cpu}", configuration.heading())
}
