//! What is to be measured, and in which order.

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::protocol::Mode;
use crate::scenario;

/// One combination of what is varied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The scenario's name.
    pub scenario: String,
    /// The server's name.
    pub server: String,
    /// How many PVs.
    pub pvs: usize,
    /// How they are connected.
    pub mode: Mode,
}

/// All cells, how often, and the seed of the order.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is measured.
    pub cells: Vec<Cell>,
    /// How many blocks of each cell.
    pub blocks: usize,
    /// The seed of every random choice.
    pub seed: u64,
    /// How long one stage may take; by the count of PVs when not given.
    pub timeout: Option<Duration>,
}

impl Plan {
    /// The connect scenario for every count of PVs. PVs are connected one at a
    /// time only up to `most_serial` of them: each costs libca's search timer,
    /// some 30 ms.
    pub fn connect(pvs: &[usize], modes: &[Mode], most_serial: usize) -> Vec<Cell> {
        let mut cells = Vec::new();
        for mode in modes {
            for pvs in pvs {
                if *mode == Mode::Bulk || *pvs <= most_serial {
                    cells.push(Cell {
                        scenario: scenario::CONNECT.to_owned(),
                        server: "softioc".to_owned(),
                        pvs: *pvs,
                        mode: *mode,
                    });
                }
            }
        }
        cells
    }

    pub(super) fn random(&self) -> StdRng {
        StdRng::seed_from_u64(self.seed)
    }
}
