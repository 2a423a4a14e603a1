//! The scale matrix: what arrived and what it cost, beside the published rows.

use super::document::{Part, Table, key, number, words};
use crate::judge::{Flow, Scale, ScaleFigures, ScaleRow};
use crate::stats::CpuLoad;
use crate::units::{grouped, milliseconds, percent};

/// The tables of all servers and clients.
pub(super) fn scale_section(scale: &[Scale]) -> Vec<Part> {
    let mut parts = Vec::new();
    for pair in scale {
        parts.push(Part::Heading(2, format!("scale: {} against {}", pair.server, pair.approach)));
        parts.push(Part::Table(arrivals_table(pair)));
        parts.push(Part::Table(cost_table(pair)));
        let notes: Vec<String> = pair.rows.iter().flat_map(notes).collect();
        if !notes.is_empty() {
            parts.push(Part::List(notes));
        }
    }
    if scale.iter().any(|pair| pair.rows.iter().any(|row| row.published.is_some())) {
        parts.push(Part::Text(PUBLISHED.to_owned()));
    }
    parts
}

const PUBLISHED: &str = "Columns `pub.` are the figures that Diamond published for the same \
                         load, between two machines; `pub. %` is the most of the updates that \
                         the published bytes can have held. Nobody counted them there. CPU is in \
                         % of a core, traffic in kB/s of TCP payload (published: of the whole \
                         interface).";

/// Columns that say which load a row is of.
fn load_cells(row: &ScaleRow) -> Vec<String> {
    let pvs = match row.load.idle_pvs {
        0 => row.pvs.to_string(),
        idle => format!("{} of {}", row.pvs, row.pvs + idle),
    };
    vec![pvs, row.load.rate_hz.to_string(), row.load.monitors.to_string()]
}

fn arrivals_table(pair: &Scale) -> Table {
    let row = |row: &ScaleRow| {
        let mut cells = load_cells(row);
        let of =
            |cell: fn(&ScaleFigures) -> String| row.figures.as_ref().map_or("-".to_owned(), cell);
        cells.extend([
            of(|figures| figures.row.updates.expected.to_string()),
            of(|figures| figures.row.updates.lost.to_string()),
            of(|figures| {
                let merged = figures.row.updates.server.merged_updates;
                merged.map_or("-".to_owned(), |merged| merged.to_string())
            }),
            of(arrived),
            row.published
                .as_ref()
                .and_then(|published| published.delivered)
                .map_or("-".to_owned(), part_percent),
            of(|figures| latency(figures, |latency| latency.p50_ns)),
            of(|figures| latency(figures, |latency| latency.p99_ns)),
            of(|figures| {
                let seen = figures.row.updates.server.subscriptions;
                seen.map_or("-".to_owned(), |seen| seen.to_string())
            }),
        ]);
        cells
    };
    Table {
        columns: vec![
            key("PVs"),
            key("Hz"),
            key("mon."),
            number("expected"),
            number("lost"),
            number("merged"),
            number("arr. %"),
            number("pub. %"),
            number("p50 ms"),
            number("p99"),
            number("subs"),
        ],
        rows: pair.rows.iter().map(row).collect(),
    }
}

fn arrived(figures: &ScaleFigures) -> String {
    let updates = &figures.row.updates;
    match updates.lost {
        0 => "all".to_owned(),
        _ => part_percent(updates.received as f64 / updates.expected.max(1) as f64),
    }
}

/// Rounded down: what is not all does not read 100.
fn part_percent(part: f64) -> String {
    let percent = 100.0 * part;
    if percent >= 99.95 && part < 1.0 { ">99.9".to_owned() } else { format!("{percent:.1}") }
}

fn latency(figures: &ScaleFigures, of: fn(&crate::stats::Percentiles) -> u64) -> String {
    figures.row.latency.as_ref().map_or("-".to_owned(), |latency| milliseconds(of(latency)))
}

fn cost_table(pair: &Scale) -> Table {
    let row = |row: &ScaleRow| {
        let mut cells = load_cells(row);
        let figures = row.figures.as_ref();
        let cpu = |of: fn(&ScaleFigures) -> Option<&CpuLoad>| {
            let load = figures.and_then(of);
            load.map_or("-".to_owned(), |load| percent(load.mean_percent))
        };
        let bytes = |flow: Option<Flow>, of: fn(Flow) -> f64| {
            flow.map_or("-".to_owned(), |flow| format!("{:.0}", of(flow) / 1e3))
        };
        let published = |side: usize, column: usize| {
            let text = row.published.as_ref().map_or("-", |published| match side {
                0 => published.server[column],
                _ => published.client[column],
            });
            (if text.is_empty() { "-" } else { text }).to_owned()
        };
        let server = figures.and_then(|figures| figures.server_bytes);
        let client = figures.and_then(|figures| figures.client_bytes);
        cells.extend([
            cpu(|figures| figures.row.server_cpu.as_ref()),
            published(0, 0),
            bytes(server, |flow| flow.sent_hz),
            published(0, 1),
            bytes(server, |flow| flow.received_hz),
            published(0, 2),
            cpu(|figures| figures.row.client_cpu.as_ref()),
            published(1, 0),
            bytes(client, |flow| flow.sent_hz),
            published(1, 1),
            bytes(client, |flow| flow.received_hz),
            published(1, 2),
        ]);
        cells
    };
    Table {
        columns: vec![
            key("PVs"),
            key("Hz"),
            key("mon."),
            number("server CPU"),
            number("pub."),
            number("sent"),
            number("pub."),
            number("recv"),
            number("pub."),
            number("client CPU"),
            number("pub."),
            number("sent"),
            number("pub."),
            number("recv"),
            number("pub."),
        ],
        rows: pair.rows.iter().map(row).collect(),
    }
}

