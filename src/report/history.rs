//! The history of several runs, for people.

use super::document::{Part, Table, number, words};
use super::{Format, json, markdown, page, terminal};
use crate::judge::CellKey;
use crate::judge::history::{
    History, HistoryRun, MachineHistory, Nature, Point, Series, VersionsFrom,
};
use crate::judge::worker_figures::FigureUnit;
use crate::stats::Interval;
use crate::units::{grouped, mebibytes, percent, scientific};

/// Writes the history of several runs.
pub fn render_history(history: &History, format: Format) -> String {
    match format {
        Format::Summary | Format::Table => terminal::render(&content(history, true)),
        Format::Markdown => markdown::render(&content(history, true)),
        Format::Html => page::of_history(history, &content(history, false)),
        Format::Json => json::of_history(history),
    }
}

/// With the tables of all figures, or without.
fn content(history: &History, has_tables: bool) -> Vec<Part> {
    let mut parts = vec![
        Part::Heading(1, "From run to run".to_owned()),
        Part::Text(
            "Intervals hold the median with 90 % or more where there are five blocks or more; with \
             fewer nothing is pointed out. Figures of different runs are not paired: between two runs the machine may have \
             been in another mood. So only intervals that do not touch are pointed out, and of \
             many figures some of these are chance. For certainty measure both versions in one \
             run: `epics-gauge compare`."
                .to_owned(),
        ),
    ];
    if history.machines.len() > 1 {
        parts.push(Part::Text(format!(
            "The runs are of {} machines, which stand apart.",
            history.machines.len()
        )));
    }
    for machine in &history.machines {
        parts.extend(of_machine(machine, has_tables));
    }
    parts
}

fn of_machine(history: &MachineHistory, has_tables: bool) -> Vec<Part> {
    let machine = &history.machine;
    let heading = format!("{}, {} cores, {}", machine.model, machine.cores, machine.system);
    let mut parts = vec![Part::Heading(2, heading), Part::Table(runs(&history.runs))];
    if !history.versions.is_empty() {
        parts.push(Part::List(history.versions.iter().map(version).collect()));
    }
    parts.push(Part::Heading(3, "what the last run changed".to_owned()));
    let changes: Vec<String> = history.series.iter().filter_map(change).collect();
    parts.push(match changes.is_empty() {
        true => Part::Text(no_change(history)),
        false => Part::List(changes),
    });
    for alike in alike(history).filter(|_| has_tables) {
        parts.extend([Part::Heading(3, what(alike)), Part::Table(table(alike))]);
    }
    parts
}

/// Series of one metric in one cell, which differ in their approach.
pub(super) fn alike(history: &MachineHistory) -> impl Iterator<Item = &[Series]> {
    history.series.chunk_by(|one, other| one.cell == other.cell && one.metric == other.metric)
}

/// What such series are of, in words.
pub(super) fn what(alike: &[Series]) -> String {
    let first = alike.first();
    first.map_or(String::new(), |one| format!("{} of {}", one.metric, cell_in_words(&one.cell)))
}

fn no_change(history: &MachineHistory) -> String {
    match history.runs.len() {
        1 => "There is one run of this machine only.".to_owned(),
        _ => "Nothing that can be told from chance.".to_owned(),
    }
}

fn runs(runs: &[HistoryRun]) -> Table {
    let row = |(index, run): (usize, &HistoryRun)| {
        let end = if run.complete { "" } else { "cut off" };
        vec![
            (index + 1).to_string(),
            run.started_utc.clone(),
            run.version.clone(),
            // The rest of it is a check sum.
            run.base.split_whitespace().next().unwrap_or_default().to_owned(),
            end.to_owned(),
            run.name.clone(),
        ]
    };
    Table {
        columns: vec![
            number("run"),
            words("started, UTC"),
            words("version"),
            words("Base"),
            words("end"),
            words("name"),
        ],
        rows: runs.iter().enumerate().map(row).collect(),
    }
}

fn version(from: &VersionsFrom) -> String {
    format!("{} from run {} on: {}", from.of, from.run + 1, from.versions.join(", "))
}

