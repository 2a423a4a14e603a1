//! The figures that started this, one PV, one get, four Python modules, and what was
//! measured here beside each.

use schemars::JsonSchema;
use serde::Serialize;

use crate::judge::{Judgement, MonitorFigures, MonitorRow, Row};
use crate::named::named;
use crate::record::Pixels;
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

/// A published figure and what was measured here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside<Here> {
    pub(super) published: Option<f64>,
    pub(super) here: Option<Here>,
}

named! {
    /// The stages of one PV that were published.
    pub(super) enum OnePvStage {
        Connect = "connect",
        Get = "get",
        GetAgain = "get again",
    }
}

impl OnePvStage {
    /// What is the same here: the published gets were ordinary ones, with what the first
    /// brings. Where those were not measured, plain ones stand for them.
    fn stages(self) -> &'static [Stage] {
        match self {
            OnePvStage::Connect => &[Stage::Connect],
            OnePvStage::Get => &[Stage::GetDefault, Stage::Get],
            OnePvStage::GetAgain => &[Stage::GetDefaultAgain, Stage::GetAgain],
        }
    }

    fn published(self, row: &Published) -> f64 {
        match self {
            OnePvStage::Connect => row.connect_s,
            OnePvStage::Get => row.get_s,
            OnePvStage::GetAgain => row.get_again_s,
        }
    }
}

/// One PV with one module.
pub(super) struct OnePv<'a> {
    pub(super) approach: &'a str,
    judgement: &'a Judgement,
}

impl<'a> OnePv<'a> {
    /// The published modules, then what else connected to one PV here.
    pub(super) fn modules(judgement: &'a Judgement) -> Vec<OnePv<'a>> {
        let mut names: Vec<&str> = SLAC.iter().map(|row| row.approach).collect();
        let of_one_pv = judgement.figures.iter().filter(|figures| figures.pvs == 1);
        for row in of_one_pv.flat_map(|figures| &figures.rows).filter(|row| !row.floor) {
            if !names.contains(&row.approach.as_str()) {
                names.push(&row.approach);
            }
        }
        names.into_iter().map(|approach| OnePv { approach, judgement }).collect()
    }

    pub(super) fn of(&self, stage: OnePvStage) -> Beside<&'a Row> {
        let published = SLAC.iter().find(|row| row.approach == self.approach);
        Beside {
            published: published.map(|row| stage.published(row)),
            here: stage.stages().iter().find_map(|stage| self.here(*stage)),
        }
    }

    fn here(&self, stage: Stage) -> Option<&'a Row> {
        let own = |figures: &&crate::judge::Figures| {
            let metric = figures.metric;
            figures.pvs == 1
                && metric.stage == stage
                && (stage == Stage::Connect || metric.mode == Mode::Serial)
        };
        let mut configurations = self.judgement.figures.iter().filter(own);
        configurations.find_map(|configuration| {
            configuration.rows.iter().find(|row| row.approach == self.approach)
        })
    }
}

/// The client of a camera with one module.
pub(super) struct OfCamera<'a> {
    pub(super) approach: &'a str,
    pub(super) published: Option<&'static PublishedCpu>,
    pub(super) here: Option<&'a MonitorRow>,
}

impl<'a> OfCamera<'a> {
    /// The configuration with the published image at the published rate: the published modules,
    /// then what else was measured.
    pub(super) fn modules(
        judgement: &'a Judgement,
    ) -> Option<(&'a MonitorFigures, Vec<OfCamera<'a>>)> {
        let configuration = judgement.monitors.iter().find(|configuration| {
            configuration.load.pixels == Some(SLAC_PIXELS)
                && configuration.load.rate_hz == SLAC_RATE_HZ
                && configuration.load.disturbance.is_none()
        })?;
        let here = |name: &str| configuration.rows.iter().find(|row| row.approach == name);
        let of_published = SLAC_CPU.iter().map(|row| OfCamera {
            approach: row.approach,
            published: Some(row),
            here: here(row.approach),
        });
        let is_other = |row: &&MonitorRow| {
            !row.floor && SLAC_CPU.iter().all(|one| one.approach != row.approach)
        };
        let others = configuration.rows.iter().filter(is_other).map(|row| OfCamera {
            approach: &row.approach,
            published: None,
            here: here(&row.approach),
        });
        Some((configuration, of_published.chain(others).collect()))
    }
}