/// What a row's cells cannot say.
fn notes(row: &ScaleRow) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |text: String| notes.push(format!("{}: {text}", load_name(row)));
    if let Some(who) = row.gave_way {
        let how_far = row.figures.as_ref().map_or(String::new(), |figures| {
            let arrived = match arrived(figures).as_str() {
                "all" => "every update".to_owned(),
                percent => format!("{percent} % of the updates"),
            };
            format!("; the server made {:.1} Hz, {arrived} arrived", figures.row.made_hz)
        });
        note(format!("overloaded, first to give way: {}{how_far}", who.name()));
    }
    if let Some(failure) = &row.failure {
        note(failure.clone());
    }
    let Some(figures) = &row.figures else { return notes };
    for (event, count) in &figures.row.updates.server.overloads {
        note(format!("the server reported \"{event}\" {count} times"));
    }
    if let Some(seen) = figures.row.updates.server.subscriptions
        && seen != figures.asked_subscriptions as u64
    {
        let asked = grouped(figures.asked_subscriptions);
        note(format!(
            "{asked} monitors were {} subscriptions at the server",
            grouped(seen as usize)
        ));
    }
    if figures.steady.is_some_and(|steady| !steady.reached) {
        note("CPU use was not steady when the figures began".to_owned());
    }
    notes
}

fn load_name(row: &ScaleRow) -> String {
    let pvs = load_cells(row).remove(0);
    format!("{pvs} PVs at {} Hz, {} monitors each", row.load.rate_hz, row.load.monitors)
}

/// For each pair, how much it sustains of what was tried.
pub(super) fn statements(scale: &[Scale]) -> Vec<String> {
    scale.iter().filter(|pair| !pair.rows.is_empty()).map(statement).collect()
}

fn statement(pair: &Scale) -> String {
    let hz = |row: &&ScaleRow| row.load.updates_hz(row.pvs);
    let sustained: Vec<&ScaleRow> =
        pair.rows.iter().filter(|row| !row.is_overloaded() && row.figures.is_some()).collect();
    let most = sustained.iter().copied().max_by(|a, b| hz(a).total_cmp(&hz(b)));
    let least_lost =
        pair.rows.iter().filter(|row| row.is_overloaded()).min_by(|a, b| hz(a).total_cmp(&hz(b)));
    let mut text = format!(
        "{} against {}: {} of {} loads without loss",
        pair.server,
        pair.approach,
        sustained.len(),
        pair.rows.len()
    );
    if let Some(row) = most {
        text += &format!(", up to {} updates/s ({})", grouped(hz(&row) as usize), load_name(row));
    }
    if let Some(row) = least_lost {
        text += &format!("; the least that was too much: {} updates/s", grouped(hz(&row) as usize));
    }
    text + "."
}

/// A narrow table for each pair, for a screen.
pub(super) fn scale_summary(scale: &[Scale]) -> Vec<Part> {
    if scale.is_empty() {
        return Vec::new();
    }
    let text = "A load is PVs x Hz x monitors on each; CPU of server and client is in % of a \
                core; `pub. %` is the most of the updates that the published bytes can have held.";
    let mut parts = vec![
        Part::Heading(2, "scale: servers against clients".to_owned()),
        Part::Text(text.to_owned()),
    ];
    for pair in scale {
        parts.push(Part::Text(format!("{} against {}:", pair.server, pair.approach)));
        parts.push(Part::Table(summary_table(pair)));
    }
    parts
}

fn summary_table(pair: &Scale) -> Table {
    Table {
        columns: vec![
            number("load"),
            number("updates/s"),
            number("arr. %"),
            number("pub. %"),
            number("CPU %"),
            words("gave way"),
        ],
        rows: pair.rows.iter().map(summary_row).collect(),
    }
}

fn summary_row(row: &ScaleRow) -> Vec<String> {
    let figures = row.figures.as_ref();
    let cpu = |load: Option<&CpuLoad>| {
        load.map_or("-".to_owned(), |load| format!("{:.0}", load.mean_percent))
    };
    let load = load_cells(row);
    vec![
        load.join(" x "),
        grouped(row.load.updates_hz(row.pvs) as usize),
        figures.map_or("-".to_owned(), arrived),
        row.published
            .as_ref()
            .and_then(|published| published.delivered)
            .map_or("-".to_owned(), part_percent),
        format!(
            "{}, {}",
            cpu(figures.and_then(|figures| figures.row.server_cpu.as_ref())),
            cpu(figures.and_then(|figures| figures.row.client_cpu.as_ref()))
        ),
        row.gave_way.map_or("", |who| who.name()).to_owned(),
    ]
}
