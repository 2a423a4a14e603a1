//! The figures that started this: one PV, one get, four Python modules.

use serde::Serialize;

use super::document::{Part, Table, number, words};
use crate::judge::{Judgement, MonitorFigures, Row};
use crate::protocol::{Mode, Stage};
use crate::record::Pixels;
use crate::units::{percent, scientific};

/// One published row: seconds for one PV.
#[derive(Debug, Clone, Copy, Serialize)]
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
#[derive(Debug, Clone, Copy, Serialize)]
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
    let rows = SLAC_CPU
        .iter()
        .map(|published| {
            let row = cell.rows.iter().find(|row| row.approach == published.approach);
            let here = row.and_then(|row| row.client_cpu.as_ref());
            let beside = |published: f64, here: Option<f64>| {
                [published.to_string(), here.map_or("-".to_owned(), percent)]
            };
            let mut cells = vec![published.approach.to_owned()];
            cells.extend(beside(published.mean, here.map(|here| here.mean_percent)));
            cells.extend(beside(published.median, here.map(|here| here.median_percent)));
            cells.extend(beside(published.max, here.map(|here| here.max_percent)));
            cells.extend(beside(published.min, here.map(|here| here.min_percent)));
            cells
        })
        .collect();
    let table = Table {
        columns: vec![
            words("CPU %"),
            number("mean"),
            number("here"),
            number("median"),
            number("here"),
            number("max"),
            number("here"),
            number("min"),
            number("here"),
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
    let rows: Vec<Vec<String>> = SLAC
        .iter()
        .map(|row| {
            vec![
                row.approach.to_owned(),
                scientific(row.connect_s),
                measured(row.approach, Stage::Connect),
                scientific(row.get_s),
                measured(row.approach, Stage::Get),
                scientific(row.get_again_s),
                measured(row.approach, Stage::GetAgain),
            ]
        })
        .collect();
    if rows.iter().all(|row| row[2] == "-") {
        return Vec::new();
    }
    let table = Table {
        columns: vec![
            words("one PV"),
            number("connect"),
            number("here"),
            number("get"),
            number("here"),
            number("get again"),
            number("here"),
        ],
        rows,
    };
    let text = "Seconds as SLAC published them for its modules, and as measured here. Machines \
                differ: compare the columns' order, not their values. The published second get of \
                pyca is a stale read; here every value is checked.";
    vec![
        Part::Heading(2, "beside the published figures".to_owned()),
        Part::Text(text.to_owned()),
        Part::Table(table),
    ]
}
