//! The published figures beside those of this run: hollow and full markers.

use super::command::Command;
use super::scale::figure_id;
use crate::judge::{Judgement, Scale, ScaleRow};
use crate::record::{Load, RunRecords, Scenario};
use crate::report::document::{
    Chart, Columns, Figure, Mark, Quantity, Row, RowChart, Spread, Style, Table,
};
use crate::report::published::{OfCamera, OnePv, OnePvStage};
use crate::report::words::{interval_in_full, or_dash, pair_name};
use crate::stats::CpuLoad;
use crate::units::{duration, grouped, percent, scientific};
use crate::worker_protocol::Mode;

const HOLLOW: &str = "Hollow markers are the published figures, full ones those of this run. \
                      Machines differ: compare the order, not the values.";

/// Everything published that this run has a counterpart of.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement) -> Vec<Figure> {
    let mut figures: Vec<Figure> = one_pv(run, judgement).into_iter().collect();
    figures.extend(camera(run, judgement));
    figures.extend(judgement.scale.iter().filter_map(|pair| loads(run, pair)));
    figures
}

/// A published figure and what was measured here, with a name.
struct Pair {
    name: String,
    published: f64,
    here: Option<f64>,
    /// What was measured here, in more words.
    tip: Option<String>,
}

/// What a figure is of, and how its numbers are written.
struct Shown {
    id: String,
    title: String,
    explanation: &'static str,
    x: Quantity,
    unit: &'static str,
    /// In tips, and in the table.
    written: [fn(f64) -> String; 2],
    command: Command,
}

/// None where nothing was measured here.
fn figure(pairs: &[Pair], shown: Shown) -> Option<Figure> {
    let measured = pairs.iter().filter(|pair| pair.here.is_some()).count();
    let [in_tips, in_table] = shown.written;
    // Ratios in a sentence would be too many.
    (measured > 0).then(|| Figure {
        summary: format!(
            "{} {HOLLOW} {measured} of {} were measured in this run.",
            shown.explanation,
            pairs.len()
        ),
        id: shown.id,
        title: shown.title,
        chart: Chart::Rows(RowChart {
            x: shown.x,
            rows: pairs.iter().map(|pair| row(pair, in_tips)).collect(),
        }),
        table: table(pairs, shown.unit, in_table),
        command: Some(shown.command.to_string()),
    })
}

fn row(pair: &Pair, written: fn(f64) -> String) -> Row {
    let name = &pair.name;
    let published = format!("{name}, published: {}", written(pair.published));
    let mut marks = vec![Mark::hollow(pair.published, published)];
    if let Some(here) = pair.here {
        let tip = pair.tip.clone().unwrap_or_else(|| written(here));
        marks.push(Mark::marker(here, format!("{name}, here: {tip}")));
    }
    Row { name: name.clone(), style: Style::Approach(0), marks, bar: None }
}

fn table(pairs: &[Pair], unit: &'static str, written: fn(f64) -> String) -> Table {
    Columns::of(pairs)
        .words(unit, |pair| pair.name.clone())
        .number("published", move |pair| written(pair.published))
        .number("here", move |pair| or_dash(pair.here, written))
        .number("ratio", |pair| or_dash(pair.here, |here| format!("{:.2}", here / pair.published)))
        .table()
}

fn one_pv(run: &RunRecords, judgement: &Judgement) -> Option<Figure> {
    let modules = OnePv::modules(judgement);
    let pairs = OnePvStage::ALL.into_iter().flat_map(|stage| {
        modules.iter().filter_map(move |module| {
            let beside = module.of(stage);
            Some(Pair {
                name: format!("{}, {}", module.approach, stage.name()),
                published: beside.published?,
                here: beside.here.map(|row| row.figure_s.median),
                tip: beside.here.map(|row| interval_in_full(&row.figure_s, "")),
            })
        })
    });
    let shown = Shown {
        id: "published-one-pv".to_owned(),
        title: "Published beside measured: one PV".to_owned(),
        explanation: "One PV: connect, get and get again, as SLAC published them for its Python \
                      modules. The published second get of pyca is a stale read.",
        x: Quantity::seconds("time", Spread::Log),
        unit: "s",
        written: [duration, scientific],
        command: Command::of(run, Scenario::Connect).pvs(vec![1]).mode(Mode::Serial),
    };
    figure(&pairs.collect::<Vec<Pair>>(), shown)
}

fn percent_with_unit(cpu: f64) -> String {
    format!("{} %", percent(cpu))
}

fn camera(run: &RunRecords, judgement: &Judgement) -> Option<Figure> {
    let (configuration, modules) = OfCamera::modules(judgement)?;
    let tip = |cpu: &CpuLoad| {
        let (mean, low, high) = (cpu.mean_percent, cpu.min_percent, cpu.max_percent);
        format!("{mean:.1} % of a core, windows of a second {low:.1} to {high:.1} %")
    };
    let pairs = modules.iter().filter_map(|module| {
        let here = module.here.and_then(|row| row.client_cpu.as_ref());
        Some(Pair {
            name: module.approach.to_owned(),
            published: module.published?.mean,
            here: here.map(|cpu| cpu.mean_percent),
            tip: here.map(tip),
        })
    });
    let shown = Shown {
        id: "published-camera".to_owned(),
        title: "Published beside measured: CPU of a camera's client".to_owned(),
        explanation: "Mean CPU of a client that sums each image of 680x480 at 120 Hz, as SLAC published it. \
         Nobody counted there how many images arrived.",
        x: Quantity::count("% of a core", Spread::Linear),
        unit: "mean CPU %",
        written: [percent_with_unit, percent],
        command: Command::of_monitors(run, configuration),
    };
    figure(&pairs.collect::<Vec<Pair>>(), shown)
}

/// CPU of both sides of a published table; rows whose figure is no number are left out.
fn loads(run: &RunRecords, pair: &Scale) -> Option<Figure> {
    let sides = pair.rows.iter().flat_map(|row| [(Side::Server, row), (Side::Client, row)]);
    let pairs: Vec<Pair> = sides.filter_map(|(side, row)| cpu_of(side, row)).collect();
    let table = pair.rows.iter().find_map(|row| Some(row.published.as_ref()?.table));
    let shown = Shown {
        id: format!("published-{}", figure_id(pair)),
        title: format!("Published beside measured: {}", pair_name(pair)),
        explanation: "CPU of server and client at each load, as Diamond published it between two \
                      machines. Nobody counted the updates there.",
        x: Quantity::count("% of a core", Spread::Linear),
        unit: "CPU %",
        written: [percent_with_unit, percent],
        command: Command::of(run, Scenario::Scale).option("--table", table.unwrap_or_default()),
    };
    figure(&pairs, shown)
}

/// Whose CPU.
#[derive(Clone, Copy)]
enum Side {
    Server,
    Client,
}

fn cpu_of(side: Side, row: &ScaleRow) -> Option<Pair> {
    let published = row.published.as_ref()?;
    let figures = row.figures.as_ref().map(|figures| &figures.row);
    let (name, published, here) = match side {
        Side::Server => {
            ("server", published.server, figures.and_then(|row| row.server_cpu.as_ref()))
        }
        Side::Client => {
            ("client", published.client, figures.and_then(|row| row.client_cpu.as_ref()))
        }
    };
    let Load { rate_hz, monitors, .. } = row.load;
    Some(Pair {
        name: format!("{} × {rate_hz} Hz × {monitors}, {name}", grouped(row.pvs)),
        published: published[0].trim_end_matches('%').trim().parse().ok()?,
        here: here.map(|cpu| cpu.mean_percent),
        tip: None,
    })
}
