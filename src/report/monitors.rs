//! What monitors took: tables of CPU, updates, latency, memory and bytes.

use super::cells::{place, worst};
use super::document::{Part, Table, number, words};
use crate::judge::{MonitorFigures, MonitorRow, Outcome, UpdateCounts, Verdict};
use crate::record::Disturbance;
use crate::stats::{CpuLoad, Interval, Percentiles};
use crate::units::{counted, grouped, mebibytes, milliseconds, percent};

/// All tables of one cell.
pub(super) fn monitors_section(cell: &MonitorFigures, verdicts: &[Verdict]) -> Vec<Part> {
    let own: Vec<&Verdict> = verdicts
        .iter()
        .filter(|verdict| {
            (verdict.scenario, &verdict.server, verdict.pvs, verdict.load)
                == (Some(cell.scenario), &cell.server, cell.pvs, Some(cell.load))
        })
        .collect();
    let mut parts = vec![Part::Heading(2, title(cell))];
    if cell.load.disturbance.is_some() {
        parts.push(Part::Table(recovery_table(cell, &own)));
    } else {
        let mut of_client = cpu_table(cell, "client CPU %", |row| &row.client_cpu, true);
        add_verdicts(&mut of_client, cell, &own, "client cpu");
        parts.push(Part::Table(of_client));
        parts.push(Part::Table(cpu_table(cell, "server CPU %", |row| &row.server_cpu, false)));
    }
    parts.push(Part::Table(updates_table(cell)));
    if cell.load.disturbance.is_none() {
        parts.push(Part::Table(memory_table(cell, &own)));
    }
    parts.push(Part::Text(cost_of_sampling(cell)));
    let losses: Vec<String> = cell.rows.iter().filter_map(loss).collect();
    if !losses.is_empty() {
        parts.push(Part::List(losses));
    }
    parts
}

/// What the instrument itself took of the machine, beside client and server.
fn cost_of_sampling(cell: &MonitorFigures) -> String {
    let most = cell.rows.iter().map(|row| row.sampler_percent).fold(0.0, f64::max);
    format!("Reading CPU, memory and bytes took {most:.2} % of a core at most.")
}

/// A cell in a heading: `waveform: 680x480 at 120 Hz`.
pub(super) fn title(cell: &MonitorFigures) -> String {
    let what = match cell.load.pixels {
        Some(pixels) => pixels.to_string(),
        None => counted(cell.pvs, "PV"),
    };
    let how = match cell.load.disturbance {
        None => "",
        Some(Disturbance::Stall) => ", client stopped for 5 s",
        Some(Disturbance::Restart) => ", IOC killed and restarted",
        Some(Disturbance::Vanish) => ", IOC restarted without the first PV",
    };
    let place = place(&cell.server);
    format!("{}: {what} at {} Hz{place}{how}", cell.scenario, cell.load.rate_hz)
}

/// One side's CPU; `over_floor` only for the client.
fn cpu_table(
    cell: &MonitorFigures,
    heading: &'static str,
    of: fn(&MonitorRow) -> &Option<CpuLoad>,
    over_floor: bool,
) -> Table {
    let row = |row: &MonitorRow| {
        let mut cells = vec![row.approach.clone()];
        cells.extend(match of(row) {
            Some(load) => {
                [load.mean_percent, load.median_percent, load.max_percent, load.min_percent]
                    .map(percent)
            }
            None => ["-"; 4].map(str::to_owned),
        });
        if over_floor {
            cells.push(match row.over_floor_percent {
                _ if row.floor => "floor".to_owned(),
                Some(over) => format!("{:+.1}", over.median),
                None => "-".to_owned(),
            });
        }
        cells
    };
    let mut columns =
        vec![words(heading), number("exact"), number("median"), number("max"), number("min")];
    if over_floor {
        columns.push(number("over floor"));
    }
    Table { columns, rows: cell.rows.iter().map(row).collect() }
}

/// A column more, where there are verdicts on this metric.
fn add_verdicts(table: &mut Table, cell: &MonitorFigures, verdicts: &[&Verdict], metric: &str) {
    if !verdicts.iter().any(|verdict| verdict.metric == metric) {
        return;
    }
    table.columns.push(words("verdict"));
    for (cells, row) in table.rows.iter_mut().zip(&cell.rows) {
        let own = of_metric(verdicts, row, metric);
        cells.push(if row.floor { String::new() } else { worst(own) });
    }
}

fn updates_table(cell: &MonitorFigures) -> Table {
    // A restarted IOC sends values with time stamps of long ago first.
    let has_latency =
        cell.load.disturbance.is_none_or(|disturbance| disturbance == Disturbance::Stall);
    let row = |row: &MonitorRow| {
        let latency = |of: fn(&Percentiles) -> u64| {
            let known = row.latency.as_ref().filter(|_| has_latency);
            known.map_or("-".to_owned(), |latency| milliseconds(of(latency)))
        };
        vec![
            row.approach.clone(),
            row.updates.expected.to_string(),
            row.updates.received.to_string(),
            row.updates.lost.to_string(),
            merged(&row.updates).to_string(),
            latency(|latency| latency.p50_ns),
            latency(|latency| latency.p90_ns),
            latency(|latency| latency.p99_ns),
            latency(|latency| latency.p99_9_ns),
            latency(|latency| latency.max_ns),
        ]
    };
    Table {
        columns: vec![
            words("updates"),
            number("made"),
            number("received"),
            number("lost"),
            number("merged"),
            number("p50 ms"),
            number("p90"),
            number("p99"),
            number("p99.9"),
            number("max"),
        ],
        rows: cell.rows.iter().map(row).collect(),
    }
}

