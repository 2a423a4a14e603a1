//! The figures that started this: one PV, one get, four Python modules.

use schemars::JsonSchema;
use serde::Serialize;

use super::document::{Part, Table, number, words};
use crate::judge::{Judgement, MonitorFigures, Row};
use crate::record::Pixels;
use crate::stats::CpuLoad;
use crate::units::{percent, scientific};
use crate::worker_protocol::{Mode, Stage};

/// One published row: seconds for one PV.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct Published {
    pub(super) approach: &'static str,
    pub(super) connect_s: f64,
    pub(super) get_s: f64,
    pub(super) get_again_s: f64,
}

/// SLAC's comparison of Python modules for EPICS, "Get test: time elapsed".
/// pyca's second get is known to be a stale read: its event was never cleared.
pub(super) const SLAC: [Published; 4] = [
    Published { approach: "pyca", connect_s: 2.84e-2, get_s: 3.09e-4, get_again_s: 2.17e-5 },
    Published { approach: "psp", connect_s: 2.85e-2, get_s: 7.72e-4, get_again_s: 4.75e-4 },
    Published { approach: "pyepics", connect_s: 9.36e-2, get_s: 1.36e-3, get_again_s: 5.77e-4 },
    Published { approach: "caproto", connect_s: 2.05e-1, get_s: 7.15e-4, get_again_s: 5.89e-4 },
];

/// One published row: CPU in % of a core, read from `top` while a client
/// monitored an image of 680x480 unsigned 16-bit pixels at 120 Hz and summed
/// each.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub(super) struct PublishedCpu {
    pub(super) approach: &'static str,
    pub(super) mean: f64,
    pub(super) median: f64,
    pub(super) max: f64,
    pub(super) min: f64,
}

/// SLAC's comparison, "Monitor test: cpu usage". pyca was not measured there,
/// because callbacks seemed to be lost.
pub(super) const SLAC_CPU: [PublishedCpu; 3] = [
    PublishedCpu { approach: "psp", mean: 28.78, median: 29.5, max: 32.6, min: 24.8 },
    PublishedCpu { approach: "pyepics", mean: 32.29, median: 31.9, max: 38.4, min: 30.4 },
    PublishedCpu { approach: "caproto", mean: 78.06, median: 77.8, max: 81.8, min: 76.8 },
];

/// The size of the images and their rate.
const SLAC_PIXELS: Pixels = Pixels { width: 680, height: 480 };
const SLAC_RATE_HZ: f64 = 120.0;

/// The cell with the published image at the published rate.
pub(super) fn of_the_camera(judgement: &Judgement) -> Option<&MonitorFigures> {
    judgement.monitors.iter().find(|cell| {
        cell.load.pixels == Some(SLAC_PIXELS)
            && cell.load.rate_hz == SLAC_RATE_HZ
            && cell.load.disturbance.is_none()
    })
}

pub(super) fn published_cpu_section(judgement: &Judgement) -> Vec<Part> {
    let Some(cell) = of_the_camera(judgement) else { return Vec::new() };
    let of_cell = cell.rows.iter().filter(|row| !row.floor).map(|row| row.approach.as_str());
    let mut modules: Vec<&str> = SLAC_CPU.iter().map(|row| row.approach).collect();
    modules.extend(of_cell.filter(|name| SLAC_CPU.iter().all(|row| row.approach != *name)));
    let rows = modules
        .into_iter()
        .map(|module| {
            let published = SLAC_CPU.iter().find(|row| row.approach == module);
            let row = cell.rows.iter().find(|row| row.approach == module);
            let here = row.and_then(|row| row.client_cpu.as_ref());
            let beside = |of: fn(&PublishedCpu) -> f64, of_here: fn(&CpuLoad) -> f64| {
                let published = published.map_or("-".to_owned(), |row| of(row).to_string());
                [published, here.map_or("-".to_owned(), |load| percent(of_here(load)))]
            };
            let mut cells = vec![module.to_owned()];
            cells.extend(beside(|row| row.mean, |load| load.mean_percent));
            cells.extend(beside(|row| row.median, |load| load.median_percent));
            cells.extend(beside(|row| row.max, |load| load.max_percent));
            cells.extend(beside(|row| row.min, |load| load.min_percent));
            cells.push(row.map_or("-".to_owned(), |row| row.updates.lost.to_string()));
            cells
        })
        .collect();
    let table = Table {
        columns: vec![
            words("Module, CPU %"),
            number("mean"),
            number("here"),
            number("median"),
            number("here"),
            number("max"),
            number("here"),
            number("min"),
            number("here"),
            number("lost"),
        ],
        rows,
    };
    let text = "CPU of the client as SLAC published it for the same image at the same rate, and as \
                measured here. Machines differ: compare the order, not the values. Nobody checked \
                there how many of the images arrived.";
    vec![
        Part::Heading(2, "beside the published CPU".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(table),
    ]
}

/// What was measured here of one PV, as it was published.
pub(super) fn of_one_pv<'a>(
    judgement: &'a Judgement,
    approach: &str,
    stage: Stage,
) -> Option<&'a Row> {
    judgement
        .figures
        .iter()
        .filter(|figures| figures.pvs == 1 && figures.metric.stage == stage)
        .filter(|figures| stage == Stage::Connect || figures.metric.mode == Mode::Serial)
        .find_map(|figures| figures.rows.iter().find(|row| row.approach == approach))
}

pub(super) fn published_section(judgement: &Judgement) -> Vec<Part> {
    let measured = |approach: &str, stage: Stage| {
        let row = of_one_pv(judgement, approach, stage);
        row.map_or("-".to_owned(), |row| scientific(row.figure_s.median))
    };
    let published = |approach: &str, of: fn(&Published) -> f64| {
        let row = SLAC.iter().find(|row| row.approach == approach);
        row.map_or("-".to_owned(), |row| scientific(of(row)))
    };
    let rows: Vec<Vec<String>> = modules(judgement)
        .into_iter()
        .map(|approach| {
            vec![
                approach.to_owned(),
                published(approach, |row| row.connect_s),
                measured(approach, Stage::Connect),
                published(approach, |row| row.get_s),
                measured(approach, Stage::Get),
                published(approach, |row| row.get_again_s),
                measured(approach, Stage::GetAgain),
            ]
        })
        .collect();
    if rows.iter().all(|row| row[2] == "-") {
        return Vec::new();
    }
    let table = Table {
        columns: vec![
            words("Module"),
            number("Connect"),
            number("here"),
            number("Get 1"),
            number("here"),
            number("Get 2"),
            number("here"),
        ],
        rows,
    };
    let text = "Seconds for one PV as SLAC published them, and as measured here. Machines \
                differ: compare the columns' order, not their values. The published second get of \
                pyca is a stale read; here every value is checked.";
    vec![
        Part::Heading(2, "beside the published figures".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(table),
    ]
}

/// The published modules, then what else connected to one PV.
fn modules(judgement: &Judgement) -> Vec<&str> {
    let mut modules: Vec<&str> = SLAC.iter().map(|row| row.approach).collect();
    let of_one_pv = judgement.figures.iter().filter(|figures| figures.pvs == 1);
    for row in of_one_pv.flat_map(|figures| &figures.rows).filter(|row| !row.floor) {
        if !modules.contains(&row.approach.as_str()) {
            modules.push(&row.approach);
        }
    }
    modules
}
