//! The figures that started this: one PV, one get, four Python modules.

use serde::Serialize;

use super::document::{Part, Table, number, words};
use crate::judge::Judgement;
use crate::protocol::{Mode, Stage};
use crate::units::scientific;

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

pub(super) fn published_section(judgement: &Judgement) -> Vec<Part> {
    let measured = |approach: &str, stage: Stage| {
        judgement
            .figures
            .iter()
            .filter(|figures| figures.pvs == 1 && figures.metric.stage == stage)
            .filter(|figures| stage == Stage::Connect || figures.metric.mode == Mode::Serial)
            .find_map(|figures| figures.rows.iter().find(|row| row.approach == approach))
            .map_or("-".to_owned(), |row| scientific(row.figure_s.median))
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