/// Updates that server or library say they replaced or dropped.
fn merged(updates: &UpdateCounts) -> u64 {
    updates.server.merged() + updates.library.values().sum::<u64>()
}

fn memory_table(cell: &MonitorFigures, verdicts: &[&Verdict]) -> Table {
    let row = |row: &MonitorRow| {
        let memory = &row.client_memory;
        let bytes = match (row.received_bytes, row.least_bytes) {
            (Some(received), Some(least)) if least > 0 => {
                format!("{:.4}", received as f64 / least as f64)
            }
            _ => "-".to_owned(),
        };
        let verdict = match worst(of_metric(verdicts, row, "growth")) {
            _ if row.floor => "floor".to_owned(),
            word if word.is_empty() => "too short".to_owned(),
            word => word,
        };
        vec![
            row.approach.clone(),
            mebibytes(memory.start_bytes),
            mebibytes(memory.peak_bytes),
            mebibytes(memory.end_bytes),
            growth(memory.growth_bytes_per_minute.as_ref()),
            verdict,
            bytes,
        ]
    };
    Table {
        columns: vec![
            words("memory MiB"),
            number("start"),
            number("peak"),
            number("end"),
            number("growth MB/min"),
            words("leak"),
            number("bytes/least"),
        ],
        rows: cell.rows.iter().map(row).collect(),
    }
}

/// Verdicts on one metric of an approach, and those that say that it failed.
fn of_metric<'a>(
    verdicts: &'a [&Verdict],
    row: &'a MonitorRow,
    metric: &'a str,
) -> impl Iterator<Item = &'a Verdict> {
    let own = verdicts.iter().copied().filter(|verdict| verdict.approach == row.approach);
    own.filter(move |verdict| verdict.metric == metric || verdict.outcome == Outcome::Failed)
}

fn growth(growth: Option<&Interval>) -> String {
    let megabytes = |bytes: f64| format!("{:.2}", bytes / 1e6);
    growth.map_or("-".to_owned(), |growth| {
        format!("{} .. {}", megabytes(growth.low), megabytes(growth.high))
    })
}

fn recovery_table(cell: &MonitorFigures, verdicts: &[&Verdict]) -> Table {
    let row = |row: &MonitorRow| {
        let recovered: Vec<String> = row
            .recoveries
            .iter()
            .map(|one| format!("{} of {}", one.recovered, one.wanted))
            .collect();
        let slowest =
            row.recoveries.iter().filter_map(|one| one.slowest_s).fold(f64::NAN, f64::max);
        let own = of_metric(verdicts, row, "PVs left behind");
        vec![
            row.approach.clone(),
            recovered.join(", "),
            if slowest.is_nan() { "-".to_owned() } else { format!("{slowest:.2}") },
            if row.floor { "floor".to_owned() } else { worst(own) },
        ]
    };
    Table {
        columns: vec![
            words("approach"),
            number("PVs that came back"),
            number("after s, the last"),
            words("verdict"),
        ],
        rows: cell.rows.iter().map(row).collect(),
    }
}

/// Where updates were lost, as far as anybody counts.
fn loss(row: &MonitorRow) -> Option<String> {
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

/// What was lost, in a sentence for each cell.
pub(super) fn statements(monitors: &[MonitorFigures]) -> Vec<String> {
    let plain = |cell: &&MonitorFigures| cell.load.disturbance.is_none();
    let has_rows = |cell: &&MonitorFigures| cell.rows.iter().any(|row| !row.floor);
    monitors.iter().filter(plain).filter(has_rows).map(statement).collect()
}

fn statement(cell: &MonitorFigures) -> String {
    let rows = || cell.rows.iter().filter(|row| !row.floor);
    let lossless: Vec<&str> =
        rows().filter(|row| row.updates.lost == 0).map(|row| row.approach.as_str()).collect();
    let lossy: Vec<String> = rows()
        .filter(|row| row.updates.lost > 0)
        .map(|row| {
            let part = 100.0 * row.updates.lost as f64 / row.updates.expected.max(1) as f64;
            format!("{} lost {} ({part:.2} %)", row.approach, row.updates.lost)
        })
        .collect();
    let took = match (lossless.is_empty(), lossy.is_empty()) {
        (_, true) => format!("every update arrived at {}", lossless.join(", ")),
        (true, false) => format!("no approach took every update: {}", lossy.join(", ")),
        (false, false) => {
            format!("every update arrived at {}; {}", lossless.join(", "), lossy.join(", "))
        }
    };
    let least = rows()
        .filter_map(|row| Some((row.client_cpu.as_ref()?.mean_percent, row.approach.as_str())))
        .min_by(|(a, _), (b, _)| a.total_cmp(b));
    let cpu = least.map_or(String::new(), |(percent, approach)| {
        format!(" The least CPU: {approach} with {percent:.1} % of a core.")
    });
    format!("{}: {took}.{cpu}", title(cell))
}
