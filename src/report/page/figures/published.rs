//! The published figures beside those of this run: hollow and full markers.

use super::{Figure, axes, drawn, slug, told};
use crate::judge::{Judgement, Scale, ScaleRow};
use crate::record::{Load, RunRecords, Scenario};
use crate::report::document::{Table, number, words};
use crate::report::page::chart::{Mark, Row, RowChart, Spread, Style};
use crate::report::page::command::Command;
use crate::report::published::{SLAC, SLAC_CPU, of_one_pv, of_the_camera};
use crate::stats::CpuLoad;
use crate::units::{duration, grouped, percent, scientific};
use crate::worker_protocol::{Mode, Stage};

const HOLLOW: &str = "Hollow markers are the published figures, full ones those of this run. \
                      Machines differ: compare the order, not the values.";

/// Everything published that this run has a counterpart of.
pub(super) fn figures(run: &RunRecords, judgement: &Judgement) -> Vec<Figure> {
    let mut figures: Vec<Figure> = one_pv(run, judgement).into_iter().collect();
    figures.extend(camera(run, judgement));
    figures.extend(judgement.scale.iter().filter_map(|pair| loads(run, pair)));
    figures
}

/// A published figure and what was measured here.
struct Beside {
    name: String,
    published: f64,
    here: Option<f64>,
    tip: Option<String>,
}

fn rows(besides: &[Beside], told: fn(f64) -> String) -> Vec<Row> {
    let row = |beside: &Beside| {
        let name = &beside.name;
        let mark = |at: f64, hollow: bool, tip: String| Mark { at, slight: false, hollow, tip };
        let published = format!("{name}, published: {}", told(beside.published));
        let mut marks = vec![mark(beside.published, true, published)];
        if let Some(here) = beside.here {
            let tip = beside.tip.clone().unwrap_or_else(|| told(here));
            marks.push(mark(here, false, format!("{name}, here: {tip}")));
        }
        Row { name: name.clone(), style: Style::Approach(0), marks, bar: None }
    };
    besides.iter().map(row).collect()
}

fn table(besides: &[Beside], unit: &'static str, written: fn(f64) -> String) -> Table {
    let row = |beside: &Beside| {
        let here = beside.here.map_or("-".to_owned(), written);
        let ratio =
            beside.here.map_or("-".to_owned(), |here| format!("{:.2}", here / beside.published));
        vec![beside.name.clone(), written(beside.published), here, ratio]
    };
    Table {
        columns: vec![words(unit), number("published"), number("here"), number("ratio")],
        rows: besides.iter().map(row).collect(),
    }
}

/// Ratios in a sentence would be too many.
fn says(what: &str, besides: &[Beside]) -> String {
    let measured = besides.iter().filter(|beside| beside.here.is_some()).count();
    format!("{what} {HOLLOW} {measured} of {} were measured in this run.", besides.len())
}

fn one_pv(run: &RunRecords, judgement: &Judgement) -> Option<Figure> {
    let stages = [("connect", Stage::Connect), ("get", Stage::Get), ("get again", Stage::GetAgain)];
    let besides: Vec<Beside> = stages
        .into_iter()
        .flat_map(|(name, stage)| {
            SLAC.iter().map(move |published| {
                let here = of_one_pv(judgement, published.approach, stage);
                Beside {
                    name: format!("{}, {name}", published.approach),
                    published: match stage {
                        Stage::Connect => published.connect_s,
                        Stage::Get => published.get_s,
                        _ => published.get_again_s,
                    },
                    here: here.map(|row| row.figure_s.median),
                    tip: here.map(|row| told(&row.figure_s, "")),
                }
            })
        })
        .collect();
    if besides.iter().all(|beside| beside.here.is_none()) {
        return None;
    }
    let says = says(
        "One PV: connect, get and get again, as SLAC published them for its Python modules. The \
         published second get of pyca is a stale read.",
        &besides,
    );
    let title = "Published beside measured: one PV".to_owned();
    let chart = RowChart { x: axes::seconds("time", Spread::Log), rows: rows(&besides, duration) };
    Some(Figure {
        id: "published-one-pv".to_owned(),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(&besides, "s", scientific),
        command: Some(Command::of(run, Scenario::Connect).pvs(vec![1]).mode(Mode::Serial)),
        title,
        says,
    })
}