fn change(series: &Series) -> Option<String> {
    let change = series.last_change?;
    let [.., before, last] = &series.points[..] else { return None };
    let word = if change.is_worse { "worse" } else { "better" };
    let by = match change.ratio {
        Some(ratio) if series.nature == Nature::Measured => {
            format!(" by {:+.1} %", 100.0 * (ratio - 1.0))
        }
        _ => String::new(),
    };
    Some(format!(
        "{}, {} of {}: {word}{by}, from {} (run {}) to {} (run {}) {}",
        series.approach,
        series.metric,
        cell_in_words(&series.cell),
        with_range(series.unit, before),
        before.run + 1,
        with_range(series.unit, last),
        last.run + 1,
        in_words(series.unit)
    ))
}

pub(super) fn with_range(unit: FigureUnit, point: &Point) -> String {
    match range(unit, point) {
        range if range.is_empty() => amount(unit, point.figure.median),
        range => format!("{} [{range}]", amount(unit, point.figure.median)),
    }
}

/// Rows are runs, so that any number of them fits.
pub(super) fn table(alike: &[Series]) -> Table {
    let rows = alike.iter().flat_map(|series| {
        series.points.iter().enumerate().map(|(index, point)| {
            let is_last = index + 1 == series.points.len();
            let note = series
                .last_change
                .filter(|_| is_last)
                .map_or("", |change| if change.is_worse { "worse" } else { "better" });
            vec![
                if index == 0 { series.approach.clone() } else { String::new() },
                (point.run + 1).to_string(),
                amount(series.unit, point.figure.median),
                range(series.unit, point),
                point.figure.samples.to_string(),
                note.to_owned(),
            ]
        })
    });
    let unit = alike.first().map_or("", |series| in_words(series.unit));
    Table {
        columns: vec![
            words("approach"),
            number("run"),
            number(unit),
            number("interval"),
            number("blocks"),
            words("than before"),
        ],
        rows: rows.collect(),
    }
}

fn range(unit: FigureUnit, point: &Point) -> String {
    let Interval { low, high, .. } = point.figure;
    match point.open_above {
        true => "no loss seen".to_owned(),
        false if low == high => String::new(),
        false => format!("{} .. {}", amount(unit, low), amount(unit, high)),
    }
}

pub(super) fn amount(unit: FigureUnit, figure: f64) -> String {
    match unit {
        FigureUnit::Seconds | FigureUnit::SecondsPerPv => scientific(figure),
        FigureUnit::PercentOfACore => percent(figure),
        FigureUnit::Bytes => mebibytes(figure),
        FigureUnit::Count => grouped(figure as usize),
        FigureUnit::BytesPerPv => format!("{figure:.0}"),
        FigureUnit::Hertz | FigureUnit::CountPerPv => format!("{figure:.2}"),
    }
}

/// The unit of [`amount`].
pub(super) fn in_words(unit: FigureUnit) -> &'static str {
    match unit {
        FigureUnit::Bytes => "MiB",
        FigureUnit::PercentOfACore => "% of a core",
        FigureUnit::Count => "count",
        unit => unit.name(),
    }
}

/// Such as `connect on softioc, 1 000 PVs bulk` or `waveform on softioc, 680x480 at
/// 120 Hz`.
pub(super) fn cell_in_words(cell: &CellKey) -> String {
    let mut text = format!("{} on {}", cell.scenario, cell.server);
    let pixels = cell.load.and_then(|load| load.pixels);
    match pixels {
        Some(pixels) => text += &format!(", {pixels}"),
        None if cell.pvs == 0 => {}
        None if cell.pvs == 1 => text += ", 1 PV",
        None => text += &format!(", {} PVs", grouped(cell.pvs)),
    }
    if let Some(fleet) = cell.fleet {
        text += &format!(" on {} IOCs by {}", fleet.iocs, fleet.lookup);
    }
    let Some(load) = cell.load else { return format!("{text} {}", cell.mode) };
    text += &format!(" at {} Hz", load.rate_hz);
    if load.monitors != 1 {
        text += &format!(", {} monitors each", load.monitors);
    }
    if load.idle_pvs != 0 {
        text += &format!(", {} PVs beside", grouped(load.idle_pvs));
    }
    if let Some(bytes) = load.array_bytes {
        text += &format!(", arrays up to {bytes} bytes");
    }
    if let Some(disturbance) = load.disturbance {
        text += &format!(", {}", disturbance.name());
    }
    text + &format!(", {} s", load.seconds)
}
