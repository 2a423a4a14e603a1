//! The figures that started this: one PV, one get, four Python modules.

use serde::Serialize;

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