fn camera(run: &RunRecords, judgement: &Judgement) -> Option<Figure> {
    let cell = of_the_camera(judgement)?;
    let besides: Vec<Beside> = SLAC_CPU
        .iter()
        .map(|published| {
            let row = cell.rows.iter().find(|row| row.approach == published.approach);
            let here = row.and_then(|row| row.client_cpu.as_ref());
            let tip = |cpu: &CpuLoad| {
                let (mean, low, high) = (cpu.mean_percent, cpu.min_percent, cpu.max_percent);
                format!("{mean:.1} % of a core, windows of a second {low:.1} to {high:.1} %")
            };
            Beside {
                name: published.approach.to_owned(),
                published: published.mean,
                here: here.map(|cpu| cpu.mean_percent),
                tip: here.map(tip),
            }
        })
        .collect();
    if besides.iter().all(|beside| beside.here.is_none()) {
        return None;
    }
    let says = says(
        "Mean CPU of a client that sums each image of 680x480 at 120 Hz, as SLAC published it. \
         Nobody counted there how many images arrived.",
        &besides,
    );
    let title = "Published beside measured: CPU of a camera's client".to_owned();
    let chart = RowChart {
        x: axes::count("% of a core", Spread::Linear),
        rows: rows(&besides, |cpu| format!("{} %", percent(cpu))),
    };
    Some(Figure {
        id: "published-camera".to_owned(),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(&besides, "mean CPU %", percent),
        command: Some(Command::of_load(run, cell.scenario, &cell.server, cell.pvs, &cell.load)),
        title,
        says,
    })
}

/// CPU of both sides of a published table; rows whose figure is no number are left out.
fn loads(run: &RunRecords, pair: &Scale) -> Option<Figure> {
    let besides: Vec<Beside> = pair
        .rows
        .iter()
        .flat_map(|row| [(true, row), (false, row)])
        .filter_map(|(is_server, row)| cpu_beside(row, is_server))
        .collect();
    if besides.iter().all(|beside| beside.here.is_none()) {
        return None;
    }
    let says = says(
        "CPU of server and client at each load, as Diamond published it between two machines. \
         Nobody counted the updates there.",
        &besides,
    );
    let title = format!("Published beside measured: {} against {}", pair.server, pair.approach);
    let chart = RowChart {
        x: axes::count("% of a core", Spread::Linear),
        rows: rows(&besides, |cpu| format!("{} %", percent(cpu))),
    };
    let table_name = pair.rows.iter().find_map(|row| Some(row.published.as_ref()?.table));
    Some(Figure {
        id: format!("published-{}-{}", slug(&pair.server), slug(&pair.approach)),
        legend: Vec::new(),
        drawings: drawn(|width| chart.draw(width, &format!("{title}. {says}"))),
        table: table(&besides, "CPU %", percent),
        command: Some(
            Command::of(run, Scenario::Scale).option("--table", table_name.unwrap_or_default()),
        ),
        title,
        says,
    })
}

fn cpu_beside(row: &ScaleRow, is_server: bool) -> Option<Beside> {
    let published = row.published.as_ref()?;
    let text = if is_server { published.server[0] } else { published.client[0] };
    let here = row.figures.as_ref().and_then(|figures| match is_server {
        true => figures.row.server_cpu.as_ref(),
        false => figures.row.client_cpu.as_ref(),
    });
    let Load { rate_hz, monitors, .. } = row.load;
    let side = if is_server { "server" } else { "client" };
    Some(Beside {
        name: format!("{} × {rate_hz} Hz × {monitors}, {side}", grouped(row.pvs)),
        published: text.trim_end_matches('%').trim().parse().ok()?,
        here: here.map(|cpu| cpu.mean_percent),
        tip: None,
    })
}
